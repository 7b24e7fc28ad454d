// Package bigcommerce speaks the protocol between BigCommerce and an app: callbacks, signed
// payloads, webhooks, scopes, quota headers and the token exchange. It keeps no state.
package bigcommerce

import "bcdev/internal/redact"

// App is what the Developer Portal calls an app: the pair that signs and exchanges.
type App struct {
	ClientID     string
	ClientSecret redact.Secret
}

// User is a person of a store, as the token endpoint and signed payloads name one.
type User struct {
	ID       int64  `json:"id"`
	Username string `json:"username,omitempty"`
	Email    string `json:"email,omitempty"`
	Locale   string `json:"locale,omitempty"`
}
