package bigcommerce

import (
	"encoding/json"
	"net/http"
	"time"
)

// Webhook is the body of a webhook delivery.
type Webhook struct {
	Scope     string          `json:"scope"`
	StoreID   string          `json:"store_id"`
	Data      json.RawMessage `json:"data"`
	Hash      string          `json:"hash"`
	CreatedAt time.Time       `json:"created_at"`
	Producer  string          `json:"producer"` // "stores/{hash}"
	Store     string          `json:"store"`    // the hash of Producer
}

// ParseWebhook reads a delivery body leniently: store_id may be a number, created_at may miss.
func ParseWebhook(body []byte) (Webhook, error) { panic("todo") }

// Resource is the thing a webhook speaks of: "order", "118", and the API path that fetches it
// ("/v2/orders/118"); path is empty when there is none.
func (w Webhook) Resource() (kind, id, path string) { panic("todo") }

// SignWebhook returns the three Standard Webhooks headers for body.
func (a App) SignWebhook(id string, at time.Time, body []byte) http.Header { panic("todo") }

// VerifyWebhook checks them at now with the five-minute tolerance of the specification.
// Its error is a *SignatureError.
func (a App) VerifyWebhook(h http.Header, body []byte, now time.Time) error { panic("todo") }

// SignatureError names the cause for which a webhook's signature is refused.
type SignatureError struct {
	Cause string // "absent", "incomplete", "timestamp", "too_old", "too_new", "version", "mismatch"
	Text  string
	Next  string
}

func (e *SignatureError) Error() string { panic("todo") }

// Hint says what to do next.
func (e *SignatureError) Hint() string { panic("todo") }

// Event is one webhook scope BigCommerce documents, with an example of its data.
type Event struct {
	Scope   string
	Example json.RawMessage
	About   string // one line for people
}

// Events lists every documented event, in the order of the documentation.
func Events() []Event { panic("todo") }

// FindEvent returns the event of a concrete scope ("store/channel/2/cart/created" matches
// "store/channel/{channel_id}/cart/created"), and otherwise the nearest names.
func FindEvent(scope string) (Event, []string, bool) { panic("todo") }
