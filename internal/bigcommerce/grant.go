package bigcommerce

import (
	"encoding/json"
	"strings"
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

// ParseGrant reads a token endpoint's successful answer, leniently: old answers lack owner and
// account_uuid, and a user id may be a string. Its error is an *ExchangeError; with "no_scope"
// the grant is returned, too.
func ParseGrant(body []byte, at time.Time) (Grant, error) {
	if isHTML(body) {
		return Grant{}, htmlAnswer()
	}
	var a struct {
		AccessToken looseText       `json:"access_token"`
		Scope       json.RawMessage `json:"scope"`
		User, Owner looseUser
		Context     looseText
		AccountUUID looseText `json:"account_uuid"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return Grant{}, &ExchangeError{Code: "not_json", Text: "the answer is not the JSON of a grant", Next: nextLogin}
	}
	token := strings.TrimSpace(string(a.AccessToken))
	if !headerSafe(token) {
		return Grant{}, &ExchangeError{Code: "no_token", Text: "the answer holds no access_token", Next: nextInstall}
	}
	g := Grant{
		Context: string(a.Context), Scopes: scopeList(a.Scope), User: User(a.User), Owner: User(a.Owner),
		AccountUUID: string(a.AccountUUID), Token: redact.Secret(token), At: at, Answer: redact.Secret(body),
	}
	g.Store, _ = StoreOfContext(g.Context)
	if g.Context != "" && g.Store == "" {
		return Grant{}, &ExchangeError{Code: "refused", Text: "the answer's context names no store", Next: nextLogin}
	}
	if len(g.Scopes) == 0 {
		return g, &ExchangeError{
			Code: "no_scope", Text: "BigCommerce gave a token without scopes: every API call with it will be answered 403",
			Next: "pass context on as it came (stores/{hash}); then uninstall the app and install it again, since this code is spent",
		}
	}
	return g, nil
}

// headerSafe reports whether a token can be sent in a header as it is.
func headerSafe(token string) bool {
	return token != "" && len(token) <= maxValue &&
		!strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// scopeList reads a list separated by blanks, or an array.
func scopeList(raw json.RawMessage) []string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return strings.Fields(text)
	}
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many
	}
	return nil
}
