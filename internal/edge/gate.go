package edge

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// gate is the way to one agent. Nothing passes while the hole is open, and an agent that is silent
// for longer than it promised is dropped.
type gate struct {
	net.Conn
	hole    *hole
	silence atomic.Int64 // ns
	once    sync.Once
	closed  chan struct{}
}

func newGate(c net.Conn, h *hole) *gate {
	g := &gate{Conn: c, hole: h, closed: make(chan struct{})}
	g.silence.Store(int64(authLimit))
	return g
}

// expect sets how long the agent may be silent: its heartbeat and the tolerance.
func (g *gate) expect(d time.Duration) {
	if d <= 0 {
		d = defaultSilence
	}
	g.silence.Store(int64(min(d, longestSilence)))
}

// Read waits for the agent as long as it may be silent.
func (g *gate) Read(b []byte) (int, error) {
	limit := time.Duration(g.silence.Load())
	if err := g.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return 0, err
	}
	n, err := g.Conn.Read(b)
	if held := g.hole.pass(g.closed, limit); held != nil {
		return 0, held
	}
	return n, err
}

// Write waits while the hole is open.
func (g *gate) Write(b []byte) (int, error) {
	if err := g.hole.pass(g.closed, longestSilence); err != nil {
		return 0, err
	}
	return g.Conn.Write(b)
}

// Close ends the connection and whoever waits at the hole.
func (g *gate) Close() error {
	g.once.Do(func() { close(g.closed) })
	return g.Conn.Close()
}

// hole is where bytes stay while the link is black-holed. As on a real network they are not lost:
// they arrive when it ends, if anyone is still there.
type hole struct {
	mu   sync.Mutex
	over chan struct{} // nil: nothing is held
}

func (h *hole) open(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case on && h.over == nil:
		h.over = make(chan struct{})
	case !on && h.over != nil:
		close(h.over)
		h.over = nil
	}
}

// pass returns when nothing is held any more, or with an error when the connection was closed or
// the limit reached.
func (h *hole) pass(closed <-chan struct{}, limit time.Duration) error {
	h.mu.Lock()
	over := h.over
	h.mu.Unlock()
	if over == nil {
		return nil
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-over:
		return nil
	case <-closed:
		return net.ErrClosed
	case <-t.C:
		return os.ErrDeadlineExceeded
	}
}
