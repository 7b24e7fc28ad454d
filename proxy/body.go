package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// patientBody is a client's body that is waited for, piece by piece, for a limited time each. It
// remembers why it broke off, since the transport reports such errors as its own.
type patientBody struct {
	body io.ReadCloser
	rc   *http.ResponseController
	idle time.Duration
	head []byte // already read

	mu   sync.Mutex // the transport may still read when the handler has returned
	over bool
	due  time.Time // of the read under way; zero: none
	err  error
}

func (b *patientBody) Read(p []byte) (int, error) {
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	b.deadline(time.Now().Add(b.idle))
	n, err := b.body.Read(p)
	switch err {
	case nil:
		b.mu.Lock()
		b.due = time.Time{}
		b.mu.Unlock()
	case io.EOF:
		// The server now listens for the client's leaving with the same deadline: take it away.
		b.deadline(time.Time{})
	default:
		b.fail(err) // the deadline stays: the server tries to read the rest of the body itself
	}
	return n, err
}

// Close closes the client's body.
func (b *patientBody) Close() error { return b.body.Close() }

func (b *patientBody) deadline(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.due = t; !b.over {
		_ = b.rc.SetReadDeadline(t) // a server without deadlines has limits of its own
	}
}

func (b *patientBody) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil && !b.over {
		b.err = err
	}
}

// failure is why the body broke off. A read that ran out of time makes the server cancel the whole
// request, and that news may be here before the read itself has returned.
func (b *patientBody) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil && !b.due.IsZero() && !time.Now().Before(b.due) {
		return os.ErrDeadlineExceeded
	}
	return b.err
}

// stalled reports whether the client sent nothing of its body for too long.
func (b *patientBody) stalled() bool { return errors.Is(b.failure(), os.ErrDeadlineExceeded) }

func (b *patientBody) finish() {
	b.mu.Lock()
	b.over = true
	b.mu.Unlock()
}

// attach makes the client's body the body of out. A chunked body is tried first, so that one with
// broken framing never reaches upstream, and neither does one that was announced and never comes.
func (c *call) attach(w http.ResponseWriter, out *http.Request) *refusal {
	in := c.in
	if in.Body == nil || in.Body == http.NoBody || in.ContentLength == 0 {
		out.Body, out.ContentLength = http.NoBody, 0
		return nil
	}
	c.up = patientBody{body: in.Body, rc: http.NewResponseController(w), idle: c.p.o.BodyTimeout}
	out.Body = &c.up
	if in.ContentLength > 0 && in.Header.Get("Expect") == "" {
		return nil
	}
	first := make([]byte, 4<<10)
	n, err := io.ReadAtLeast(&c.up, first, 1)
	switch {
	case err == io.EOF && in.ContentLength < 0:
		out.Body, out.ContentLength = http.NoBody, 0
	case err != nil:
		return bodyRefusal(err)
	}
	c.up.head = first[:n]
	return nil
}

// bodyRefusal answers a client whose body broke off.
func bodyRefusal(err error) *refusal {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refuse(http.StatusRequestTimeout, "request_timeout", "the request's body did not come",
			"send the body right behind the header").closing()
	}
	return refuse(http.StatusBadRequest, "bad_body", "the request's body is not framed as HTTP/1.1 wants it",
		"send either a Content-Length or well-formed chunks").closing()
}

// watchedBody is upstream's body on its way to the client. It remembers that upstream died in the
// middle, which the engine would pass over and end the answer as if it were whole.
type watchedBody struct {
	body io.ReadCloser
	from *http.Response
	c    *call
	err  error
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err == io.EOF {
		b.c.res.Trailer = cleanTrailer(b.from.Trailer) // filled in just now
	} else if err != nil {
		b.err = err
	}
	return n, err
}

// Close lets upstream go.
func (b *watchedBody) Close() error { return b.body.Close() }
