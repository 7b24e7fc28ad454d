package bigcommerce

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/url"
	"strings"

	"bcdev/internal/redact"
)

// TokenRequest is what an app POSTs to /oauth2/token, JSON or form.
type TokenRequest struct {
	ClientID, Code, Scope, GrantType, RedirectURI, Context string
	ClientSecret                                           redact.Secret
}

const (
	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
)

// ParseTokenRequest reads body by its content type. A body of another kind than its content type
// is refused, as BigCommerce does. Its error is a *TokenRequestError.
func ParseTokenRequest(contentType string, body []byte) (TokenRequest, error) {
	if len(body) > maxAnswer {
		return TokenRequest{}, &TokenRequestError{"the body is longer than 64 KiB", "send the seven parameters and nothing else"}
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = strings.ToLower(strings.TrimSpace(contentType))
	}
	looksJSON := bytes.HasPrefix(bytes.TrimSpace(body), []byte("{"))
	switch {
	case kind == typeJSON && looksJSON:
		return tokenRequestJSON(body)
	case kind == typeForm && !looksJSON:
		return tokenRequestForm(body)
	case kind == typeJSON && len(bytes.TrimSpace(body)) > 0:
		return TokenRequest{}, mismatched(typeJSON, "a form", typeForm)
	case kind == typeForm:
		return TokenRequest{}, mismatched(typeForm, "JSON", typeJSON)
	case kind == typeJSON:
		return TokenRequest{}, &TokenRequestError{"the body is empty", "send the seven parameters as JSON or as a form"}
	}
	return TokenRequest{}, &TokenRequestError{
		`Content-Type "` + oneLine(contentType, 80) + `" is neither JSON nor a form`,
		"send Content-Type: " + typeJSON + " with JSON, or " + typeForm + " with a form",
	}
}

func mismatched(header, is, right string) error {
	return &TokenRequestError{
		"Content-Type says " + header + ", and the body is " + is + ": BigCommerce then finds no client id in it",
		"send Content-Type: " + right + ", or change the body",
	}
}

func tokenRequestJSON(body []byte) (TokenRequest, error) {
	var b struct {
		ClientID     looseText       `json:"client_id"`
		ClientSecret looseText       `json:"client_secret"`
		Scope        json.RawMessage `json:"scope"`
		GrantType    looseText       `json:"grant_type"`
		RedirectURI  looseText       `json:"redirect_uri"`
		Code         looseText
		Context      looseText
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return TokenRequest{}, &TokenRequestError{"the body is not valid JSON: " + jsonProblem(err), "send one JSON object with the seven parameters"}
	}
	return TokenRequest{
		ClientID: string(b.ClientID), ClientSecret: redact.Secret(b.ClientSecret), Code: string(b.Code),
		Scope: strings.Join(scopeList(b.Scope), " "), GrantType: string(b.GrantType),
		RedirectURI: string(b.RedirectURI), Context: string(b.Context),
	}, nil
}

func tokenRequestForm(body []byte) (TokenRequest, error) {
	v, err := url.ParseQuery(strings.TrimSpace(string(body)))
	if err != nil {
		return TokenRequest{}, &TokenRequestError{"the form is not valid: its percent escapes are broken", "escape each value once"}
	}
	return TokenRequest{
		ClientID: v.Get("client_id"), ClientSecret: redact.Secret(v.Get("client_secret")), Code: v.Get("code"),
		Scope: v.Get("scope"), GrantType: v.Get("grant_type"),
		RedirectURI: v.Get("redirect_uri"), Context: v.Get("context"),
	}, nil
}

// TokenRequestError says why the body of a token request cannot be read. BigCommerce answers
// such a request with status 400 and {"error":"Invalid client id."}.
type TokenRequestError struct {
	Problem string
	Next    string
}

func (e *TokenRequestError) Error() string { return "reading a token request: " + e.Problem }

// Hint says what to do next.
func (e *TokenRequestError) Hint() string { return e.Next }

// OAuthError is the token endpoint's way to refuse: status 400 and {"error","error_description"}.
type OAuthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *OAuthError) Error() string { return e.Code + ": " + e.Description }

// Check refuses t as BigCommerce would: client, secret, grant type, redirect URI, in that order.
// A nil result means only the code is left to look up.
func (t TokenRequest) Check(a App, redirectURI string) *OAuthError {
	switch {
	case t.ClientID == "":
		return missingParameter("client_id")
	case t.ClientID != a.ClientID:
		return &OAuthError{"invalid_client", "Unknown client ID " + oneLine(t.ClientID, 100)}
	case t.ClientSecret == "":
		return missingParameter("client_secret")
	case !a.ClientSecret.Equal(t.ClientSecret.Reveal()):
		return &OAuthError{"invalid_client", "Parameter client_secret does not match"}
	case t.GrantType == "":
		return missingParameter("grant_type")
	case t.GrantType != "authorization_code":
		return &OAuthError{"unsupported_grant_type", "The grant type " + oneLine(t.GrantType, 100) + " is not recognized"} //nolint:misspell // as the server words it
	case t.RedirectURI == "":
		return missingParameter("redirect_uri")
	case t.RedirectURI != redirectURI:
		return &OAuthError{"redirect_uri_mismatch", "Parameter redirect_uri does not match registered URI"}
	case t.Code == "":
		return missingParameter("code")
	}
	return nil
}

func missingParameter(name string) *OAuthError {
	return &OAuthError{"invalid_request", "Missing required parameter " + name}
}
