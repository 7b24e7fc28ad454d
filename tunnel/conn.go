package tunnel

import (
	"net"
	"sync"
	"time"
)

// conn is a connection that the tunnel knows about.
type conn struct {
	net.Conn
	once   sync.Once
	closed func()
}

// Close ends the connection and forgets it.
func (c *conn) Close() error {
	var err error
	c.once.Do(func() {
		err = c.Conn.Close()
		c.closed()
	})
	return err
}

// stream is a connection of ngrok's library, a muxado stream (v2.0.2), without its traps.
type stream struct{ net.Conn }

const (
	closeLimit  = 10 * time.Millisecond
	drainedMost = 512 << 10 // twice a stream's window
)

// SetDeadline limits reading only, see SetWriteDeadline.
func (s stream) SetDeadline(t time.Time) error { return s.SetReadDeadline(t) }

// SetWriteDeadline does nothing. A write deadline that expires is a data race that can corrupt
// the whole link, and it does not even free a writer that waits for the window. A handler with
// much to send watches its request's context instead.
func (s stream) SetWriteDeadline(time.Time) error { return nil }

// Close ends the connection at once, whatever its reader and writer wait for.
//
// A writer that waits for the window holds the lock that closing needs, so closing is not waited
// for long; it ends with the writer or with the link. And a sender on the other side that waits
// for the window is not woken by a close: reading on opens his window, and what he sends then
// meets a reset. A closed stream gives what it still holds and then an error, without waiting.
func (s stream) Close() error {
	_ = s.SetReadDeadline(time.Time{}) // one that has passed would keep what is held
	done := make(chan error, 1)
	go func() { done <- s.Conn.Close() }()
	buf := make([]byte, 16<<10)
	for read := 0; read < drainedMost; {
		n, err := s.Read(buf)
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
