package bigcommerce

import (
	"fmt"
	"time"
)

// PayloadError names the cause for which a signed payload is refused. Its texts are escaped.
type PayloadError struct {
	Cause string // "signature", "algorithm", "audience", "issuer", "expired", "not_yet_valid", "malformed", "cut_off", "legacy_order"
	Claim string // the claim that fails: "aud", "iss", "exp", "nbf", "sub", "context", or ""
	Text  string
	Next  string
}

func (e *PayloadError) Error() string { return "verifying a signed payload: " + e.Text }

// Hint says what to do next.
func (e *PayloadError) Hint() string { return e.Next }

func noSecret() error {
	return &PayloadError{
		Cause: "signature", Text: "there is no client secret to verify or sign with",
		Next: "set app.client_secret (BC_CLIENT_SECRET) to the app's client secret from the Developer Portal",
	}
}

func malformed(claim, text string) error {
	return &PayloadError{
		Cause: "malformed", Claim: claim, Text: text,
		Next: "take the value of signed_payload_jwt from the callback as it came, without quotes or blanks",
	}
}

func notJWT(token string) error {
	if p, _, err := decodeLegacy(token); err == nil && p.Legacy && !looksLikeJWT(token) {
		return &PayloadError{
			Cause: "malformed", Text: "this is the legacy signed_payload, not a signed_payload_jwt",
			Next: "read the parameter signed_payload_jwt, or verify it as a legacy payload",
		}
	}
	return malformed("", "it is not a JSON Web Token: that is three parts in base64url, joined by dots")
}

func cutOff(length int) error {
	return &PayloadError{
		Cause: "cut_off", Text: fmt.Sprintf("it is cut off after %d bytes", length),
		Next: "copy it whole; many logs and terminals shorten long lines",
	}
}

func wrongAlgorithm(alg string) error {
	if alg == "" {
		alg = "(none named)"
	}
	return &PayloadError{
		Cause: "algorithm", Text: fmt.Sprintf("its algorithm is %s; BigCommerce signs with HS256 and nothing else is accepted", alg),
		Next: "refuse such a token in the app, too: pin the algorithm to HS256 in its JWT library",
	}
}

func wrongAudience(got, want string) error {
	text := "the aud claim is missing"
	if got != "" {
		text = fmt.Sprintf("it is for client id %s, and this app is %s", oneLine(got, 80), oneLine(want, 80))
	}
	return &PayloadError{
		Cause: "audience", Claim: "aud", Text: text,
		Next: "check app.client_id: it must be the client id of the app that was opened",
	}
}

func wrongIssuer(got string) error {
	text := "the iss claim is missing"
	if got != "" {
		text = fmt.Sprintf(`its issuer is "%s", not "bc"`, oneLine(got, 80))
	}
	return &PayloadError{
		Cause: "issuer", Claim: "iss", Text: text,
		Next: `load, uninstall and remove_user come from issuer "bc"; a Current Customer token ("bc/apps") is something else`,
	}
}

func expired(at, now time.Time) error {
	return &PayloadError{
		Cause: "expired", Claim: "exp",
		Text: fmt.Sprintf("it expired %s ago, at %s", Words(now.Sub(at)), at.UTC().Format(time.RFC3339)),
		Next: "open the app again in the control panel, or replay the callback, which signs it anew; if it is fresh, set this machine's clock",
	}
}

func notYetValid(at, now time.Time) error {
	return &PayloadError{
		Cause: "not_yet_valid", Claim: "nbf",
		Text: fmt.Sprintf("it is not valid for another %s: this machine's clock is behind", Words(at.Sub(now))),
		Next: "set this machine's clock (turn on automatic time)",
	}
}

func wrongOrder(found string) error {
	return &PayloadError{
		Cause: "legacy_order", Text: "hex and base64 are in the wrong order: the signature is " + found,
		Next: "the signature of a legacy payload is base64(hex(hmac_sha256)): first the lowercase hex digest, then base64 of that text",
	}
}
