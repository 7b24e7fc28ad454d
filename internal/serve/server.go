package serve

import (
	"errors"
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
	Logger     *slog.Logger  // the server's own complaints, at debug level; nil: dropped
}

// slop is what net/http adds to MaxHeaderBytes.
const slop = 4 << 10

// New makes a server that bounds how long and how much a client may talk before it is answered.
// There is no limit on a whole body or a whole answer: streams and uploads may take their time,
// as long as they move. A body that stops is a read error, [ErrSlowBody].
func New(h http.Handler, o Limits) *http.Server {
	o = o.orDefaults()
	return &http.Server{
		Handler:           steadyBodies(h, o.BodyIdle),
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

// ErrSlowBody is the read error of a body whose client stopped sending. It deserves a 408.
var ErrSlowBody = errors.New("the client stopped sending the body")

// steadyBodies gives every read of a body its own deadline. It is also set before the handler
// runs, for bodies that nobody reads: the server drains them before the next request.
func steadyBodies(h http.Handler, idle time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			h.ServeHTTP(w, r)
			return
		}
		control := http.NewResponseController(w)
		if control.SetReadDeadline(time.Now().Add(idle)) == nil {
			r.Body = &steadyBody{ReadCloser: r.Body, control: control, idle: idle}
		}
		h.ServeHTTP(w, r)
	})
}

type steadyBody struct {
	io.ReadCloser
	control *http.ResponseController
	idle    time.Duration
	ended   atomic.Bool
}

func (b *steadyBody) Read(p []byte) (int, error) {
	if !b.ended.Load() {
		_ = b.control.SetReadDeadline(time.Now().Add(b.idle))
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
