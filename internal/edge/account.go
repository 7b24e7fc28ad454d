package edge

import (
	"regexp"
	"slices"
)

var tokenPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{3,200}$`)

// checkToken says why a token does not begin a session. The words are ngrok's, which repeat the
// token; that is why agents have to be careful with them.
func (e *Edge) checkToken(token string) *Refusal {
	switch {
	case token == "":
		return refuse(4018, "Usage of ngrok requires a verified account and authtoken.")
	case !tokenPattern.MatchString(token):
		return refuse(105, "The authtoken you specified does not look like a proper ngrok authtoken.\r\nYour authtoken: %.200s", token)
	case e.isRevoked(token):
		return refuse(300, "The authtoken you specified was revoked.\r\nYour authtoken: %s", token)
	case len(e.options.Tokens) > 0 && !slices.Contains(e.options.Tokens, token):
		return refuse(107, "The authtoken you specified is properly formed, but it is invalid.\r\nYour authtoken: %s", token)
	}
	return nil
}

func (e *Edge) isRevoked(token string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.revoked[token]
}

// owner is the token a name belongs to; "" when it belongs to nobody.
func (e *Edge) owner(host string) string {
	for name, token := range e.options.Reserved {
		if e.fullName(name) == host {
			return token
		}
	}
	for _, token := range e.options.Tokens {
		if e.fullName(devName(token)) == host {
			return token
		}
	}
	return ""
}

// mayHave says why a name is not for this token.
func (e *Edge) mayHave(token, host string) *Refusal {
	if host == e.fullName(devName(token)) {
		return nil
	}
	owner := e.owner(host)
	switch {
	case owner == token, owner == "" && e.options.AnyName && below(host, e.options.Domain):
		return nil
	case owner == "":
		return refuse(319, "The domain '%s' is not reserved for your account.", host)
	default:
		return refuse(320, "The domain '%s' is reserved for another account.", host)
	}
}
