package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxFaults  = 100
	maxLatency = 5 * time.Minute
)

// fault is one thing that goes wrong on request.
type fault struct {
	// Path is a prefix of the request's path, with or without /stores/{hash}; empty means all.
	Path   string `json:"path"`
	Method string `json:"method,omitempty"` // empty means any
	Status int    `json:"status"`           // 0: the usual answer
	// Times is how often it happens; 0 means until faults are cleared.
	Times     int   `json:"times"`
	LatencyMS int64 `json:"latency_ms"` // waits so long before it answers
	// RateHeaders sends the X-Rate-Limit headers, those of a spent window with a 429. BigCommerce
	// leaves them out when the platform itself is under load. Default true.
	RateHeaders *bool `json:"rate_headers,omitempty"`
	Reset       bool  `json:"reset,omitempty"` // the connection is reset instead of an answer
	// Cut closes the connection in the middle of the body: true means half way, a number means
	// after so many bytes.
	Cut  *cutPoint `json:"cut,omitempty"`
	Body *string   `json:"body,omitempty"` // instead of BigCommerce's usual words
	left int
}

// cutPoint is where a body is cut: bytes, or -1 for half way.
type cutPoint int

// UnmarshalJSON takes a bool or a number.
func (p *cutPoint) UnmarshalJSON(text []byte) error {
	if string(text) == "true" {
		*p = -1
		return nil
	}
	var n uint32
	if err := json.Unmarshal(text, &n); err != nil {
		return fmt.Errorf(`"cut" must be true or a number of bytes`)
	}
	*p = cutPoint(n)
	return nil
}

func (f *fault) check() error {
	switch {
	case f.Path != "" && !strings.HasPrefix(f.Path, "/"):
		return fmt.Errorf(`"path" must start with a slash`)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf(`"status" must be 0 or between 200 and 599`)
	case f.Times < 0 || f.LatencyMS < 0 || f.LatencyMS > maxLatency.Milliseconds():
		return fmt.Errorf(`"times" must not be negative, "latency_ms" must be between 0 and %d`, maxLatency.Milliseconds())
	case f.Status == 0 && f.LatencyMS == 0 && !f.Reset && f.Cut == nil:
		return fmt.Errorf(`nothing would go wrong: give "status", "latency_ms", "reset" or "cut"`)
	case f.Status == 0 && f.Body != nil:
		return fmt.Errorf(`"body" needs a "status"`)
	}
	return nil
}

func (f *fault) hits(r *http.Request) bool {
	if f.Method != "" && !strings.EqualFold(f.Method, r.Method) {
		return false
	}
	path := r.URL.EscapedPath()
	if strings.HasPrefix(path, f.Path) {
		return true
	}
	hash, rest := splitAPIPath(path)
	return hash != "" && strings.HasPrefix(rest, f.Path)
}

// faults are those that wait, in the order they were asked for. The first that matches happens.
type faults struct {
	mu   sync.Mutex
	list []*fault
}

func (l *faults) add(f fault) error {
	if err := f.check(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) >= maxFaults {
		return fmt.Errorf("there are %d faults already; DELETE them first", maxFaults)
	}
	f.left = f.Times
	l.list = append(l.list, &f)
	return nil
}

func (l *faults) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = nil
}

// pending is what waits, with the times that are left.
func (l *faults) pending() []fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]fault, len(l.list))
	for i, f := range l.list {
		all[i] = *f
		all[i].Times = f.left
	}
	return all
}

func (l *faults) take(r *http.Request) *fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, f := range l.list {
		if !f.hits(r) {
			continue
		}
		if f.Times > 0 {
			f.left--
			if f.left == 0 {
				l.list = slices.Delete(l.list, i, i+1)
			}
		}
		return f
	}
	return nil
}

// serveFaulty answers with f, with next's answer where f names none.
func (s *Sandbox) serveFaulty(w http.ResponseWriter, r *http.Request, f *fault, next http.HandlerFunc) {
	if !pause(r, time.Duration(f.LatencyMS)*time.Millisecond) {
		return
	}
	if f.Reset {
		resetConnection(w)
		return
	}
	if f.Cut == nil {
		s.answerFault(w, r, f, next)
		return
	}
	whole := &heldAnswer{header: http.Header{}, status: http.StatusOK}
	s.answerFault(whole, r, f, next)
	cutAnswer(w, whole, *f.Cut)
}

func (s *Sandbox) answerFault(w http.ResponseWriter, r *http.Request, f *fault, next http.HandlerFunc) {
	if f.Status == 0 {
		next(w, r)
		return
	}
	a := usual(f.Status)
	if f.Body != nil {
		a.body, a.kind = plain(*f.Body), http.DetectContentType([]byte(*f.Body))
		if json.Valid([]byte(*f.Body)) {
			a.kind = "application/json"
		}
	}
	if f.RateHeaders == nil || *f.RateHeaders {
		a.header = s.faultHeaders(r, f.Status)
	}
	send(w, r, a)
}

// faultHeaders are the quota headers of the store that was asked.
func (s *Sandbox) faultHeaders(r *http.Request, status int) http.Header {
	h := http.Header{}
	hash, _ := splitAPIPath(r.URL.EscapedPath())
	shop := s.findShop(hash)
	if shop == nil {
		return h
	}
	shop.mu.Lock()
	defer shop.mu.Unlock()
	now := s.clock.Now()
	if status != http.StatusTooManyRequests {
		shop.quota.take(now)
		shop.quota.headers(h, now)
		return h
	}
	spent := quota{limit: quotaLimit, reset: now.Add(time.Second)}
	return spent.limited(now).header
}

// pause waits; false means the client has gone.
func pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// resetConnection ends the connection with a TCP reset where that is possible.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// heldAnswer keeps an answer back until it is complete.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *heldAnswer) Header() http.Header         { return a.header }
func (a *heldAnswer) WriteHeader(status int)      { a.status = status }
func (a *heldAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }

// cutAnswer announces the whole body and breaks off inside it.
func cutAnswer(w http.ResponseWriter, whole *heldAnswer, at cutPoint) {
	for name, values := range whole.header {
		w.Header()[name] = values
	}
	body := whole.body.Bytes()
	n := int(at)
	if at < 0 {
		n = len(body) / 2
	}
	n = min(n, max(len(body)-1, 0))
	w.Header().Set("Content-Length", strconv.Itoa(max(len(body), 1)))
	w.WriteHeader(whole.status)
	_, _ = bytes.NewReader(body[:n]).WriteTo(w)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
