package proxy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// Bounds of what is held in memory for a call that may be repeated.
const (
	repeatable = 1 << 20  // of a write's body; a longer one is sent once
	attempted  = 64 << 10 // of an answer that is not the last
)

// Back-off of a 429 without rate headers, which means load on the whole store.
const (
	firstBackOff = 500 * time.Millisecond
	mostJitter   = time.Second
)

// retrier tells of every answer's quota and repeats calls that were refused with 429. Nothing else
// is ever repeated: a 5xx may come behind a write that was carried out.
type retrier struct {
	p    *Proxy
	next http.RoundTripper
}

// RoundTrip returns the last answer.
func (t *retrier) RoundTrip(req *http.Request) (*http.Response, error) {
	to, err := t.p.destination(req)
	if err != nil || to.kind != kindAPI || !t.p.o.Retry.covers(req.Method) {
		return t.once(req, to)
	}
	body, err := hold(req)
	if err != nil {
		return nil, err
	}
	budget := t.p.o.Retry.MaxWait
	for n := 1; ; n++ {
		budget -= t.p.gates.wait(req.Context(), to.store, budget, t.p.o.Jitter)
		res, err := t.once(body.next(req), to)
		if err != nil || res.StatusCode != http.StatusTooManyRequests || n >= t.p.o.Retry.Max || !body.whole {
			return res, err
		}
		wait := t.p.pause(res.Header, n)
		if wait > budget {
			return res, nil // the client may know better what to do with so long a wait
		}
		t.p.attempt(req, res, n, wait)
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
		budget -= wait
	}
}

func (r RetryPolicy) covers(method string) bool {
	if method == http.MethodGet || method == http.MethodHead {
		return r.GET
	}
	return r.Writes
}

// once sends a request and tells of its quota. A 429 closes the store's gate for the others.
func (t *retrier) once(req *http.Request, to destination) (*http.Response, error) {
	res, err := t.next.RoundTrip(req)
	if err != nil || to.kind != kindAPI || res.Header.Get(headerError) != "" {
		return res, err
	}
	if t.p.o.Quota != nil {
		t.p.o.Quota(to.store, res.Header)
	}
	if q, ok := parseQuota(res.Header, time.Now()); ok {
		t.p.quotas.put(to.store, q)
		if wait := max(q.Reset, q.Retry); res.StatusCode == http.StatusTooManyRequests && wait <= t.p.o.Retry.MaxWait {
			t.p.gates.shut(to.store, time.Now().Add(wait))
		}
	}
	return res, nil
}

// pause is how long to wait behind the n-th 429: until the longer of reset and X-Retry-After, or
// twice as long each time when upstream gives neither; and some more, so that the store's local
// clients do not all come back at once.
func (p *Proxy) pause(h http.Header, n int) time.Duration {
	q, _ := parseQuota(h, time.Time{})
	wait := max(q.Reset, q.Retry)
	if wait == 0 {
		wait = firstBackOff << min(n-1, 10)
		return wait + p.o.Jitter(wait/2)
	}
	return wait + p.o.Jitter(min(wait/10, mostJitter))
}

// attempt tells of an attempt that is not the last, and lets its connection go.
func (p *Proxy) attempt(req *http.Request, res *http.Response, n int, wait time.Duration) {
	head, _ := io.ReadAll(io.LimitReader(res.Body, attempted)) // as much as came
	res.Body.Close()
	if p.o.Attempt != nil {
		res.Body = io.NopCloser(bytes.NewReader(head))
		p.o.Attempt(req, res, n, wait)
	}
}

// held is a request's body, kept so that it can be sent again.
type held struct {
	bytes []byte
	rest  io.ReadCloser // what was too long to keep
	whole bool
}

// hold reads a body up to the bound. A longer one is sent all the same, but only once.
func hold(req *http.Request) (*held, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return &held{whole: true}, nil
	}
	if req.ContentLength > repeatable {
		return &held{rest: req.Body}, nil
	}
	b, err := io.ReadAll(io.LimitReader(req.Body, repeatable+1))
	if err != nil {
		return nil, err
	}
	return &held{bytes: b, rest: req.Body, whole: len(b) <= repeatable}, nil
}

// next is the request with its body from the start.
func (h *held) next(req *http.Request) *http.Request {
	if h.rest == nil && h.whole {
		return req
	}
	out := req.WithContext(req.Context())
	if h.whole {
		out.Body = io.NopCloser(bytes.NewReader(h.bytes))
		if out.ContentLength < 0 && len(req.Trailer) == 0 {
			out.ContentLength = int64(len(h.bytes))
		}
		return out
	}
	out.Body = prefixed{io.MultiReader(bytes.NewReader(h.bytes), h.rest), h.rest}
	return out
}

// gates hold the calls of a store back while it is known to refuse them.
type gates struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (g *gates) shut(store string, until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.until == nil {
		g.until = map[string]time.Time{}
	}
	if until.After(g.until[store]) {
		g.until[store] = until
	}
}

// wait waits until the store's gate is open and returns how long that took. A gate that opens later
// than most is not waited for: upstream shall say it itself.
func (g *gates) wait(ctx context.Context, store string, most time.Duration, jitter func(time.Duration) time.Duration) time.Duration {
	g.mu.Lock()
	until, shut := g.until[store]
	g.mu.Unlock()
	if !shut {
		return 0
	}
	left := time.Until(until)
	if left <= 0 || left > most {
		return 0
	}
	start := time.Now()
	_ = sleep(ctx, left+jitter(min(left/10, mostJitter))) // a client that has gone is noticed by the call itself
	return time.Since(start)
}

// sleep waits, unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
