// Package tunnel opens the public door: a net.Listener whose connections come from the internet.
//
// Open asks ngrok for one, Listen takes them from a tunnel of the user's own. Both have the same
// shape. The sharp edges of ngrok's library (golang.ngrok.com/ngrok/v2 v2.4.0) end here: a refused
// token never returns from its Connect, its Close can deadlock, its write deadlines corrupt the
// link, its errors come in three forms and print the token.
package tunnel

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Options say which tunnel to open. Only Authtoken is needed.
type Options struct {
	Authtoken     string // surrounding space is ignored
	URL           string // https://name.example; empty: the account's dev domain
	TrafficPolicy string // YAML or JSON text, sent as it is

	ConnectURL string         // host:port of an edge; empty: ngrok's own
	ConnectCAs *x509.CertPool // who may vouch for the edge; nil: ngrok's own root alone

	ConnectTimeout time.Duration // for connecting and binding the first time; 0: 30 s

	ClientType, ClientVersion string // how the program names itself to ngrok; empty: the library's name
	Logger                    *slog.Logger

	// How often the link proves that it lives, and how late a proof may be. 0: the library's
	// defaults, 10 s and 15 s. ngrok refuses values it finds too small (ERR_NGROK_111, 112).
	Heartbeat, HeartbeatTolerance time.Duration
}

// Tunnel is an open public door. It is a net.Listener; its other methods say how the link is.
type Tunnel struct {
	provider, url string
	addr          net.Addr
	door          door
	link          *link

	conns   chan net.Conn // from the pump to Accept
	closing chan struct{} // no new connections
	stopped chan struct{} // the far side sends no new ones, or does not answer
	ended   chan struct{} // nothing is left

	cutOnce sync.Once
	cut     chan struct{} // no open connections either

	mu     sync.Mutex
	reason error // what Accept says once closing
	live   map[*conn]struct{}
	idle   chan struct{} // closed when closing and no connection is left
}

// door is where a tunnel's connections come from.
type door interface {
	accept() (net.Conn, error)
	shut()                 // takes no new connections; may hang, the caller bounds it
	gone() <-chan struct{} // closed when the open connections are lost anyway
	release()              // drops everything, soon
}

const (
	shutLimit  = 2 * time.Second  // for the far side to confirm that it takes no new connections
	drainLimit = 15 * time.Second // for connections that were open at the first Close
	cutLimit   = 5 * time.Second  // for dropping everything
)

func start(provider, url string, addr net.Addr, d door, l *link) *Tunnel {
	t := &Tunnel{
		provider: provider, url: url, addr: addr, door: d, link: l,
		conns:   make(chan net.Conn),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
		ended:   make(chan struct{}),
		cut:     make(chan struct{}),
		idle:    make(chan struct{}),
		live:    map[*conn]struct{}{},
	}
	go t.pump()
	return t
}

// Accept returns the next connection. After Close it returns net.ErrClosed; when the tunnel was
// ended from the far side, an *Error that says why.
func (t *Tunnel) Accept() (net.Conn, error) {
	select {
	case <-t.closing:
		return nil, t.why()
	default:
	}
	select {
	case c := <-t.conns:
		return c, nil
	case <-t.closing:
		return nil, t.why()
	}
}

// Addr is the public address (or the local one, where the tunnel is the user's own).
func (t *Tunnel) Addr() net.Addr { return t.addr }

// URL is the public address as https://host, without a slash at the end. It never changes.
func (t *Tunnel) URL() string { return t.url }

// Provider is "ngrok" or "none".
func (t *Tunnel) Provider() string { return t.provider }

// State says how the link is and since when. It is never Up while requests cannot arrive, except
// for the time it takes to notice: the heartbeat and half its tolerance at most.
func (t *Tunnel) State() (State, time.Time) { return t.link.now() }

// Events tells the changes of State, and every failed attempt to come back. There is one channel
// for all readers. It is bounded: a slow reader misses the older events and gets the latest. It is
// closed when nothing is left of the tunnel.
func (t *Tunnel) Events() <-chan Event { return t.link.events }

// LastBeat is when the far side was last known to be there.
func (t *Tunnel) LastBeat() time.Time { return t.link.heard() }

// Close stops new connections, confirmed by the far side or after 2 s, and returns. Connections
// that are open then have 15 s to end (http.Server.Shutdown closes its listener first and needs
// them); when there are none, nothing is left when Close returns. Drop does not give them that time.
func (t *Tunnel) Close() error {
	if t.begin(net.ErrClosed) {
		t.link.close(nil)
		go t.wind(t.door.shut)
	}
	<-t.stopped
	select {
	case <-t.idle:
		t.wait()
	default:
	}
	return nil
}

// Drop is Close without patience: open connections are cut. It takes 9 s at most, even where
// ngrok's library hangs, and some milliseconds where it does not.
func (t *Tunnel) Drop() {
	t.cutOnce.Do(func() { close(t.cut) })
	_ = t.Close()
	t.wait()
}

// fail ends the tunnel for a reason that is not ours.
func (t *Tunnel) fail(err error) {
	if t.begin(err) {
		t.link.close(err)
		t.cutOnce.Do(func() { close(t.cut) })
		go t.wind(func() {})
	}
}

// begin makes the tunnel take no more connections; only the first reason counts.
func (t *Tunnel) begin(reason error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reason != nil {
		return false
	}
	t.reason = reason
	close(t.closing)
	if len(t.live) == 0 {
		close(t.idle)
	}
	return true
}

// wind brings the tunnel to its end.
func (t *Tunnel) wind(shut func()) {
	t.bounded(shut)
	close(t.stopped)
	limit := time.NewTimer(drainLimit)
	defer limit.Stop()
	select {
	case <-t.idle:
	case <-t.cut:
	case <-t.door.gone():
	case <-limit.C:
	}
	t.door.release()
	for _, c := range t.open() {
		_ = c.Close()
	}
	t.link.finish()
	close(t.ended)
}

// bounded waits for the door to close, but not for ever: ngrok's Close can deadlock. It is not
// interrupted by Drop, for ending the session under a request races inside the library.
func (t *Tunnel) bounded(shut func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		shut()
	}()
	limit := time.NewTimer(shutLimit)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	case <-t.door.gone():
	}
}

func (t *Tunnel) wait() {
	limit := time.NewTimer(cutLimit)
	defer limit.Stop()
	select {
	case <-t.ended:
	case <-limit.C:
	}
}

// pump takes connections from the door until it ends, also while it is being closed: a connection
// that nobody takes makes ngrok's Close hang.
func (t *Tunnel) pump() {
	for {
		inner, err := t.door.accept()
		if err != nil {
			t.fail(err)
			return
		}
		c := t.track(inner)
		select {
		case t.conns <- c:
		case <-t.closing:
			_ = c.Close()
		}
	}
}

func (t *Tunnel) track(inner net.Conn) *conn {
	c := &conn{Conn: inner}
	c.closed = func() { t.forget(c) }
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reason == nil {
		t.live[c] = struct{}{}
	}
	return c
}

func (t *Tunnel) forget(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ours := t.live[c]; !ours {
		return
	}
	delete(t.live, c)
	if t.reason != nil && len(t.live) == 0 {
		close(t.idle)
	}
}

func (t *Tunnel) open() []*conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*conn, 0, len(t.live))
	for c := range t.live {
		all = append(all, c)
	}
	return all
}

func (t *Tunnel) why() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reason
}

// Diagnose asks the edge for a sign of life (TCP, TLS, protocol) without a token and leaves
// nothing open. An *Error says which step failed. It takes 10 s at most.
func Diagnose(ctx context.Context, o Options) error {
	p, err := prepareAddress(o)
	if err != nil {
		return err
	}
	return p.diagnose(ctx)
}
