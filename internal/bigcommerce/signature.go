package bigcommerce

import (
	"crypto/hmac"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of the Standard Webhooks specification, which BigCommerce's HTTPS webhooks follow
// with base64(client_secret) as the secret: the key is the client secret itself.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
	// tolerance is how far the timestamp may be off, either way.
	tolerance = 5 * time.Minute
	// maxSignatures is how many signatures of one header are looked at.
	maxSignatures = 32
)

// SignWebhook returns the three Standard Webhooks headers for body. Without a client secret
// there is no signature among them, so that nobody takes the event for signed.
func (a App) SignWebhook(id string, at time.Time, body []byte) http.Header {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	h := http.Header{headerID: {id}, headerTimestamp: {timestamp}}
	if a.ClientSecret != "" {
		sum := webhookMAC(a.ClientSecret.Reveal(), id, timestamp, body)
		h.Set(headerSignature, "v1,"+base64.StdEncoding.EncodeToString(sum))
	}
	return h
}

// VerifyWebhook checks them at now with the five-minute tolerance of the specification. Of
// several signatures one must be right. Its error is a *SignatureError.
func (a App) VerifyWebhook(h http.Header, body []byte, now time.Time) error {
	id, timestamp := h.Get(headerID), h.Get(headerTimestamp)
	signatures := strings.Fields(strings.Join(h.Values(headerSignature), " "))
	if err := present(id, timestamp, signatures); err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || seconds <= 0 || seconds > lastSecond {
		return &SignatureError{"timestamp", "webhook-timestamp is not a count of seconds since 1970", "send Unix seconds, not milliseconds"}
	}
	if err := a.checkSignatures(signatures, id, timestamp, body); err != nil {
		return err
	}
	switch age := now.Sub(time.Unix(seconds, 0)); {
	case age > tolerance:
		return &SignatureError{
			"too_old", fmt.Sprintf("the signature is right, and %s old: verifiers refuse it after 5 m", Words(age)),
			"replay the event, which signs it anew; if it just came in, set this machine's clock",
		}
	case age < -tolerance:
		return &SignatureError{
			"too_new", fmt.Sprintf("the signature is right, and dated %s in the future", Words(age)),
			"set this machine's clock (turn on automatic time)",
		}
	}
	return nil
}

func present(id, timestamp string, signatures []string) error {
	var missing []string
	for _, header := range []struct {
		name string
		gone bool
	}{{"webhook-id", id == ""}, {"webhook-timestamp", timestamp == ""}, {"webhook-signature", len(signatures) == 0}} {
		if header.gone {
			missing = append(missing, header.name)
		}
	}
	switch len(missing) {
	case 0:
		return nil
	case 3:
		return &SignatureError{
			"absent", "the event carries no signature",
			"BigCommerce may not sign every hook yet: give the hook a secret header of your own and check that",
		}
	}
	return &SignatureError{
		"incomplete", "the event carries a part of a signature only: " + strings.Join(missing, " and ") + " is missing",
		"pass on all three headers: webhook-id, webhook-timestamp, webhook-signature",
	}
}

func (a App) checkSignatures(signatures []string, id, timestamp string, body []byte) error {
	if a.ClientSecret == "" {
		return &SignatureError{
			"mismatch", "there is no client secret to verify with",
			"set app.client_secret (BC_CLIENT_SECRET) to the app's client secret from the Developer Portal",
		}
	}
	want := webhookMAC(a.ClientSecret.Reveal(), id, timestamp, body)
	known := false
	for _, s := range signatures[:min(len(signatures), maxSignatures)] {
		version, value, _ := strings.Cut(s, ",")
		if version != "v1" {
			continue
		}
		known = true
		if got, err := base64.StdEncoding.DecodeString(value); err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	if !known {
		return &SignatureError{
			"version", "webhook-signature holds no signature of version v1",
			`it must read "v1," and a base64 HMAC-SHA256; version v1a needs a public key, which BigCommerce does not publish`,
		}
	}
	return a.mismatch(signatures, id, timestamp, body)
}

// mismatch looks for the usual mistakes of a signer.
func (a App) mismatch(signatures []string, id, timestamp string, body []byte) error {
	e := &SignatureError{
		"mismatch", "the signature does not fit the body and this app's client secret",
		"check the client secret, and that nothing between sender and app rewrites the body: it is signed byte for byte",
	}
	secret := a.ClientSecret.Reveal()
	signed := func(key string, body []byte) bool {
		want := "v1," + base64.StdEncoding.EncodeToString(webhookMAC(key, id, timestamp, body))
		for _, s := range signatures[:min(len(signatures), maxSignatures)] {
			if hmac.Equal([]byte(s), []byte(want)) {
				return true
			}
		}
		return false
	}
	raw, err := base64.StdEncoding.DecodeString(secret)
	switch {
	case signed(base64.StdEncoding.EncodeToString([]byte(secret)), body):
		e.Text = "the signature was made with base64(client_secret) as the key"
		e.Next = "hand base64(client_secret) to a Standard Webhooks library, which decodes it; by hand the key is the client secret itself"
	case err == nil && signed(string(raw), body):
		e.Text = "the signature was made with the base64-decoded client secret as the key"
		e.Next = "hand base64(client_secret), not the client secret itself, to the Standard Webhooks library"
	case signed(secret, []byte(strings.TrimSpace(string(body)))):
		e.Text = "the signature fits the body without the blanks around it"
		e.Next = "keep the body byte for byte: something on the way added white space"
	}
	return e
}

func webhookMAC(key, id, timestamp string, body []byte) []byte {
	return mac(key, append([]byte(id+"."+timestamp+"."), body...))
}

// SignatureError names the cause for which a webhook's signature is refused.
type SignatureError struct {
	Cause string // "absent", "incomplete", "timestamp", "too_old", "too_new", "version", "mismatch"
	Text  string
	Next  string
}

func (e *SignatureError) Error() string { return "verifying a webhook: " + e.Text }

// Hint says what to do next.
func (e *SignatureError) Hint() string { return e.Next }
