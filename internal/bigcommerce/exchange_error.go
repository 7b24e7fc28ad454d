package bigcommerce

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"unicode/utf8"

	"bcdev/internal/redact"
)

// ExchangeError explains a refused or failed exchange. It never holds a secret, and its Text is
// escaped; Body is not.
type ExchangeError struct {
	Code   string // "redirect_uri_mismatch", "invalid_grant", "invalid_client", "invalid_request", "unsupported_grant_type", "invalid_scope", "html", "not_json", "no_scope", "no_token", "timeout", "unreachable", "refused"
	Status int    // 0 when there was no answer
	Text   string
	Next   string
	Body   string // at most 500 bytes of the answer, secrets masked
	Err    error
}

func (e *ExchangeError) Error() string {
	if e.Status == 0 {
		return "exchanging the code: " + e.Text
	}
	return fmt.Sprintf("exchanging the code: %s (status %d)", e.Text, e.Status)
}

// Unwrap returns the cause.
func (e *ExchangeError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *ExchangeError) Hint() string { return e.Next }

// What to do next, where several refusals share it.
const (
	nextInstall     = "install the app again from the control panel: each install brings a new code"
	nextRedirect    = "make the Auth callback URL in the Developer Portal and redirect_uri the same, byte for byte"
	nextCredentials = "set app.client_id and app.client_secret (BC_CLIENT_ID, BC_CLIENT_SECRET) to those of the Developer Portal"
	nextLogin       = "check bigcommerce.login_url: it should be https://login.bigcommerce.com"
	maxErrorBody    = 500
)

// scrubbed keeps a cause for errors.Is and As, and says it without secrets.
type scrubbed struct {
	text  string
	cause error
}

func (s scrubbed) Error() string { return s.text }
func (s scrubbed) Unwrap() error { return s.cause }

func (c Client) secrets(in Install) redact.Known {
	return redact.NewKnown(c.App.ClientSecret.Reveal(), in.Code)
}

// bodyStart is the beginning of an answer, masked before it is cut.
func bodyStart(contentType string, body []byte, known redact.Known) string {
	text := string(known.Scrub(redact.Body("/"+tokenPath, contentType, body), len(body) == maxAnswer))
	if len(text) > maxErrorBody {
		end := maxErrorBody
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	return text
}

// explainFailure words why there was no answer.
func explainFailure(err error, host string) (code, text, next string) {
	var netErr net.Error
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	host = oneLine(host, 100)
	switch {
	case errors.Is(err, context.Canceled):
		return "unreachable", "the exchange was stopped before " + host + " answered", nextInstall
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return "timeout", host + " did not answer in time; the code may be spent", nextInstall
	case errors.As(err, &cert), errors.As(err, new(x509.UnknownAuthorityError)), errors.As(err, new(x509.HostnameError)):
		return "unreachable", "the certificate of " + host + " is not trusted", "look for a proxy or virus scanner that replaces certificates; nothing was sent to it"
	case errors.As(err, &record):
		return "unreachable", host + " does not speak TLS", nextLogin
	case errors.As(err, &dns):
		return "unreachable", "the name " + host + " is not found", "check the network connection, the DNS, and bigcommerce.login_url"
	}
	return "unreachable", host + " cannot be reached", "check the network connection, and that no firewall or HTTPS_PROXY is in the way; then " + nextInstall
}

// answerError is the JSON of a refusal, as far as there is one.
type answerError struct {
	Code        looseText `json:"error"`
	Description looseText `json:"error_description"`
	Title       looseText `json:"title"`
	Message     looseText `json:"message"`
}

func errorInBody(body []byte) string {
	var a answerError
	if json.Unmarshal(body, &a) != nil {
		return ""
	}
	return string(a.Code)
}

func isHTML(body []byte) bool {
	text := bytes.ToLower(bytes.TrimSpace(body[:min(len(body), 4096)]))
	return bytes.HasPrefix(text, []byte("<")) && bytes.Contains(text, []byte("<html")) || bytes.HasPrefix(text, []byte("<!doctype html"))
}

func htmlAnswer() *ExchangeError {
	return &ExchangeError{
		Code: "html", Text: "the login host answered with a web page instead of JSON",
		Next: "this comes from a request that is not part of an install, or a wrong login host: start the install in the control panel, and check bigcommerce.login_url",
	}
}

// explainRefusal words an answer that is not a grant. What BigCommerce answers is known from
// developers' reports; its documentation is silent.
func explainRefusal(resp *http.Response, body []byte, a App, redirectURI string) *ExchangeError {
	var answer answerError
	if isHTML(body) {
		return htmlAnswer()
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		where, _ := redact.Target(resp.Header.Get("Location"))
		return &ExchangeError{Code: "refused", Text: "the login host redirects to " + oneLine(where, 200) + ", which was not followed", Next: nextLogin}
	}
	if json.Unmarshal(body, &answer) != nil {
		if resp.StatusCode >= 500 {
			return &ExchangeError{Code: "refused", Text: "the login host is in trouble", Next: "wait a little, then " + nextInstall}
		}
		return &ExchangeError{Code: "not_json", Text: "the login host refused, and its answer is not JSON", Next: nextLogin}
	}
	return answer.explain(resp.StatusCode, a, redirectURI)
}

func (w answerError) explain(status int, a App, redirectURI string) *ExchangeError {
	text := oneLine(w.words(), 300)
	lower := strings.ToLower(text)
	e := &ExchangeError{Code: "refused", Text: "BigCommerce refused: " + text, Next: nextInstall}
	switch {
	case strings.Contains(lower, "redirect_uri") && strings.Contains(lower, "match"):
		e.Code, e.Text = "redirect_uri_mismatch", "the redirect_uri is not the Auth callback URL of the app"
		e.Next = "the app's profile must have exactly this Auth callback URL: " + oneLine(redirectURI, 300) + " (not the load URL, nor the URL of an earlier tunnel); then " + nextInstall
	case strings.Contains(lower, "invalid_grant"):
		e.Code, e.Text = "invalid_grant", "the code is spent, or too old: each code works once"
		e.Next = "look for a second program that exchanges the same code; then " + nextInstall
	case strings.Contains(lower, "unsupported_grant_type"):
		e.Code, e.Next = "unsupported_grant_type", nextLogin
	case strings.Contains(lower, "invalid_client"), strings.Contains(lower, "invalid client"):
		e.Code, e.Text, e.Next = "invalid_client", "client id and client secret are not a pair that BigCommerce knows: "+text, credentialsHint(a)
	case strings.Contains(lower, "invalid_scope"):
		e.Code, e.Next = "invalid_scope", "save the scopes in the Developer Portal, then "+nextInstall
	case strings.Contains(lower, "invalid_request"):
		e.Code = "invalid_request"
	case status == http.StatusUnauthorized:
		e.Code, e.Text, e.Next = "invalid_client", "BigCommerce does not accept the app's credentials: "+text, credentialsHint(a)
	case status >= 500:
		e.Text, e.Next = "the login host is in trouble: "+text, "wait a little, then "+nextInstall
	case status == http.StatusTooManyRequests:
		e.Next = "wait a minute, then " + nextInstall
	}
	return e
}

// words joins what an answer says of itself.
func (w answerError) words() string {
	var words []string
	for _, s := range []looseText{w.Code, w.Description, w.Title, w.Message} {
		if s != "" {
			words = append(words, string(s))
		}
	}
	if len(words) == 0 {
		return "no reason given"
	}
	return strings.Join(words, ": ")
}

func credentialsHint(a App) string {
	if strings.ContainsAny(a.ClientID+a.ClientSecret.Reveal(), "{}<>\"' \t\r\n") {
		return "remove the braces, quotes or blanks around client id and client secret"
	}
	return nextCredentials
}
