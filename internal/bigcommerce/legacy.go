package bigcommerce

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// VerifyLegacy checks a legacy signed_payload: base64(json) "." base64(hex(hmac)). The payload is
// returned as far as it could be decoded, also with an error, which is a *PayloadError. The
// legacy form never expires.
func (a App) VerifyLegacy(payload string) (Payload, error) {
	payload = strings.TrimSpace(payload)
	if looksLikeJWT(payload) {
		return Payload{}, malformed("", "this is a signed_payload_jwt, not the legacy signed_payload")
	}
	p, signature, err := decodeLegacy(payload)
	switch {
	case err != nil:
		return p, err
	case a.ClientSecret == "":
		return p, noSecret()
	}
	sum := mac(a.ClientSecret.Reveal(), p.Claims)
	if err := checkLegacy(signature, sum, len(payload)); err != nil {
		return p, err
	}
	if p.Store == "" {
		return p, malformed("context", `it names no store: context must be "stores/{hash}"`)
	}
	return p, nil
}

func checkLegacy(signature string, sum []byte, length int) error {
	want := hex.EncodeToString(sum)
	decoded, err := anyBase64(signature)
	switch {
	case err == nil && hmac.Equal(decoded, []byte(want)):
		return nil
	case err == nil && hmac.Equal(decoded, sum):
		return wrongOrder("base64 of the 32 raw bytes of the digest")
	case hmac.Equal([]byte(strings.ToLower(signature)), []byte(want)):
		return wrongOrder("the digest in hex without base64 around it")
	case hmac.Equal([]byte(strings.ToLower(signature)), []byte(hex.EncodeToString([]byte(base64.StdEncoding.EncodeToString(sum))))):
		return wrongOrder("base64 first and hex around it")
	case len(decoded) > 0 && len(decoded) < len(want) && strings.HasPrefix(want, string(decoded)):
		return cutOff(length)
	case err != nil:
		return malformed("", "its signature is not base64")
	}
	return &PayloadError{
		Cause: "signature", Text: "the signature was not made with this app's client secret",
		Next: "copy the client secret again from the Developer Portal (View Client ID)",
	}
}

// SignLegacy makes a legacy signed_payload at now. The timestamp of p is replaced; when p came
// from a legacy payload, its other fields are kept. An empty client secret is refused.
func (a App) SignLegacy(p Payload, now time.Time) (string, error) {
	if a.ClientSecret == "" {
		return "", noSecret()
	}
	fields := object{
		{"user", encode(User{ID: p.User.ID, Email: p.User.Email})},
		{"owner", encode(User{ID: p.Owner.ID, Email: p.Owner.Email})},
		{"context", encode("stores/" + p.Store)}, {"store_hash", encode(p.Store)},
	}
	if len(p.Claims) > 0 && p.Legacy {
		kept, err := parseObject(p.Claims)
		if err != nil {
			return "", fmt.Errorf("signing a legacy payload: its claims: %w", err)
		}
		fields = kept
	}
	seconds := strconv.FormatFloat(float64(now.UnixMilli())/1000, 'f', -1, 64)
	doc := fields.set("timestamp", json.RawMessage(seconds)).bytes()
	sum := hex.EncodeToString(mac(a.ClientSecret.Reveal(), doc))
	return base64.StdEncoding.EncodeToString(doc) + "." + base64.StdEncoding.EncodeToString([]byte(sum)), nil
}

func decodeLegacy(payload string) (p Payload, signature string, err error) {
	if err := checkLength(payload); err != nil {
		return p, "", err
	}
	body, signature, whole := strings.Cut(payload, ".")
	claims, err := anyBase64(body)
	switch {
	case err != nil || !json.Valid(claims):
		if !whole && len(claims) > 0 && claims[0] == '{' {
			return p, "", cutOff(len(payload))
		}
		return p, "", malformed("", "its first part is not JSON in base64")
	case !whole || signature == "":
		return p, "", cutOff(len(payload))
	}
	p = Payload{Legacy: true, Claims: bytes.Clone(claims)}
	var c struct {
		User, Owner looseUser
		Context     looseText
		Hash        looseText `json:"store_hash"`
		Timestamp   json.RawMessage
	}
	if err := json.Unmarshal(claims, &c); err != nil {
		return p, "", malformed("", "its content is not what BigCommerce sends: "+jsonProblem(err))
	}
	p.User, p.Owner, p.IssuedAt = User(c.User), User(c.Owner), unixTime(c.Timestamp)
	if p.Store, whole = StoreOfContext(string(c.Context)); !whole && ValidStoreHash(string(c.Hash)) {
		p.Store = string(c.Hash)
	}
	return p, signature, nil
}

// anyBase64 decodes either alphabet, padded or not; a plus sign that a form decoder has turned
// into a blank is turned back. It returns what it could decode with the error.
func anyBase64(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/", " ", "+").Replace(strings.TrimRight(s, "="))
	if rest := len(s) % 4; rest == 1 {
		b, err := base64.RawStdEncoding.DecodeString(s[:len(s)-1])
		if err == nil {
			err = base64.CorruptInputError(len(s) - 1)
		}
		return b, err
	}
	return base64.RawStdEncoding.DecodeString(s)
}

func mac(key string, message []byte) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write(message)
	return h.Sum(nil)
}
