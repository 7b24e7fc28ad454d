package bigcommerce

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client asks the login host.
type Client struct {
	Login *url.URL     // e.g. https://login.bigcommerce.com
	HTTP  *http.Client // never follows redirects; the caller sets its time limit
	App   App
	Now   func() time.Time // nil means time.Now
}

const (
	// maxAnswer is how much of the token endpoint's answer is read, in bytes.
	maxAnswer = 64 << 10
	tokenPath = "oauth2/token"
)

// Exchange spends the authorization code of in for a grant: one POST, JSON, seven parameters
// (BigCommerce docs, Apps > Auth callback). redirectURI must be byte for byte the auth callback
// URL registered in the portal. It has no time limit of its own beside those of ctx and c.HTTP.
// Its error is an *ExchangeError; with "no_scope" the grant is returned, too.
func (c Client) Exchange(ctx context.Context, in Install, redirectURI string) (Grant, error) {
	if err := c.ready(in, redirectURI); err != nil {
		return Grant{}, err
	}
	req, err := c.request(ctx, in, redirectURI)
	if err != nil {
		return Grant{}, c.noAnswer(err, in)
	}
	resp, err := c.client().Do(req)
	if err != nil {
		return Grant{}, c.noAnswer(err, in)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return Grant{}, c.noAnswer(fmt.Errorf("reading the answer: %w", err), in)
	case len(body) > maxAnswer:
		return Grant{}, c.refusal(in, resp, body[:maxAnswer], &ExchangeError{
			Code: "not_json", Text: fmt.Sprintf("the answer is longer than %d bytes", maxAnswer), Next: nextLogin,
		})
	case resp.StatusCode != http.StatusOK:
		return Grant{}, c.refusal(in, resp, body, explainRefusal(resp, body, c.App, redirectURI))
	}
	return c.grant(in, resp, body, redirectURI)
}

// ready refuses what the login host could only refuse, without spending the code for it.
func (c Client) ready(in Install, redirectURI string) error {
	e := &ExchangeError{Code: "invalid_request"}
	switch {
	case c.App.ClientID == "":
		e.Code, e.Text, e.Next = "invalid_client", "there is no client id", nextCredentials
	case c.App.ClientSecret == "":
		e.Code, e.Text, e.Next = "invalid_client", "there is no client secret", nextCredentials
	case in.Code == "":
		e.Text, e.Next = "there is no authorization code", nextInstall
	case in.Context == "":
		e.Text, e.Next = "there is no context; without it BigCommerce hands out a token that may do nothing", nextInstall
	case redirectURI == "":
		e.Code, e.Text, e.Next = "redirect_uri_mismatch", "there is no redirect_uri", nextRedirect
	case c.Login == nil:
		e.Code, e.Text, e.Next = "unreachable", "there is no login host", nextLogin
	default:
		return nil
	}
	return e
}

func (c Client) request(ctx context.Context, in Install, redirectURI string) (*http.Request, error) {
	body := object{
		{"client_id", encode(c.App.ClientID)},
		{"client_secret", encode(c.App.ClientSecret.Reveal())},
		{"code", encode(in.Code)},
		{"scope", encode(strings.Join(in.Scopes, " "))},
		{"grant_type", encode("authorization_code")},
		{"redirect_uri", encode(redirectURI)},
		{"context", encode(in.Context)},
	}.bytes()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Login.JoinPath(tokenPath).String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	// A code is good for one request: a transport may not send it a second time on a new
	// connection when the first one breaks.
	req.GetBody = nil
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "bcdev")
	return req, nil
}

func (c Client) client() *http.Client {
	client := http.Client{}
	if c.HTTP != nil {
		client = *c.HTTP
	}
	// A redirect would carry the client secret to wherever it points.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Jar = nil
	return &client
}

func (c Client) grant(in Install, resp *http.Response, body []byte, redirectURI string) (Grant, error) {
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	if known := errorInBody(body); known != "" { // old proxies turn every status into 200
		return Grant{}, c.refusal(in, resp, body, explainRefusal(resp, body, c.App, redirectURI))
	}
	g, err := ParseGrant(body, now())
	if g.Context == "" && g.Token != "" && err == nil {
		g.Context, g.Store = in.Context, in.Store
	}
	var e *ExchangeError
	if errors.As(err, &e) {
		return g, c.refusal(in, resp, body, e)
	}
	if g.Context != in.Context {
		return Grant{}, c.refusal(in, resp, body, &ExchangeError{
			Code: "refused", Text: fmt.Sprintf("the answer is for %s, and %s was asked for", oneLine(g.Context, 60), oneLine(in.Context, 60)), Next: nextLogin,
		})
	}
	return g, nil
}

// noAnswer explains an exchange that ended without an answer.
func (c Client) noAnswer(err error, in Install) error {
	e := &ExchangeError{Err: scrubbed{c.secrets(in).ScrubString(err.Error()), err}}
	e.Code, e.Text, e.Next = explainFailure(err, c.Login.Host)
	return e
}

// refusal completes an error with what was answered, without its secrets.
func (c Client) refusal(in Install, resp *http.Response, body []byte, e *ExchangeError) error {
	e.Status = resp.StatusCode
	known := c.secrets(in)
	e.Text, e.Next = known.ScrubString(e.Text), known.ScrubString(e.Next)
	e.Body = bodyStart(resp.Header.Get("Content-Type"), body, known)
	return e
}
