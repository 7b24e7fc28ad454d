package inspect

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// defaultPage is how many exchanges a list has when nobody says otherwise: more than a screen, and few
// enough for a page of less than 100 kB.
const defaultPage = 50

// Summary is an exchange in the API's list: everything but headers and bodies.
type Summary struct {
	ID           int64        `json:"id"`
	Door         capture.Door `json:"door"`
	Kind         capture.Kind `json:"kind"`
	Topic        string       `json:"topic,omitempty"`
	Store        string       `json:"store,omitempty"`
	At           time.Time    `json:"at"`
	Took         float64      `json:"ms"`
	Method       string       `json:"method"`
	Path         string       `json:"path"`
	Target       string       `json:"target"`
	Host         string       `json:"host,omitempty"`
	Status       int          `json:"status"`
	Error        string       `json:"error,omitempty"`
	RequestSize  int64        `json:"request_size"`
	ResponseSize int64        `json:"response_size"`
	Of           int64        `json:"of,omitempty"`
	Via          string       `json:"via,omitempty"`
	Attempt      int          `json:"attempt,omitempty"`
	Verdict      string       `json:"verdict,omitempty"`
	Hint         string       `json:"hint,omitempty"`
	Marks        []string     `json:"marks,omitempty"`
	HTML         string       `json:"html,omitempty"` // the row of the page, for its own script
}

func summaryOf(e capture.Exchange) Summary {
	target := maskedTarget(e)
	path, _, _ := strings.Cut(target, "?")
	return Summary{
		ID: e.ID, Door: e.Door, Kind: e.Kind, Topic: e.Topic, Store: e.Store, At: e.At.UTC(), Took: millis(e.Took),
		Method: e.Method, Path: path, Target: target, Host: e.Host, Status: e.Status, Error: e.Err,
		RequestSize: e.Request.Size, ResponseSize: e.Response.Size,
		Of: e.Of, Via: e.Via, Attempt: e.Attempt, Verdict: e.Verdict, Hint: e.Hint, Marks: e.Marks,
	}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// listing is one page of the list.
type listing struct {
	Exchanges []Summary `json:"exchanges"`
	Before    int64     `json:"before"` // the next page's parameter; 0 when this was the last
}

func (w *window) serveList(rw http.ResponseWriter, r *http.Request) {
	q, found, err := w.find(r)
	if err != nil {
		fail(rw, r, err)
		return
	}
	l := listing{Exchanges: make([]Summary, 0, len(found)), Before: next(found, q.Limit)}
	rows := r.URL.Query().Get("rows") != ""
	for _, e := range found {
		s := summaryOf(e)
		if rows {
			s.HTML = w.pages.row(rowOf(e, r.URL.Query().Get("q")))
		}
		l.Exchanges = append(l.Exchanges, s)
	}
	writeJSON(rw, http.StatusOK, l)
}

// find answers a list's parameters.
func (w *window) find(r *http.Request) (capture.Query, []capture.Exchange, error) {
	q, err := w.queryOf(r.URL.Query())
	if err != nil {
		return q, nil, err
	}
	found, err := w.o.Journal.Find(r.Context(), q)
	return q, found, err
}

// next is where the page behind found begins.
func next(found []capture.Exchange, limit int) int64 {
	if len(found) < limit || len(found) == 0 {
		return 0
	}
	return found[len(found)-1].ID
}

// idOf reads the number of an exchange from the path. There is nothing in it but digits, so it
// names nothing but an exchange.
func idOf(r *http.Request, name string) (int64, error) {
	text := r.PathValue(name)
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 || len(text) > 18 || text[0] == '+' {
		return 0, capture.ErrNotFound
	}
	return id, nil
}

func (w *window) get(r *http.Request, name string) (capture.Exchange, error) {
	id, err := idOf(r, name)
	if err != nil {
		return capture.Exchange{}, err
	}
	return w.o.Journal.Get(r.Context(), strconv.FormatInt(id, 10))
}

// half is one message in the API's answer. The body is text where it can be, unpacked.
type half struct {
	Headers   http.Header `json:"headers"`
	Trailers  http.Header `json:"trailers,omitempty"`
	Body      string      `json:"body"`
	Encoding  string      `json:"encoding"` // "text" or "base64"
	Unpacked  bool        `json:"unpacked,omitempty"`
	Cut       bool        `json:"cut,omitempty"`
	Size      int64       `json:"size"`
	SHA256    string      `json:"sha256"`
	Truncated bool        `json:"truncated"`
	Dropped   bool        `json:"dropped"`
}

// One is an exchange in the API: the summary, and all the rest.
type One struct {
	Summary
	Proto    string  `json:"proto"`
	Remote   string  `json:"remote,omitempty"`
	First    float64 `json:"first_byte_ms"`
	Detail   any     `json:"detail,omitempty"`
	Request  half    `json:"request"`
	Response half    `json:"response"`
}

func (w *window) serveOne(rw http.ResponseWriter, r *http.Request) {
	e, err := w.get(r, "id")
	if err != nil {
		fail(rw, r, err)
		return
	}
	writeJSON(rw, http.StatusOK, oneOf(e))
}

func oneOf(e capture.Exchange) One {
	one := One{
		Summary: summaryOf(e), Proto: e.Proto, Remote: e.Remote, First: millis(e.First),
		Request: halfOf(e.Request), Response: halfOf(e.Response),
	}
	if len(e.Detail) > 0 {
		one.Detail = e.Detail
	}
	return one
}

func halfOf(m capture.Message) half {
	u := unpack(m)
	h := half{
		Headers: redact.Header(m.Header), Trailers: redact.Header(m.Trailer), Unpacked: u.encoding != "" && u.err == nil, Cut: u.cut,
		Size: m.Size, SHA256: m.SHA256, Truncated: m.Truncated, Dropped: m.Dropped,
	}
	h.Body, h.Encoding = textOrBase64(u.body)
	if h.Headers == nil {
		h.Headers = http.Header{}
	}
	return h
}

func queryEscape(s string) string { return url.QueryEscape(s) }
