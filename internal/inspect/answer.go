package inspect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// requestLimit bounds the body of a request to the window, in bytes.
const requestLimit = 4 << 20

// Problem is an error with its place in the API: an HTTP status, a stable code, and what to do.
type Problem struct {
	Status        int
	Code          string
	Message, Next string
	Err           error
}

func (p *Problem) Error() string { return p.Message }

// Hint says what to do next.
func (p *Problem) Hint() string { return p.Next }

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

func refuse(status int, code, message, next string) *Problem {
	return &Problem{Status: status, Code: code, Message: message, Next: next}
}

// problemOf is the one ladder from cause to answer.
func problemOf(err error) *Problem {
	var known *Problem
	var status *capture.StatusError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, capture.ErrNotFound):
		return refuse(http.StatusNotFound, "unknown_exchange", "there is no such exchange", "it may have been pruned; the list shows what there is")
	case errors.As(err, &status):
		return refuse(http.StatusBadRequest, "bad_filter", err.Error(), status.Hint())
	case errors.As(err, &tooLarge):
		return refuse(http.StatusRequestEntityTooLarge, "too_long", "the request is too large", fmt.Sprintf("send at most %d bytes", tooLarge.Limit))
	case errors.Is(err, capture.ErrTruncated):
		return refuse(http.StatusUnprocessableEntity, "cannot", "the body was not kept whole, so it cannot be sent again", "give a body of your own, or raise capture.body_limit and capture it again")
	case errors.Is(err, context.DeadlineExceeded):
		return refuse(http.StatusGatewayTimeout, "timeout", "it took too long", "try again, or narrow what is asked for")
	}
	p := refuse(http.StatusInternalServerError, "failed", err.Error(), "")
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		// An error that knows what to do next is about what was asked, not about us.
		p.Status, p.Code, p.Next = http.StatusUnprocessableEntity, "cannot", h.Hint()
	}
	return p
}

// fail answers with an error: JSON for programs, a page for a browser that wants to see one.
func fail(rw http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	rw.Header().Set("Bcdev-Error", p.Code)
	if strings.HasPrefix(r.URL.Path, "/api/") || !wantsPage(r) {
		writeJSON(rw, p.Status, map[string]any{"error": map[string]string{
			"code": p.Code, "message": redact.Terminal(p.Message), "hint": redact.Terminal(p.Next),
		}})
		return
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.WriteHeader(p.Status)
	_ = errorPage.Execute(rw, p) // the browser left
}

// wantsPage reports that the client is a browser, or takes HTML as well.
func wantsPage(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "text/html")
}

// wantsJSON reports that the client asks a page's address for data.
func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json") && !wantsPage(r)
}

func writeJSON(rw http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(true)
	if err := enc.Encode(v); err != nil {
		status = http.StatusInternalServerError
		b.Reset()
		b.WriteString(`{"error":{"code":"failed","message":"the answer could not be written","hint":""}}` + "\n")
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_, _ = rw.Write(b.Bytes())
}

// readJSON reads a request's body into v. Fields that nobody knows are refused: a misspelt
// "confirm" must not pass in silence.
func readJSON(rw http.ResponseWriter, r *http.Request, v any) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "not_json", "the body is not declared as JSON", "send Content-Type: application/json")
	}
	d := json.NewDecoder(http.MaxBytesReader(rw, r.Body, requestLimit))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badJSON(errors.New("there is more than one value"))
	}
	return nil
}

func badJSON(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the body is empty")
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	code := "bad_json"
	if strings.HasPrefix(text, "unknown field") {
		code = "unknown_field"
	}
	return refuse(http.StatusBadRequest, code, "reading the request: "+text, "send one JSON object with known fields")
}
