package sandbox

import (
	"net/http"
	"strconv"
	"time"
)

const (
	quotaLimit  = 150 // requests in a window on a Standard or Plus plan
	quotaWindow = 30 * time.Second
)

// quota is a store's rate limit, shared by all its tokens. The shop's lock guards it.
type quota struct {
	limit, left int
	reset       time.Time
}

// take spends one request; false means the window has none left.
func (q *quota) take(now time.Time) bool {
	q.roll(now)
	if q.left <= 0 {
		return false
	}
	q.left--
	return true
}

func (q *quota) roll(now time.Time) {
	if q.limit == 0 {
		q.limit = quotaLimit
	}
	if !now.Before(q.reset) {
		q.left, q.reset = q.limit, now.Add(quotaWindow)
	}
}

// set starts a window with left requests that ends after d.
func (q *quota) set(left int, now time.Time, d time.Duration) {
	q.roll(now)
	q.left, q.reset = left, now.Add(d)
}

// headers are the four that BigCommerce sends with every REST answer.
func (q *quota) headers(h http.Header, now time.Time) {
	h.Set("X-Rate-Limit-Requests-Left", strconv.Itoa(q.left))
	h.Set("X-Rate-Limit-Requests-Quota", strconv.Itoa(q.limit))
	h.Set("X-Rate-Limit-Time-Reset-Ms", strconv.FormatInt(max(q.reset.Sub(now).Milliseconds(), 0), 10))
	h.Set("X-Rate-Limit-Time-Window-Ms", strconv.FormatInt(quotaWindow.Milliseconds(), 10))
}

// limited is the 429 of a spent window. X-Retry-After is in whole seconds, rounded up.
func (q *quota) limited(now time.Time) reply {
	a := refuse(http.StatusTooManyRequests, "Too Many Requests")
	wait := max(q.reset.Sub(now), 0)
	a.header = http.Header{}
	q.headers(a.header, now)
	a.header.Set("X-Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	return a
}
