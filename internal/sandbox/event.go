package sandbox

import (
	"crypto/sha1" //nolint:gosec // BigCommerce describes the hash of an event as SHA-1
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// event is something that happened in a store.
type event struct {
	store, scope string
	data         any
}

// thing is the data of most events.
type thing struct {
	Type string `json:"type"`
	ID   int64  `json:"id"`
}

// eventBody is the body of a delivery (BigCommerce docs, Webhooks > Overview).
type eventBody struct {
	Scope     string          `json:"scope"`
	StoreID   string          `json:"store_id"`
	Data      json.RawMessage `json:"data"`
	Hash      string          `json:"hash"`
	CreatedAt int64           `json:"created_at"`
	Producer  string          `json:"producer"`
}

// body writes the event down. BigCommerce publishes no formula for the hash; here it is the
// SHA-1 of store, scope, data and time, so that the same event has the same one.
func (e event) body(now time.Time) ([]byte, error) {
	raw, err := encode(e.data)
	if err != nil {
		return nil, fmt.Errorf("writing the event's data: %w", err)
	}
	sum := sha1.Sum(fmt.Appendf(nil, "%s %s %s %d", e.store, e.scope, raw, now.UnixNano())) //nolint:gosec // see above
	return encode(eventBody{
		Scope: e.scope, StoreID: decimal(storeNumber(e.store)), Data: raw,
		Hash: hex.EncodeToString(sum[:]), CreatedAt: now.Unix(), Producer: "stores/" + e.store,
	})
}
