package bigcommerce

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"bcdev/internal/redact"
)

// Grant is what the token endpoint answers: the permanent access token of one app for one store.
type Grant struct {
	Store       string        `json:"store"`
	Context     string        `json:"context"`
	Scopes      []string      `json:"scope"`
	User        User          `json:"user"`
	Owner       User          `json:"owner,omitzero"`
	AccountUUID string        `json:"account_uuid,omitempty"`
	Token       redact.Secret `json:"token"`
	At          time.Time     `json:"at"`
	// Answer is the token endpoint's body, byte for byte, for an app that asks again.
	Answer redact.Secret `json:"-"`
}

// Client asks the login host.
type Client struct {
	Login *url.URL     // e.g. https://login.bigcommerce.com
	HTTP  *http.Client // never follows redirects; the caller sets its time limit
	App   App
	Now   func() time.Time // nil means time.Now
}

// Exchange spends the authorization code of in for a grant: one POST, JSON, seven parameters.
// redirectURI must be byte for byte the auth callback URL registered in the portal.
// Its error is an *ExchangeError.
func (c Client) Exchange(ctx context.Context, in Install, redirectURI string) (Grant, error) {
	panic("todo")
}

// ParseGrant reads a token endpoint's successful answer.
func ParseGrant(body []byte, at time.Time) (Grant, error) { panic("todo") }

// ExchangeError explains a refused or failed exchange. It never holds a secret.
type ExchangeError struct {
	Code   string // "redirect_uri_mismatch", "invalid_grant", "invalid_client", "invalid_request", "unsupported_grant_type", "invalid_scope", "html", "not_json", "no_scope", "no_token", "timeout", "unreachable", "refused"
	Status int    // 0 when there was no answer
	Text   string
	Next   string
	Body   string // at most 500 bytes of the answer, secrets masked
	Err    error
}

func (e *ExchangeError) Error() string { panic("todo") }

// Unwrap returns the cause.
func (e *ExchangeError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *ExchangeError) Hint() string { panic("todo") }

// TokenRequest is what an app POSTs to /oauth2/token, JSON or form.
type TokenRequest struct {
	ClientID, Code, Scope, GrantType, RedirectURI, Context string
	ClientSecret                                           redact.Secret
}

// ParseTokenRequest reads body by its content type.
func ParseTokenRequest(contentType string, body []byte) (TokenRequest, error) { panic("todo") }

// OAuthError is the token endpoint's way to refuse: status 400 and {"error","error_description"}.
type OAuthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *OAuthError) Error() string { return e.Code + ": " + e.Description }

// Check refuses t as BigCommerce would: client, secret, grant type, redirect URI, in that order.
// A nil result means only the code is left to look up.
func (t TokenRequest) Check(a App, redirectURI string) *OAuthError { panic("todo") }
