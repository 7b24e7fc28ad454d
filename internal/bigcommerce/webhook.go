package bigcommerce

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Webhook is the body of a webhook delivery (BigCommerce docs, Webhooks > Events).
type Webhook struct {
	Scope     string          `json:"scope"`
	StoreID   string          `json:"store_id"`
	Data      json.RawMessage `json:"data"`
	Hash      string          `json:"hash"` // opaque; equal for the same event
	CreatedAt time.Time       `json:"created_at"`
	Producer  string          `json:"producer"` // "stores/{hash}"
	Store     string          `json:"store"`    // the hash of Producer
}

// maxScope is the length, in bytes, no true event name comes near.
const maxScope = 200

// ParseWebhook reads a delivery body leniently: store_id may be a number, created_at and hash may
// miss. Without a scope it is no webhook.
func ParseWebhook(body []byte) (Webhook, error) {
	var d struct {
		Scope, Hash, Producer string
		StoreID               json.RawMessage `json:"store_id"`
		CreatedAt             json.RawMessage `json:"created_at"`
		Data                  json.RawMessage
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return Webhook{}, fmt.Errorf("reading a webhook: %s", jsonProblem(err))
	}
	switch {
	case d.Scope == "":
		return Webhook{}, errors.New("reading a webhook: it names no scope")
	case len(d.Scope) > maxScope || badValue(d.Scope) != "":
		return Webhook{}, errors.New("reading a webhook: its scope is no event name")
	}
	w := Webhook{
		Scope: d.Scope, Data: d.Data, Hash: d.Hash, Producer: d.Producer,
		StoreID: strings.Trim(string(d.StoreID), `"`), CreatedAt: unixTime(d.CreatedAt),
	}
	if w.StoreID == "null" {
		w.StoreID = ""
	}
	w.Store, _ = StoreOfContext(d.Producer)
	return w, nil
}
