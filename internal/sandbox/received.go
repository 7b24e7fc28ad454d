package sandbox

import (
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	maxReceived      = 2000
	maxReceivedBytes = 16 << 20
)

// Received is one request that came in, the control face's own left out.
type Received struct {
	At      time.Time   `json:"at"`
	Method  string      `json:"method"`
	Path    string      `json:"path"` // the request target as it came, query included
	Headers http.Header `json:"headers"`
	Body    string      `json:"body"`
	// BodyBase64 is there instead of Body when the bytes are not UTF-8.
	BodyBase64 string `json:"body_base64,omitempty"`
	Truncated  bool   `json:"truncated,omitempty"` // the body was longer than 1 MiB
	Status     int    `json:"status"`              // what was answered; 0 while nothing is
	size       int
}

// record keeps what came in, the newest 2,000 or 16 MiB of it.
type record struct {
	mu      sync.Mutex
	entries []*Received
	bytes   int
}

// note keeps a request before it is answered.
func (l *record) note(r *http.Request, body []byte, truncated bool, at time.Time) *Received {
	e := &Received{At: at, Method: r.Method, Path: r.RequestURI, Headers: maps.Clone(r.Header), Truncated: truncated}
	if e.Headers == nil {
		e.Headers = http.Header{}
	}
	e.Headers["Host"] = []string{r.Host}
	if utf8.Valid(body) {
		e.Body = string(body)
	} else {
		e.BodyBase64 = base64.StdEncoding.EncodeToString(body)
	}
	e.size = 512 + len(e.Path) + len(e.Body) + len(e.BodyBase64) + headerSize(r.Header)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
	l.bytes += e.size
	for len(l.entries) > maxReceived || (l.bytes > maxReceivedBytes && len(l.entries) > 1) {
		l.bytes -= l.entries[0].size
		l.entries[0] = nil
		l.entries = l.entries[1:]
	}
	return e
}

func headerSize(h http.Header) int {
	n := 0
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(v)
		}
	}
	return n
}

func (l *record) answered(e *Received, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Status = status
}

// list is what came in, in order.
func (l *record) list() []Received {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]Received, len(l.entries))
	for i, e := range l.entries {
		all[i] = *e
	}
	return all
}

func (l *record) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.bytes = nil, 0
}

// readBody reads up to 1 MiB; truncated tells that there was more.
func readBody(r *http.Request) (body []byte, truncated bool, err error) {
	body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if len(body) > maxBody {
		return body[:maxBody], true, err
	}
	return body, false, err
}

// statusWriter remembers the status for the record.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
