package bigcommerce

import (
	"encoding/json"
	"time"
)

// Payload is the content of a signed payload (load, uninstall, remove_user), either form.
type Payload struct {
	Store     string          `json:"store"` // hash, from sub or context
	User      User            `json:"user"`
	Owner     User            `json:"owner"`
	URL       string          `json:"url,omitempty"`
	ChannelID *int64          `json:"channel_id"`
	ID        string          `json:"jti,omitempty"`
	Audience  string          `json:"aud,omitempty"`
	Issuer    string          `json:"iss,omitempty"`
	IssuedAt  time.Time       `json:"iat,omitzero"`
	NotBefore time.Time       `json:"nbf,omitzero"`
	ExpiresAt time.Time       `json:"exp,omitzero"`
	Legacy    bool            `json:"legacy,omitempty"`
	Algorithm string          `json:"alg,omitempty"`
	Claims    json.RawMessage `json:"claims,omitempty"` // exactly as signed
}

// VerifyPayload checks a signed_payload_jwt at now: HS256 only, signature, audience, issuer,
// exp and nbf (no leeway). The payload is returned as far as it could be decoded, also with an
// error, which is a *PayloadError.
func (a App) VerifyPayload(token string, now time.Time) (Payload, error) { panic("todo") }

// VerifyLegacy checks a legacy signed_payload: base64(json) "." base64(hex(hmac)).
func (a App) VerifyLegacy(payload string) (Payload, error) { panic("todo") }

// SignPayload makes a signed_payload_jwt at now: iat now, nbf five seconds earlier, exp a day
// later. Times and jti of p are replaced; when p.Claims is set, its other claims are kept.
func (a App) SignPayload(p Payload, now time.Time) (string, error) { panic("todo") }

// SignLegacy makes a legacy signed_payload at now.
func (a App) SignLegacy(p Payload, now time.Time) (string, error) { panic("todo") }

// PayloadError names the cause for which a signed payload is refused.
type PayloadError struct {
	Cause string // "signature", "algorithm", "audience", "issuer", "expired", "not_yet_valid", "malformed", "cut_off", "legacy_order"
	Claim string // the claim that fails: "aud", "iss", "exp", "nbf", or ""
	Text  string
	Next  string
}

func (e *PayloadError) Error() string { panic("todo") }

// Hint says what to do next.
func (e *PayloadError) Hint() string { panic("todo") }
