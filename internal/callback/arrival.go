package callback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// errTooLarge and errTooSlow are what is wrong with a body that is not read to its end.
var (
	errTooLarge = errors.New("the body is larger than the limit")
	errTooSlow  = errors.New("the body took too long to arrive")
)

// arrived describes r as an exchange for Told and Forward. Headers and secret parameters stay
// out of it: it is made to be shown.
func (h *Handler) arrived(r *http.Request, kind capture.Kind, size int) capture.Exchange {
	target, _ := redact.Target(r.URL.RequestURI())
	return capture.Exchange{
		Door:    capture.Public,
		Kind:    kind,
		At:      h.o.Now(),
		Method:  r.Method,
		Target:  target,
		Host:    r.Host,
		Proto:   r.Proto,
		Remote:  r.RemoteAddr,
		Request: capture.Message{Size: int64(size)},
	}
}

// commit puts the exchange on disk, described as e, and returns it with its ID. It does not stop
// when the sender goes away. An unrecorded request passes with ID 0.
func (h *Handler) commit(r *http.Request, e capture.Exchange, queueKey string) (capture.Exchange, error) {
	note := capture.NoteOf(r.Context())
	if note == nil {
		return e, nil
	}
	h.note(r, e)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), commitTimeout)
	defer cancel()
	id, err := note.Commit(ctx, queueKey)
	e.ID = id
	return e, err
}

// note copies what this room found out about the exchange into the record of it.
func (h *Handler) note(r *http.Request, e capture.Exchange) {
	capture.NoteOf(r.Context()).Set(func(x *capture.Exchange) {
		x.Kind, x.Store, x.Topic = e.Kind, e.Store, e.Topic
		x.Of, x.Attempt, x.Hint = e.Of, e.Attempt, e.Hint
		x.Marks, x.Detail = slices.Clone(e.Marks), e.Detail
	})
}

// queued says whether e waits for the local app.
func (h *Handler) queued(e capture.Exchange) bool {
	if h.o.Queued != nil {
		return h.o.Queued(e)
	}
	return h.o.Forward != nil
}

// readBody reads the body of r to its end, within the time and size limits, and leaves a copy in
// its place.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	// A server without deadlines (a recorder in a test) is bounded by its size limit alone.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(h.o.BodyTimeout))
	var in bytes.Buffer // it doubles, where io.ReadAll would leave five times the body behind
	in.Grow(int(max(r.ContentLength, 0)) + bytes.MinRead)
	_, err := in.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	body := in.Bytes()
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, errTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errTooSlow
	case err != nil:
		return nil, err
	}
	_ = control.SetReadDeadline(time.Time{})
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

// refuseBody answers a body that readBody gave up on. The connection is closed: what is left of
// the body is not read.
func (h *Handler) refuseBody(w http.ResponseWriter, err error) {
	guardHeaders(w.Header())
	w.Header().Set("Connection", "close")
	switch {
	case errors.Is(err, errTooLarge):
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	case errors.Is(err, errTooSlow):
		w.WriteHeader(http.StatusRequestTimeout)
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}

// detail encodes what was decoded, for the journal's readers.
func detail(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// hinted is an error that says what to do next.
type hinted interface{ Hint() string }

func hintOf(err error) string {
	var h hinted
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
