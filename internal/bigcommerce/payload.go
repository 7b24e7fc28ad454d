package bigcommerce

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
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

const (
	// maxPayload is far above a true signed payload, which has about 700 bytes.
	maxPayload = 64 << 10
	issuer     = "bc"
	// header is the JWT header as BigCommerce writes it.
	header = `{"typ":"JWT","alg":"HS256"}`
	// signatureLen is the length of an HMAC-SHA256 in base64 without padding.
	signatureLen = 43
	lifetime     = 24 * time.Hour
	// notBeforeSkew is how long before iat the nbf of BigCommerce's own examples lies.
	notBeforeSkew = 5 * time.Second
)

// VerifyPayload checks a signed_payload_jwt at now: HS256 only, signature, audience, issuer,
// exp and nbf (no leeway). The payload is returned as far as it could be decoded, also with an
// error, which is a *PayloadError (BigCommerce docs, Apps > Callbacks).
func (a App) VerifyPayload(token string, now time.Time) (Payload, error) {
	token = strings.TrimSpace(token)
	p, err := decodeJWT(token)
	if err != nil {
		return p, err
	}
	if a.ClientSecret == "" {
		return p, noSecret()
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithJSONNumber(), jwt.WithExpirationRequired(),
		jwt.WithAudience(a.ClientID), jwt.WithIssuer(issuer), jwt.WithTimeFunc(func() time.Time { return now }))
	_, err = parser.Parse(token, func(*jwt.Token) (any, error) { return []byte(a.ClientSecret.Reveal()), nil })
	if err != nil {
		return p, a.explain(err, token, p, now)
	}
	if p.Store == "" {
		return p, malformed("sub", `the sub claim names no store: it must be "stores/{hash}"`)
	}
	return p, nil
}

// DecodePayload reads a signed payload of either form without verifying anything. Its error is a
// *PayloadError.
func DecodePayload(token string) (Payload, error) {
	token = strings.TrimSpace(token)
	if strings.Count(token, ".") == 1 && !looksLikeJWT(token) {
		p, _, err := decodeLegacy(token)
		return p, err
	}
	return decodeJWT(token)
}

// SignPayload makes a signed_payload_jwt at now: iat now, nbf five seconds earlier, exp a day
// later. Times and jti of p are replaced; when p.Claims is set, its other claims are kept, in
// their order. An empty client secret is refused.
func (a App) SignPayload(p Payload, now time.Time) (string, error) {
	if a.ClientSecret == "" {
		return "", noSecret()
	}
	claims := a.claims(p)
	if len(p.Claims) > 0 && !p.Legacy {
		kept, err := parseObject(p.Claims)
		if err != nil {
			return "", fmt.Errorf("signing a payload: its claims: %w", err)
		}
		claims = kept
	}
	iat := now.Unix()
	claims = claims.set("iat", encode(iat))
	claims = claims.set("nbf", encode(now.Add(-notBeforeSkew).Unix()))
	claims = claims.set("exp", encode(now.Add(lifetime).Unix()))
	claims = claims.set("jti", encode(newID()))
	return a.signClaims(claims.bytes())
}

func (a App) signClaims(claims []byte) (string, error) {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	signature, err := jwt.SigningMethodHS256.Sign(text, []byte(a.ClientSecret.Reveal()))
	if err != nil {
		return "", fmt.Errorf("signing a payload: %w", err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// claims lists the claims of p in the order in which BigCommerce writes them.
func (a App) claims(p Payload) object {
	if p.URL == "" {
		p.URL = "/"
	}
	return object{
		{"aud", encode(a.ClientID)}, {"iss", encode(issuer)},
		{"iat", nil}, {"nbf", nil}, {"exp", nil}, {"jti", nil},
		{"sub", encode("stores/" + p.Store)}, {"user", encode(p.User)}, {"owner", encode(p.Owner)},
		{"url", encode(p.URL)}, {"channel_id", encode(p.ChannelID)},
	}
}

// newID makes a random UUID (version 4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func looksLikeJWT(s string) bool {
	first, _, _ := strings.Cut(s, ".")
	raw, err := base64.RawURLEncoding.DecodeString(first)
	return err == nil && bytes.HasPrefix(raw, []byte("{")) && bytes.Contains(raw, []byte(`"alg"`))
}

// decodeJWT reads header and claims, and refuses what cannot be an HS256 token at all.
func decodeJWT(token string) (Payload, error) {
	if err := checkLength(token); err != nil {
		return Payload{}, err
	}
	parts := strings.Split(token, ".")
	if len(parts) > 3 || !looksLikeJWT(token) {
		return Payload{}, notJWT(token)
	}
	var head struct {
		Alg any `json:"alg"`
	}
	raw, _ := base64.RawURLEncoding.DecodeString(parts[0])
	if err := json.Unmarshal(raw, &head); err != nil {
		return Payload{}, malformed("", "its header is not JSON")
	}
	algorithm, _ := head.Alg.(string)
	p := Payload{Algorithm: oneLine(algorithm, 20)}
	if len(parts) < 2 {
		return p, cutOff(len(token))
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || !json.Valid(claims) {
		if len(parts) == 2 {
			return p, cutOff(len(token))
		}
		return p, malformed("", "its claims are not JSON in base64url without padding")
	}
	if err := p.read(claims); err != nil {
		return p, err
	}
	if algorithm != "HS256" {
		return p, wrongAlgorithm(p.Algorithm)
	}
	if len(parts) < 3 || len(parts[2]) < signatureLen {
		return p, cutOff(len(token))
	}
	if _, err := base64.RawURLEncoding.DecodeString(parts[2]); err != nil || len(parts[2]) > signatureLen {
		return p, malformed("", "its signature is not 32 bytes in base64url without padding")
	}
	return p, nil
}

func checkLength(token string) error {
	switch {
	case token == "":
		return malformed("", "it is empty")
	case len(token) > maxPayload:
		return malformed("", fmt.Sprintf("it is longer than %d bytes", maxPayload))
	}
	return nil
}

// explain names the one cause among those that the JWT library found.
func (a App) explain(err error, token string, p Payload, now time.Time) error {
	switch {
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return a.wrongSignature(token, p)
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return wrongAudience(p.Audience, a.ClientID)
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return wrongIssuer(p.Issuer)
	case errors.Is(err, jwt.ErrTokenExpired):
		return expired(p.ExpiresAt, now)
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return notYetValid(p.NotBefore, now)
	case p.ExpiresAt.IsZero():
		return malformed("exp", "it has no exp claim, so it would be valid for ever")
	case p.Audience == "":
		return wrongAudience("", a.ClientID)
	case p.Issuer == "":
		return wrongIssuer("")
	}
	return malformed("", "its claims do not have the expected types")
}

func (a App) wrongSignature(token string, p Payload) error {
	e := &PayloadError{Cause: "signature", Text: "the signature was not made with this app's client secret"}
	e.Next = "copy the client secret again from the Developer Portal (View Client ID); a draft and a published app have different ones"
	if p.Audience != "" && p.Audience != a.ClientID {
		e.Text += fmt.Sprintf("; it says it is for client id %s, which is another app", oneLine(p.Audience, 80))
		e.Next = "use the client id and secret of the app that was opened, both from the same profile in the Developer Portal"
	}
	secret := a.ClientSecret.Reveal()
	if bare := strings.Trim(secret, " \t\r\n\"'`{}<>"); bare != secret && bare != "" && signedWith(bare, token) {
		e.Next = "remove the blanks, quotes or braces around the client secret: without them the signature is right"
	}
	return e
}

func signedWith(secret, token string) bool {
	end := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[end+1:])
	return err == nil && jwt.SigningMethodHS256.Verify(token[:end], signature, []byte(secret)) == nil
}
