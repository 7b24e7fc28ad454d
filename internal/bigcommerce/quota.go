package bigcommerce

import (
	"net/http"
	"time"
)

// Quota is the state of a store's rate limit, shared by all its apps.
type Quota struct {
	Limit  int           `json:"limit"`
	Left   int           `json:"left"`
	Window time.Duration `json:"window_ms"`
	Reset  time.Duration `json:"reset_ms"`
	Retry  time.Duration `json:"retry_ms"` // X-Retry-After, when given
}

// ParseQuota reads the X-Rate-Limit-* headers; ok is false when there are none. Values are
// clamped to what can be true (nothing negative, nothing above an hour).
func ParseQuota(h http.Header) (q Quota, ok bool) { panic("todo") }

// Answer is what Explain looks at.
type Answer struct {
	Method, Path string // the API path, /stores/{hash} included or not
	Status       int
	Header       http.Header
	Body         []byte // at most the first 64 KiB
	Granted      []string
}

// Explain says in one or two sentences what an API answer means for a developer who has not
// seen it before, and what to do; "" when there is nothing to add.
func Explain(a Answer) string { panic("todo") }
