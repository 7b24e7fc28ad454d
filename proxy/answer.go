package proxy

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

// Headers of answers of our own, and of what we add to upstream's.
const (
	headerError = "Bcdev-Error" // the code of an answer that is not upstream's
	headerHint  = "Bcdev-Hint"  // one sentence about upstream's answer
	headerFault = "Bcdev-Fault" // the fault that was injected
)

// refusal is an answer of our own: a status, a code that programs can rely on, and words for people.
type refusal struct {
	status  int
	code    string
	message string
	hint    string
	header  http.Header // more fields, or nil
}

func (r *refusal) Error() string { return r.message }

// Hint says what to do next.
func (r *refusal) Hint() string { return r.hint }

func refuse(status int, code, message, hint string) *refusal {
	return &refusal{status: status, code: code, message: message, hint: hint}
}

// closing asks for the connection to be closed behind the answer.
func (r *refusal) closing() *refusal { return r.with("Connection", "close") }

func (r *refusal) with(name, value string) *refusal {
	if r.header == nil {
		r.header = http.Header{}
	}
	r.header.Set(name, value)
	return r
}

func (r *refusal) body() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// Three strings always encode.
	_ = e.Encode(map[string]any{"error": map[string]string{"code": r.code, "message": r.message, "hint": r.hint}})
	return b.Bytes()
}

func (r *refusal) fill(h http.Header, size int) {
	for name, values := range r.header {
		h[name] = values
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(size))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set(headerError, r.code)
}

// write answers on w.
func (r *refusal) write(w http.ResponseWriter) {
	body := r.body()
	r.fill(w.Header(), len(body))
	w.WriteHeader(r.status)
	w.Write(body)
}

// response is the same answer for a round tripper.
func (r *refusal) response(req *http.Request) *http.Response {
	body := r.body()
	h := http.Header{}
	r.fill(h, len(body))
	h.Del("Connection")
	return canned(req, r.status, h, body)
}

// canned makes a response out of bytes.
func canned(req *http.Request, status int, h http.Header, body []byte) *http.Response {
	res := &http.Response{
		StatusCode: status, Status: strconv.Itoa(status) + " " + http.StatusText(status),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}
	if req.Method == http.MethodHead || status == http.StatusNoContent {
		res.Body = http.NoBody
	}
	return res
}
