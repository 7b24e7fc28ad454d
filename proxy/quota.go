package proxy

import (
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Quota is the rate limit of a store as its last answer told it. All apps of a store share it.
type Quota struct {
	Limit  int           `json:"limit"`
	Left   int           `json:"left"`
	Window time.Duration `json:"window_ns"`
	Reset  time.Duration `json:"reset_ns"` // from At
	Retry  time.Duration `json:"retry_ns"` // X-Retry-After, when given
	At     time.Time     `json:"at"`
}

// parseQuota reads the X-Rate-Limit-* headers (BigCommerce docs, API > Rate limits).
func parseQuota(h http.Header, now time.Time) (q Quota, ok bool) {
	q.At = now
	limit, a := number(h, "X-Rate-Limit-Requests-Quota", 1<<31-1)
	left, b := number(h, "X-Rate-Limit-Requests-Left", 1<<31-1)
	window, c := number(h, "X-Rate-Limit-Time-Window-Ms", 3_600_000)
	reset, d := number(h, "X-Rate-Limit-Time-Reset-Ms", 3_600_000)
	retry, e := number(h, "X-Retry-After", 3600)
	q.Limit, q.Left = int(limit), int(left)
	q.Window, q.Reset = time.Duration(window)*time.Millisecond, time.Duration(reset)*time.Millisecond
	q.Retry = time.Duration(retry) * time.Second
	return q, a || b || c || d || e
}

// number reads a header as a count between 0 and most.
func number(h http.Header, name string, most int64) (int64, bool) {
	v := h.Get(name)
	if v == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, false
	}
	return min(max(n, 0), most), true
}

// quotas remembers the last rate limit of each store.
type quotas struct {
	mu sync.Mutex
	of map[string]Quota
}

func (q *quotas) put(store string, state Quota) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.of == nil {
		q.of = map[string]Quota{}
	}
	q.of[store] = state
}

func (q *quotas) all() map[string]Quota {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.of == nil {
		return map[string]Quota{}
	}
	return maps.Clone(q.of)
}
