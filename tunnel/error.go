package tunnel

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"unicode"
)

// Error says in one sentence of ours why the public door does not open, and what to do.
// It never holds the authtoken.
type Error struct {
	Code string // ERR_NGROK_107 when ngrok gave one, else ""
	Text string // one sentence, lower case, no full stop
	Next string // what to do
	Err  error  // the cause; may be nil
}

// Error returns the sentence, with ngrok's code in brackets where there is one.
func (e *Error) Error() string {
	if e.Code == "" {
		return e.Text
	}
	return e.Text + " (" + e.Code + ")"
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint returns what to do, with the page of ngrok's documentation for the code.
func (e *Error) Hint() string {
	if e.Code == "" {
		return e.Next
	}
	page := "https://ngrok.com/docs/errors/" + strings.ToLower(e.Code)
	if e.Next == "" {
		return "see " + page
	}
	return e.Next + " (" + page + ")"
}

var codePattern = regexp.MustCompile(`(?i)\bERR_NGROK_\d+`)

// codeOf finds the code in the text. That is the one way that fits all three forms in which the
// library gives errors: with Code(), with ErrorCode(), and plain.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return strings.ToUpper(codePattern.FindString(err.Error()))
}

// explain turns an error of the library into ours.
func (p *plan) explain(err error) *Error {
	var ours *Error
	if errors.As(err, &ours) {
		return ours
	}
	if code := codeOf(err); code != "" {
		return p.refused(code, err)
	}
	if e := p.untrusted(err); e != nil {
		return e
	}
	return &Error{
		Text: fmt.Sprintf("the link to ngrok at %s failed: %s", p.address, p.words(err)),
		Next: "check the network, and that no firewall or proxy keeps programs from " + p.address,
		Err:  p.safe(err),
	}
}

func (p *plan) refused(code string, err error) *Error {
	s, known := sentences[code]
	if !known {
		s = sentence{text: "ngrok refused", quote: true}
	}
	text := s.text
	if s.quote {
		if said := serverWords(p.words(err)); said != "" {
			text += ": " + said
		}
	}
	return &Error{Code: code, Text: text, Next: s.next, Err: p.safe(err)}
}

// untrusted explains certificates. Only ngrok's own root is trusted by default, so a wrong clock,
// a proxy that opens TLS, and an edge of one's own without its CA all end here.
func (p *plan) untrusted(err error) *Error {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	text := ""
	switch {
	case errors.As(err, &unknown), strings.Contains(err.Error(), "x509: certificate signed by unknown authority"):
		text = fmt.Sprintf("the certificate of %s is signed by an authority that is not trusted for the tunnel", p.address)
	case errors.As(err, &host):
		text = fmt.Sprintf("the certificate of %s is for another name", p.address)
	case errors.As(err, &invalid):
		text = fmt.Sprintf("the certificate of %s is not valid: %s", p.address, p.words(invalid))
	default:
		return nil
	}
	next := "a proxy that opens TLS may stand between; let " + p.address + " through untouched, and check the clock"
	if p.ConnectCAs != nil {
		next = "give the CA file of exactly this edge (tunnel.connect_cas); an edge makes a new CA when it starts anew"
	} else if p.ConnectURL != "" {
		next = "give the CA file of this edge (tunnel.connect_cas), or remove tunnel.connect_url to use ngrok's own"
	}
	return &Error{Text: text, Next: next, Err: p.safe(err)}
}

// unreached explains a first connection that took too long by the last thing that went wrong.
func (p *plan) unreached(last *Error) *Error {
	e := &Error{
		Text: fmt.Sprintf("no answer from ngrok at %s within %s", p.address, p.ConnectTimeout),
		Next: "check the network, and that no firewall or proxy keeps programs from " + p.address,
		Err:  context.DeadlineExceeded,
	}
	switch {
	case last == nil:
	case last.Code != "":
		return last
	case last.Err != nil:
		e.Text += ": " + p.words(last.Err)
		e.Err = errors.Join(context.DeadlineExceeded, last.Err)
	}
	return e
}

// safe keeps an error as a cause only when it cannot give the token away.
func (p *plan) safe(err error) error {
	if err == nil || p.Authtoken == "" || !strings.Contains(err.Error(), p.Authtoken) {
		return err
	}
	return errors.New(p.scrub(err.Error()))
}

const hidden = "•••"

// scrub takes the token out of a text; ngrok's refusals print it.
func (p *plan) scrub(s string) string {
	if p.Authtoken == "" {
		return s
	}
	return strings.ReplaceAll(s, p.Authtoken, hidden)
}

// words is the innermost useful text of an error, one clean line without the token.
func (p *plan) words(err error) string {
	return clean(p.scrub(rootText(err)))
}

// rootText leaves the wrapping of net's errors out: "connection refused" says enough when the
// address stands beside it.
func rootText(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return err.Error()
}

const longestWords = 300

// clean makes one printable line of limited length out of what a stranger wrote.
func clean(s string) string {
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)), " ")
	if runes := []rune(s); len(runes) > longestWords {
		s = string(runes[:longestWords]) + "…"
	}
	return s
}

var (
	preambles = regexp.MustCompile(`^((failed to (connect|start tunnel|accept connection|send authentication request)|authentication failed): )+`)
	codeLinks = regexp.MustCompile(`(?i)(https://ngrok\.com/docs/errors/)?ERR_NGROK_\d+`)
)

// serverWords leaves of a refusal what ngrok's server said: without the library's preamble, the
// code and the link, which stand beside it already.
func serverWords(s string) string {
	s = codeLinks.ReplaceAllString(preambles.ReplaceAllString(s, ""), "")
	return strings.TrimRight(strings.TrimSpace(s), ".:")
}
