package edge

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"

	"golang.ngrok.com/muxado/v2"
)

// connect opens a visitor's connection to the agent.
func (s *session) connect(ctx context.Context, bindID, visitor string) (net.Conn, error) {
	if err := s.pace.take(ctx); err != nil {
		return nil, err
	}
	str, err := s.mux.OpenStream()
	if err == nil {
		_, err = str.Write(announcement(proxyHeader{
			ID: bindID, ClientAddr: visitor, Proto: "https", EdgeType: edgeTypeHTTPS,
		}))
	}
	s.pace.opened(err == nil)
	if err != nil {
		return nil, err
	}
	return stream{str}, nil
}

// stream is a visitor's connection, without muxado's traps (v2.0.2).
type stream struct{ muxado.Stream }

const (
	closeLimit  = 10 * time.Millisecond
	drainedMost = 512 << 10 // twice a stream's window
)

// SetDeadline limits reading alone, see SetWriteDeadline.
func (c stream) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline does nothing: one that expires corrupts the session.
func (c stream) SetWriteDeadline(time.Time) error { return nil }

// Close ends the connection at once. A writer that waits for the window holds the lock that
// closing needs, so closing is not waited for long: it ends with the agent's reader or with the
// session. And an agent that waits for the window is not woken by a close: reading on opens its
// window, and what it sends then meets a reset. A closed stream gives what it still holds and then
// an error, without waiting.
func (c stream) Close() error {
	_ = c.SetReadDeadline(time.Time{}) // one that has passed would keep what is held
	done := make(chan error, 1)
	go func() { done <- c.Stream.Close() }()
	buf := make([]byte, 16<<10)
	for read := 0; read < drainedMost; {
		n, err := c.Read(buf)
		if err != nil {
			break
		}
		read += n
	}
	limit := time.NewTimer(closeLimit)
	defer limit.Stop()
	select {
	case err := <-done:
		return err
	case <-limit.C:
		return nil
	}
}

// pace keeps a burst of visitors from overflowing the agent. An agent queues 128 streams that it
// has not accepted yet and resets the rest, and nothing tells how full the queue is. So after
// every batch the edge opens a heartbeat: the queue is served in order, and its echo proves that
// everything before it was accepted.
type pace struct {
	session *session
	slots   chan struct{} // one for every stream that may still be queued
	mu      sync.Mutex
	sent    int // since the last heartbeat
}

const (
	paceWindow = 96
	paceBatch  = 32
	paceLimit  = 30 * time.Second // for the echo; the session is as good as dead then
)

func newPace(s *session) *pace {
	return &pace{session: s, slots: make(chan struct{}, paceWindow)}
}

func (p *pace) take(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-p.session.done:
		return net.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pace) opened(ok bool) {
	if !ok {
		<-p.slots
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent++; p.sent < paceBatch {
		return
	}
	batch := p.sent
	p.sent = 0
	go func() {
		p.session.probe()
		for range batch {
			<-p.slots
		}
	}()
}

// probe returns when the agent has accepted every stream that was opened before.
func (s *session) probe() {
	str, err := s.mux.OpenStream()
	if err != nil {
		return
	}
	defer func() { _ = str.Close() }()
	_ = str.SetReadDeadline(time.Now().Add(paceLimit))
	beat := make([]byte, 4)
	if _, err := str.Write(append(binary.BigEndian.AppendUint32(nil, typeHeartbeat), beat...)); err != nil {
		return
	}
	if _, err := io.ReadFull(str, beat); err != nil {
		return
	}
	// The agent's echo of this one meets a closed stream and is reset; else it would keep its
	// half of the stream for the whole session.
	_, _ = str.Write(beat)
}
