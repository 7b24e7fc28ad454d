package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const maxRevoked = 1000

// storefrontTokens makes and checks the JWTs of the GraphQL Storefront API (ES256).
type storefrontTokens struct {
	key *ecdsa.PrivateKey

	mu      sync.Mutex
	revoked map[string]bool
}

func newStorefrontTokens() *storefrontTokens {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the system has no randomness
	}
	return &storefrontTokens{key: key, revoked: map[string]bool{}}
}

// storefrontClaims are what a storefront token says.
type storefrontClaims struct {
	Channels []int64  `json:"cid"`
	Origins  []string `json:"corsOrigins,omitempty"`
	Expires  int64    `json:"eat"`
	IssuedAt int64    `json:"iat"`
	Issuer   string   `json:"iss"`
	Store    int64    `json:"sid"`
	Subject  string   `json:"sub"`
	Private  bool     `json:"private,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`
	ID       string   `json:"jti"`
}

func (t *storefrontTokens) sign(c storefrontClaims) (string, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("writing the token: %w", err)
	}
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + enc.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, t.key, sum[:])
	if err != nil {
		return "", fmt.Errorf("signing the token: %w", err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + enc.EncodeToString(signature), nil
}

// read checks a token. A fault is in BigCommerce's words (docs, API status codes).
func (t *storefrontTokens) read(token string) (storefrontClaims, string) {
	var c storefrontClaims
	parts := strings.Split(token, ".")
	if len(parts) != 3 || strings.ContainsAny(token, "\r\n") { // the decoder would skip these
		return c, "String is not a JWT"
	}
	enc := base64.RawURLEncoding.Strict()
	signature, err := enc.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || len(signature) != 64 || !ecdsa.Verify(&t.key.PublicKey, sum[:],
		new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return c, "JWT signature is invalid"
	}
	body, err := enc.DecodeString(parts[1])
	if err != nil || json.Unmarshal(body, &c) != nil {
		return c, "JWT has no valid Json"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.revoked[c.ID] {
		return c, "Unknown JWT token"
	}
	return c, ""
}

func (t *storefrontTokens) revoke(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.revoked) >= maxRevoked {
		clear(t.revoked)
	}
	t.revoked[id] = true
}

func storefrontRoutes() []route {
	return []route{
		{"POST", "/v3/storefront/api-token", (*call).mintPublic},
		{"POST", "/v3/storefront/api-token-private", (*call).mintPrivate},
		{"DELETE", "/v3/storefront/api-token", (*call).revokeToken},
		{"DELETE", "/v3/storefront/api-token-private", (*call).revokeToken},
	}
}

// tokenInput is what a client asks of a storefront token.
type tokenInput struct {
	ChannelID  *int64   `json:"channel_id"`
	ChannelIDs []int64  `json:"channel_ids"`
	ExpiresAt  *int64   `json:"expires_at"`
	Origins    []string `json:"allowed_cors_origins"`
	Scopes     []string `json:"scopes"`
}

func (c *call) mintPublic() reply  { return c.mint(false) }
func (c *call) mintPrivate() reply { return c.mint(true) }

func (c *call) mint(private bool) reply {
	var in tokenInput
	if err := json.Unmarshal(c.body, &in); err != nil {
		return c.badJSON(err)
	}
	if in.ChannelID != nil {
		in.ChannelIDs = append(in.ChannelIDs, *in.ChannelID)
	}
	if bad := in.check(private, c.now); bad != nil {
		return *bad
	}
	token, err := c.sandbox.tokens.sign(storefrontClaims{
		Channels: in.ChannelIDs, Origins: in.Origins, Expires: *in.ExpiresAt, IssuedAt: c.now.Unix(),
		Issuer: "BC", Store: c.shop.number, Subject: c.client, Private: private, Scopes: in.Scopes,
		ID: inventUUID(),
	})
	if err != nil {
		return refuse(http.StatusInternalServerError, "The token could not be made.")
	}
	return data(map[string]string{"token": token})
}

func (in tokenInput) check(private bool, now time.Time) *reply {
	var bad reply
	switch {
	case len(in.ChannelIDs) == 0:
		bad = unprocessable("channel_ids", wordsMissing)
	case in.ExpiresAt == nil:
		bad = unprocessable("expires_at", wordsMissing)
	case *in.ExpiresAt <= now.Unix():
		bad = unprocessable("expires_at", "must be in the future")
	case private && len(in.Scopes) == 0:
		bad = unprocessable("scopes", wordsMissing)
	case len(in.Origins) > 2:
		bad = unprocessable("allowed_cors_origins", "holds more than two origins")
	default:
		return in.checkLists()
	}
	return &bad
}

func (in tokenInput) checkLists() *reply {
	for _, origin := range in.Origins {
		if strings.HasSuffix(origin, "/") {
			title := "Invalid input: allowed_cors_origins:has_invalid_suffix"
			bad := refuse(http.StatusUnprocessableEntity, title)
			return &bad
		}
	}
	for _, scope := range in.Scopes {
		if !slices.Contains([]string{"Unauthenticated", "Customer", "B2B"}, scope) {
			bad := unprocessable("scopes", "must be of Unauthenticated, Customer and B2B")
			return &bad
		}
	}
	return nil
}

func (c *call) revokeToken() reply {
	claims, fault := c.sandbox.tokens.read(c.request.Header.Get("Sf-Api-Token"))
	if fault != "" || claims.Store != c.shop.number {
		return unprocessable("Sf-Api-Token", "is not a token of this store")
	}
	c.sandbox.tokens.revoke(claims.ID)
	return noContent()
}

// storefrontOf says which store and channel a storefront request is for: by path,
// /storefront/{hash}/graphql, or by host, store-{hash}.… and store-{hash}-{channel}.….
func (s *Sandbox) storefrontOf(r *http.Request) (hash string, channel int64) {
	if rest, ok := strings.CutPrefix(r.URL.Path, "/storefront/"); ok {
		return storeAndChannel(strings.TrimSuffix(rest, "/graphql"))
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	label, _, _ := strings.Cut(strings.ToLower(host), ".")
	if name, ok := strings.CutPrefix(label, "store-"); ok {
		return storeAndChannel(name)
	}
	return s.options.Store, 1
}

func storeAndChannel(name string) (string, int64) {
	hash, tail, ok := strings.Cut(name, "-")
	if !ok {
		return hash, 1
	}
	channel, err := strconv.ParseInt(tail, 10, 64)
	if err != nil {
		return "", 0
	}
	return hash, channel
}

// serveStorefront is POST /graphql of a storefront.
func (s *Sandbox) serveStorefront(w http.ResponseWriter, r *http.Request) {
	hash, channel := s.storefrontOf(r)
	shop := s.findShop(hash)
	if shop == nil {
		send(w, r, notFound())
		return
	}
	claims, fault := s.checkStorefront(r, shop, channel)
	if fault != "" {
		send(w, r, reply{status: http.StatusUnauthorized, body: map[string]any{
			"errors": []map[string]string{{"message": fault}},
		}})
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost {
		a := refuse(http.StatusMethodNotAllowed, "Method Not Allowed")
		a.header = http.Header{"Allow": {"POST"}}
		send(w, r, a)
		return
	}
	send(w, r, s.graphql.storefront(body, shop, claims))
}

// checkStorefront checks the Bearer. A public token is for browsers: it needs an Origin that it
// allows.
func (s *Sandbox) checkStorefront(r *http.Request, shop *shop, channel int64) (storefrontClaims, string) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return storefrontClaims{}, "GraphQL credentials were missing. No token was sent."
	}
	const invalid = "GraphQL invalid credentials. "
	claims, fault := s.tokens.read(token)
	switch {
	case fault != "":
		return claims, invalid + fault
	case claims.Expires <= s.clock.Now().Unix():
		return claims, invalid + "JWT is expired"
	case claims.Store != shop.number:
		return claims, invalid + "JWT store id doesn't match store id of the URL"
	case !slices.Contains(claims.Channels, channel):
		return claims, invalid + "JWT channel id doesn't match channel id of the URL"
	case !claims.Private && !slices.Contains(claims.Origins, r.Header.Get("Origin")):
		return claims, fmt.Sprintf("'Origin' header invalid: %q is not among the allowed origins %v of the token",
			r.Header.Get("Origin"), claims.Origins)
	}
	return claims, ""
}
