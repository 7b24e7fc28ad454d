package tunnel

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// dialer reaches the edge for the library. It tries by itself until it succeeds: the library's own
// pauses grow to 30 s and cannot be ended, and a laptop that wakes up should not wait for them.
// It remembers its connections, so that everything ends when the tunnel does.
type dialer struct {
	net    net.Dialer
	failed func(error) // one attempt failed; nil: there is only one attempt

	mu     sync.Mutex
	open   map[*tracked]struct{}
	closed bool
}

const (
	dialLimit  = 10 * time.Second // for one attempt
	firstPause = 250 * time.Millisecond
	lastPause  = 5 * time.Second
)

func newDialer(failed func(error)) *dialer {
	return &dialer{net: net.Dialer{Timeout: dialLimit}, failed: failed, open: map[*tracked]struct{}{}}
}

// Dial is DialContext without a context.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext returns a connection, or an error when ctx ends.
func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		c, err := d.once(ctx, network, address)
		if err == nil || d.failed == nil || ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return c, err
		}
		d.failed(err)
		if err := rest(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// rest waits about as long as it is told: a fifth more or less, so that many do not come at once.
func rest(ctx context.Context, pause time.Duration) error {
	t := time.NewTimer(pause*4/5 + rand.N(pause*2/5))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *dialer) once(ctx context.Context, network, address string) (net.Conn, error) {
	inner, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &tracked{Conn: inner, by: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		inner.Close()
		return nil, net.ErrClosed
	}
	d.open[c] = struct{}{}
	return c, nil
}

// close ends every connection and lets no new one come.
func (d *dialer) close() {
	d.mu.Lock()
	d.closed = true
	all := d.open
	d.open = map[*tracked]struct{}{}
	d.mu.Unlock()
	for c := range all {
		c.Conn.Close()
	}
}

type tracked struct {
	net.Conn
	by *dialer
}

// Close also forgets the connection.
func (c *tracked) Close() error {
	c.by.mu.Lock()
	delete(c.by.open, c)
	c.by.mu.Unlock()
	return c.Conn.Close()
}
