package bigcommerce

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Quota is the state of a store's rate limit, shared by all its apps (BigCommerce docs, API rate
// limits: usually 150 requests in 30 s).
type Quota struct {
	Limit  int           `json:"limit"`
	Left   int           `json:"left"`
	Window time.Duration `json:"window_ms"`
	Reset  time.Duration `json:"reset_ms"`
	Retry  time.Duration `json:"retry_ms"` // X-Retry-After, when given
}

const (
	longestWait = time.Hour
	mostCalls   = 100_000_000
)

// ParseQuota reads the X-Rate-Limit-* headers; ok is false when there are none. Values are
// clamped to what can be true (nothing negative, nothing above an hour). Retry is read even
// where the others are missing.
func ParseQuota(h http.Header) (q Quota, ok bool) {
	limit, hasLimit := count(h, "X-Rate-Limit-Requests-Quota", mostCalls)
	left, hasLeft := count(h, "X-Rate-Limit-Requests-Left", mostCalls)
	window, hasWindow := count(h, "X-Rate-Limit-Time-Window-Ms", longestWait.Milliseconds())
	reset, hasReset := count(h, "X-Rate-Limit-Time-Reset-Ms", longestWait.Milliseconds())
	retry, _ := count(h, "X-Retry-After", int64(longestWait.Seconds()))
	if hasLimit {
		left = min(left, limit)
	}
	return Quota{
		Limit: int(limit), Left: int(left),
		Window: time.Duration(window) * time.Millisecond,
		Reset:  time.Duration(reset) * time.Millisecond,
		Retry:  time.Duration(retry) * time.Second,
	}, hasLimit || hasLeft || hasWindow || hasReset
}

// Wait is how long to wait after a refusal: the longer of Reset and Retry.
func (q Quota) Wait() time.Duration { return max(q.Reset, q.Retry) }

// count reads a number between 0 and most.
func count(h http.Header, name string, most int64) (int64, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(h.Get(name)), 64)
	if n > float64(most) { // infinity included, which comes with a range error
		return most, true
	}
	if err != nil || math.IsNaN(n) {
		return 0, false
	}
	return int64(math.Ceil(max(n, 0))), true
}
