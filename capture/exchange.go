// Package capture keeps a journal of every exchange that crosses a door, and can make a request
// out of one again.
package capture

import (
	"encoding/json"
	"net/http"
	"time"
)

// Door is where an exchange crossed.
type Door string

// The doors.
const (
	Public Door = "public" // BigCommerce and the merchant's browser come in
	API    Door = "api"    // the developer's programs call BigCommerce
	Local  Door = "app"    // bcdev brings something to the local app: pass-through, queue, replay
)

// Kind is what an exchange is, for people and filters.
type Kind string

// The kinds. A delivery to the local app keeps the kind of what it delivers.
const (
	Auth       Kind = "auth"
	Load       Kind = "load"
	Uninstall  Kind = "uninstall"
	RemoveUser Kind = "remove_user"
	Hook       Kind = "webhook"
	Call       Kind = "api"
	Token      Kind = "token" // POST /oauth2/token through the API door
	Other      Kind = "other"
)

// Exchange is one request and its response.
type Exchange struct {
	ID     int64         `json:"id"`
	Door   Door          `json:"door"`
	Kind   Kind          `json:"kind"`
	Topic  string        `json:"topic,omitempty"` // a webhook's scope
	Store  string        `json:"store,omitempty"` // hash
	At     time.Time     `json:"at"`
	Took   time.Duration `json:"took_ns"`       // until the last byte of the response
	First  time.Duration `json:"first_byte_ns"` // until the response's header
	Method string        `json:"method"`
	Target string        `json:"target"` // request target as sent; secret parameters masked
	Host   string        `json:"host"`
	Proto  string        `json:"proto"`
	Remote string        `json:"remote,omitempty"` // host:port of the peer

	Request  Message `json:"request"`
	Response Message `json:"response"`
	Status   int     `json:"status"`          // 0: no answer
	Err      string  `json:"error,omitempty"` // why there was none, or why it broke off

	Of      int64           `json:"of,omitempty"`      // the exchange this one delivers, replays or repeats
	Via     string          `json:"via,omitempty"`     // "pass", "queue", "replay", "trigger", "retry", "expand", "import"
	Attempt int             `json:"attempt,omitempty"` // from 1, where something is tried several times
	Verdict string          `json:"verdict,omitempty"` // "same", "fixed", "regressed", "failing"
	Hint    string          `json:"hint,omitempty"`
	Marks   []string        `json:"marks,omitempty"`  // "fault", "repeat", "duplicate", "signature:valid", …
	Detail  json.RawMessage `json:"detail,omitempty"` // what the kind's room decoded; no secrets
	Sealed  bool            `json:"sealed,omitempty"` // Reveal can bring back what is masked in Target
}

// Message is one half of an exchange.
type Message struct {
	Header    http.Header `json:"header"` // secret values masked
	Trailer   http.Header `json:"trailer,omitempty"`
	Body      []byte      `json:"body,omitempty"` // as on the wire, up to the body limit, secrets masked
	Size      int64       `json:"size"`           // true size on the wire
	SHA256    string      `json:"sha256"`         // of the true bytes, hex
	Truncated bool        `json:"truncated,omitempty"`
	Dropped   bool        `json:"dropped,omitempty"` // the recorder was over its budget and kept no body
}
