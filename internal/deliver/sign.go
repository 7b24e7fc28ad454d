package deliver

import (
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/redact"
)

// placeholder stands in a fixture for what may not be committed.
func placeholder(name string) string { return "{{" + name + "}}" }

// unknown reports whether a value was not kept: masked on its way to disk, or a placeholder.
func unknown(value string) bool {
	return value == "" || strings.Contains(value, redact.Mask) || strings.HasPrefix(value, "{{")
}

// fill puts a code in the place of one that was not kept. Nobody but the API door honours it: a
// replay never spends a code.
func (d *Deliverer) fill(p *prepared, e capture.Exchange, asIs bool) error {
	value, ok := queryValue(p.req.URL.RawQuery, "code")
	if e.Kind != capture.Auth || !ok || !unknown(value) {
		return nil
	}
	if asIs {
		return notKept("code")
	}
	scope, _ := queryValue(p.req.URL.RawQuery, "scope")
	code := "replay" + strings.ToLower(rand.Text())
	if d.o.Code != nil {
		code = d.o.Code(e.Store, strings.Fields(scope))
	}
	p.req.URL.RawQuery = setQuery(p.req.URL.RawQuery, "code", code)
	p.differ("query code: a new one, the old one was not kept")
	return nil
}

func notKept(name string) error {
	return &ReplayError{
		Problem: "the " + name + " that came was not kept",
		Next:    "leave out --as-is, so that a new one is made",
	}
}

// sign gives signed payloads and webhooks fresh times and signatures.
func (d *Deliverer) sign(p *prepared, e capture.Exchange, claims []change, asIs bool) error {
	signed := 0
	for _, name := range []string{"signed_payload_jwt", "signed_payload"} {
		value, ok := queryValue(p.req.URL.RawQuery, name)
		if !ok {
			continue
		}
		signed++
		if asIs {
			if unknown(value) {
				return notKept(name)
			}
			continue
		}
		if err := d.signPayload(p, e, name, value, claims); err != nil {
			return err
		}
	}
	if signed == 0 && len(claims) > 0 {
		return badSet("claims."+claims[0].name, "the request carries no signed payload")
	}
	return d.signWebhook(p, e, asIs)
}

func (d *Deliverer) signPayload(p *prepared, e capture.Exchange, name, value string, claims []change) error {
	if err := d.needSecret(); err != nil {
		return err
	}
	payload := d.payloadOf(e, name, value)
	if payload.Store == "" && len(payload.Claims) == 0 {
		return &ReplayError{Problem: "the claims of " + name + " cannot be read",
			Next: "send it as it came, with --as-is, or make a new one with: bcdev trigger " + string(e.Kind)}
	}
	payload, err := d.withClaims(payload, claims)
	if err != nil {
		return err
	}
	sign := d.o.App.SignPayload
	if name == "signed_payload" {
		sign = d.o.App.SignLegacy
	}
	token, err := sign(payload, d.o.Now())
	if err != nil {
		return &ReplayError{Problem: "signing " + name, Err: err, Next: "send it as it came, with --as-is"}
	}
	p.req.URL.RawQuery = setQuery(p.req.URL.RawQuery, name, token)
	p.resigned = append(p.resigned, name)
	p.differ("query %s: signed anew, with fresh times", name)
	for _, c := range claims {
		p.differ("claim %s: changed", c.name)
	}
	return nil
}

func (d *Deliverer) needSecret() error {
	if d.o.App.ClientSecret != "" {
		return nil
	}
	return &ReplayError{
		Problem: "there is no client secret to sign with",
		Next:    "set app.client_secret in bcdev.yaml or BC_CLIENT_SECRET, or send what came with --as-is",
	}
}

// payloadOf reads the claims: out of the payload itself, believed or not, or out of what was
// decoded when it came.
func (d *Deliverer) payloadOf(e capture.Exchange, name, value string) bigcommerce.Payload {
	if !unknown(value) {
		p, _ := bigcommerce.DecodePayload(value)
		return p
	}
	var p bigcommerce.Payload
	_ = json.Unmarshal(e.Detail, &p)
	if p.Legacy != (name == "signed_payload") {
		p.Claims = nil // those of the other form
	}
	return p
}

// withClaims addresses a payload to this app, whose secret signs it, and changes claims.
func (d *Deliverer) withClaims(p bigcommerce.Payload, claims []change) (bigcommerce.Payload, error) {
	doc := []byte(p.Claims)
	if len(doc) == 0 {
		doc, _ = json.Marshal(map[string]any{
			"sub": "stores/" + p.Store, "user": p.User, "owner": p.Owner, "url": p.URL, "channel_id": p.ChannelID,
		})
	}
	if !p.Legacy && len(p.Claims) > 0 && d.o.App.ClientID != "" {
		claims = append([]change{{"aud", d.o.App.ClientID}}, claims...)
	}
	for _, c := range claims {
		changed, err := bigcommerce.SetJSON(doc, c.name, c.value)
		if err != nil {
			return p, badSet("claims."+c.name, err.Error())
		}
		doc = changed
	}
	if len(p.Claims) > 0 {
		p.Claims = doc // sign as they are
		return p, nil
	}
	return p, decodeClaims(doc, &p)
}

// decodeClaims reads claims into the fields they are signed from when there are no others.
func decodeClaims(doc []byte, p *bigcommerce.Payload) error {
	var c struct {
		Subject   string           `json:"sub"`
		User      bigcommerce.User `json:"user"`
		Owner     bigcommerce.User `json:"owner"`
		URL       string           `json:"url"`
		ChannelID *int64           `json:"channel_id"`
	}
	if err := json.Unmarshal(doc, &c); err != nil {
		return &ReplayError{Problem: "a claim would have the wrong type", Err: err,
			Next: "user and owner are objects, url is a string, channel_id a number or null"}
	}
	p.Store = strings.TrimPrefix(c.Subject, "stores/")
	p.User, p.Owner, p.URL, p.ChannelID = c.User, c.Owner, c.URL, c.ChannelID
	return nil
}

const (
	webhookID        = "Webhook-Id"
	webhookTimestamp = "Webhook-Timestamp"
	webhookSignature = "Webhook-Signature"
)

// signWebhook signs a webhook anew that was signed. Its id stays: it is the same message, and
// verifiers refuse only timestamps more than five minutes off (Standard Webhooks specification).
func (d *Deliverer) signWebhook(p *prepared, e capture.Exchange, asIs bool) error {
	h := p.req.Header
	if e.Kind != capture.Hook || h.Get(webhookSignature) == "" {
		return nil
	}
	if asIs {
		if unknown(h.Get(webhookSignature)) {
			return notKept("webhook-signature")
		}
		return nil
	}
	if err := d.needSecret(); err != nil {
		return err
	}
	id := h.Get(webhookID)
	if unknown(id) {
		id = newMessageID()
	}
	fresh := d.o.App.SignWebhook(id, d.o.Now(), p.body)
	for name, values := range fresh {
		h[name] = slices.Clone(values)
	}
	p.resigned = append(p.resigned, strings.ToLower(webhookSignature))
	p.differ("webhook-timestamp and webhook-signature: made anew")
	return nil
}

func newMessageID() string { return "msg_" + strings.ToLower(rand.Text()) }
