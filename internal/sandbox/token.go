package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"bcdev/internal/bigcommerce"
)

// tokenAnswer is the token endpoint's success (BigCommerce docs, Apps > Auth callback).
type tokenAnswer struct {
	AccessToken string           `json:"access_token"`
	Scope       *string          `json:"scope"`
	User        bigcommerce.User `json:"user"`
	Owner       bigcommerce.User `json:"owner"`
	Context     string           `json:"context"`
	AccountUUID string           `json:"account_uuid"`
}

// serveToken is POST /oauth2/token.
func (s *Sandbox) serveToken(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	w.Header().Set("Cache-Control", "no-store")
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || len(bytes.TrimSpace(body)) == 0 {
		redirected(w, r)
		return
	}
	t, err := bigcommerce.ParseTokenRequest(r.Header.Get("Content-Type"), body)
	if err == nil && t == (bigcommerce.TokenRequest{}) && strings.Contains(r.Header.Get("Content-Type"), "json") {
		redirected(w, r) // JSON, and none of the parameters
		return
	}
	// A body whose form does not match its Content-Type is read as one without parameters.
	if err != nil || t.ClientID != s.app.ClientID {
		answerJSON(w, http.StatusBadRequest, map[string]string{"error": "Invalid client id."})
		return
	}
	answer, refused := s.exchange(t)
	if refused != nil {
		answerJSON(w, http.StatusBadRequest, refused)
		return
	}
	answerJSON(w, http.StatusOK, answer)
}

// redirected is the page BigCommerce's login host sends to who does not come from an install.
func redirected(w http.ResponseWriter, r *http.Request) {
	login := baseURL(r) + "/login"
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Location", login)
	w.WriteHeader(http.StatusFound)
	_, _ = fmt.Fprintf(w, `<html><body>You are being <a href="%s">redirected</a>.</body></html>`, login)
}

func (s *Sandbox) exchange(t bigcommerce.TokenRequest) (tokenAnswer, *bigcommerce.OAuthError) {
	c, known := s.grants.peek(t.Code)
	if refused := t.Check(s.app, s.redirectOf(t, c)); refused != nil {
		return tokenAnswer{}, refused
	}
	if t.Code == "" {
		return tokenAnswer{}, missingParameter("code")
	}
	if !known {
		return tokenAnswer{}, spentGrant()
	}
	context := "stores/" + c.store
	if t.Context != context && !s.options.ScopeNullQuirk {
		return tokenAnswer{}, badContext(t.Context)
	}
	if !within(t.Scope, c.scopes) {
		return tokenAnswer{}, &bigcommerce.OAuthError{
			Code: "invalid_scope", Description: "The request scope was never granted by the user",
		}
	}
	c, ok := s.grants.spend(t.Code, s.clock.Now())
	if !ok {
		return tokenAnswer{}, spentGrant()
	}
	answer := tokenAnswer{User: c.user, Owner: owner(), Context: context, AccountUUID: accountUUID}
	if t.Context != context { // seen at BigCommerce: a token that opens nothing
		answer.Context = t.Context
		answer.AccessToken = s.grants.install(c.store, nil)
		return answer, nil
	}
	scope := strings.Join(c.scopes, " ")
	answer.Scope, answer.AccessToken = &scope, s.grants.install(c.store, c.scopes)
	return answer, nil
}

// redirectOf is the redirect_uri that will do: the auth callback of the install, else the
// registered one.
func (s *Sandbox) redirectOf(t bigcommerce.TokenRequest, c code) string {
	switch {
	case s.options.LooseRedirect:
		return t.RedirectURI
	case c.redirect != "":
		return c.redirect
	}
	if registered := s.Callbacks().Auth; registered != "" {
		return registered
	}
	return t.RedirectURI
}

func spentGrant() *bigcommerce.OAuthError {
	return &bigcommerce.OAuthError{Code: "invalid_grant", Description: "The access grant you supplied is invalid"}
}

func missingParameter(name string) *bigcommerce.OAuthError {
	return &bigcommerce.OAuthError{Code: "invalid_request", Description: "Missing required parameter " + name}
}

func badContext(given string) *bigcommerce.OAuthError {
	if given == "" {
		return missingParameter("context")
	}
	return &bigcommerce.OAuthError{Code: "invalid_request", Description: "Parameter context does not match the access grant"}
}

// within reports whether every scope of a space-separated list was granted.
func within(asked string, granted []string) bool {
	for _, scope := range strings.Fields(asked) {
		if !slices.Contains(granted, scope) {
			return false
		}
	}
	return true
}

// baseURL is how the client reached this listener.
func baseURL(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + cleanHost(r.Host)
	}
	return "http://" + cleanHost(r.Host)
}

// cleanHost keeps a Host only when it is made of what hosts are made of: it ends in pages.
func cleanHost(host string) string {
	if host == "" || strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") != "" {
		return "localhost"
	}
	return host
}
