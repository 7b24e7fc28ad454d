package serve

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// Limits bounds what a client may take. Zero fields mean the defaults.
type Limits struct {
	HeaderTime time.Duration // for the request line and all header fields; 10 s
	Header     int           // bytes of them; 64 KiB, then 431
	Idle       time.Duration // between requests; 2 min
	BodyIdle   time.Duration // between two pieces of a body; 30 s
	Body       time.Duration // for a whole body; no limit
	Logger     *slog.Logger  // the server's own complaints, at debug level; nil: dropped
}

// slop is what net/http adds to MaxHeaderBytes.
const slop = 4 << 10

// New makes a server that bounds how long and how much a client may talk before it is answered.
// Unless Limits.Body says so, there is no limit on a whole body, and never one on a whole answer:
// streams and uploads may take their time, as long as they move. A body that stops is a read error, [ErrSlowBody].
func New(h http.Handler, o Limits) *http.Server {
	o = o.orDefaults()
	return &http.Server{
		Handler:           steadyBodies(h, o),
		ReadHeaderTimeout: o.HeaderTime,
		IdleTimeout:       o.Idle,
		MaxHeaderBytes:    o.Header - slop,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
		// "OPTIONS *" must meet the guard like everything else.
		DisableGeneralOptionsHandler: true,
	}
}

func (o Limits) orDefaults() Limits {
	if o.HeaderTime == 0 {
		o.HeaderTime = 10 * time.Second
	}
	if o.Header == 0 {
		o.Header = 64 << 10
	}
	if o.Idle == 0 {
		o.Idle = 2 * time.Minute
	}
	if o.BodyIdle == 0 {
		o.BodyIdle = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// ErrSlowBody is the read error of a body whose client stopped sending, an [os.ErrDeadlineExceeded]
// for those who set deadlines themselves. It deserves a 408.
var ErrSlowBody = fmt.Errorf("the client stopped sending the body: %w", os.ErrDeadlineExceeded)

// steadyBodies gives every read of a body its own deadline. It is also set before the handler
// runs, for bodies that nobody reads: the server drains them before the next request.
func steadyBodies(h http.Handler, o Limits) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			h.ServeHTTP(w, r)
			return
		}
		b := &steadyBody{ReadCloser: r.Body, control: http.NewResponseController(w), idle: o.BodyIdle}
		if o.Body > 0 {
			b.last = time.Now().Add(o.Body)
		}
		if b.extend() == nil {
			// A copy: the server looks at its own request's body to see whether the next request
			// can follow on the connection.
			r = r.WithContext(r.Context())
			r.Body = b
		}
		h.ServeHTTP(w, r)
	})
}

type steadyBody struct {
	io.ReadCloser
	control *http.ResponseController
	idle    time.Duration
	last    time.Time // when the whole body must be here; zero: never
	ended   atomic.Bool
}

// extend gives the next piece its time.
func (b *steadyBody) extend() error {
	next := time.Now().Add(b.idle)
	if !b.last.IsZero() && next.After(b.last) {
		next = b.last
	}
	return b.control.SetReadDeadline(next)
}

func (b *steadyBody) Read(p []byte) (int, error) {
	if !b.ended.Load() {
		_ = b.extend()
	}
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = ErrSlowBody
	case err != nil && b.ended.CompareAndSwap(false, true):
		// The body is over; the server goes on reading to notice a client that leaves, and
		// must not take our deadline for that.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
