package edge

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
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
	return &stream{Stream: str}, nil
}

// stream is a visitor's connection that can always be closed.
type stream struct {
	muxado.Stream
	once    sync.Once
	writing atomic.Int32
}

const (
	lastWords   = time.Millisecond // for what the agent still has to say
	drainedMost = 512 << 10        // twice a stream's window
)

// Write hands bytes to the agent; it waits while the agent's window is full.
func (c *stream) Write(b []byte) (int, error) {
	c.writing.Add(1)
	defer c.writing.Add(-1)
	return c.Stream.Write(b)
}

// SetDeadline limits reading alone, see SetWriteDeadline.
func (c *stream) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline does nothing: an expired one corrupts the session (muxado v2.0.2).
func (c *stream) SetWriteDeadline(time.Time) error { return nil }

// Close ends the connection at once. A writer that waits for the window has the stream's lock, so
// it is not waited for: it ends with the agent's reader or with the session.
func (c *stream) Close() error {
	c.once.Do(func() {
		if c.writing.Load() == 0 {
			c.end()
		} else {
			go c.end()
		}
	})
	return nil
}

// end reads a little before it closes. An agent that waits for a full window is not woken by a
// close: what is read here opens the window, and what it sends then meets a reset.
func (c *stream) end() {
	c.SetReadDeadline(time.Now().Add(lastWords))
	buf := make([]byte, 16<<10)
	for read := 0; read < drainedMost; {
		n, err := c.Stream.Read(buf)
		if err != nil {
			break
		}
		read += n
	}
	c.Stream.Close()
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
	defer str.Close()
	str.SetReadDeadline(time.Now().Add(paceLimit))
	beat := make([]byte, 4)
	if _, err := str.Write(append(binary.BigEndian.AppendUint32(nil, typeHeartbeat), beat...)); err != nil {
		return
	}
	if _, err := io.ReadFull(str, beat); err != nil {
		return
	}
	// The agent's echo of this one meets a closed stream and is reset; else it would keep its
	// half of the stream for the whole session.
	str.Write(beat)
}
