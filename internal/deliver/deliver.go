// Package deliver brings an exchange to the local app: now, with the app's own answer for the
// browser ([Deliverer.Forward]); later, in order, from a queue that survives a restart
// ([Deliverer.Run]); or again ([Deliverer.Replay]).
package deliver

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
)

// Defaults of Options.
const (
	defaultParallel  = 4
	defaultTimeout   = 30 * time.Second
	defaultBodyLimit = 1 << 20 // bytes kept of an answer
)

// Options of a Deliverer. To is needed, and Journal for the queue; the rest may be zero.
type Options struct {
	// Journal holds the queue and keeps the attempts. Without one nothing is kept, and Run fails.
	Journal *capture.Journal
	// App signs replays.
	App bigcommerce.App
	// To is where e goes: the base URL of the local app. The exchange's own path is appended to
	// the path of the base. False means there is no app.
	To func(e capture.Exchange) (*url.URL, bool)
	// Route is asked first. It names the place itself: when its URL has a path other than "/",
	// that path takes the place of the exchange's own.
	Route func(e capture.Exchange) (*url.URL, bool)
	// AllowRemote permits targets beyond the loopback interface. BigCommerce is never a target.
	AllowRemote bool
	// Public is the public URL, for X-Forwarded-Proto and -Host; nil or a nil result means https
	// and the host of the request.
	Public func() *url.URL
	// Code makes an authorization code that the API door's /oauth2/token will honour, for an
	// install whose own code was not kept. Nil makes one that nobody honours.
	Code func(store string, scopes []string) string

	Parallel  int           // deliveries of the queue at a time; 0 means 4
	Timeout   time.Duration // for the app's whole answer in queue and replay; 0 means 30 s
	BodyLimit int64         // bytes kept of an answer; 0 means 1 MiB
	// Backoff is the wait after the nth failure in a row, n from 1; nil means 1 s doubling to 60 s.
	Backoff func(n int) time.Duration

	Now         func() time.Time         // nil means time.Now
	Told        func(e capture.Exchange) // hears each attempt that was kept
	Health      func(up bool, waiting int, err error)
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error) // nil dials
	Logger      *slog.Logger                                                      // nil logs nothing
}

// Deliverer brings exchanges to the local app. It is safe for concurrent use.
type Deliverer struct {
	o         Options
	transport *http.Transport
	gates     *gates
	wake      chan struct{} // a delivery outside the queue reached an app
}

// New returns a Deliverer.
func New(o Options) *Deliverer {
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.BodyLimit <= 0 {
		o.BodyLimit = defaultBodyLimit
	}
	if o.Backoff == nil {
		o.Backoff = backoff
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Told == nil {
		o.Told = func(capture.Exchange) {}
	}
	if o.Health == nil {
		o.Health = func(bool, int, error) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Deliverer{
		o:         o,
		transport: newTransport(o),
		gates:     newGates(o.Backoff),
		wake:      make(chan struct{}, 1),
	}
}

// backoff doubles from a second to a minute.
func backoff(n int) time.Duration {
	const longest = time.Minute
	return min(time.Second<<min(max(n, 1)-1, 6), longest)
}

// reached notes that the app at host answered, whoever asked: a queue that waits for it goes on.
func (d *Deliverer) reached(ctx context.Context, host string) {
	if !d.gates.reached(host) {
		return
	}
	d.health(ctx, true, nil)
	select {
	case d.wake <- struct{}{}:
	default:
	}
}
