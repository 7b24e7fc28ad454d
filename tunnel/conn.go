package tunnel

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a connection that can always be closed.
type conn struct {
	net.Conn
	once    sync.Once
	writing atomic.Int32
	closed  func()
}

const (
	lastWords   = time.Millisecond // for what the other side still has to say
	drainedMost = 512 << 10        // twice a stream's window
)

func (c *conn) Write(b []byte) (int, error) {
	c.writing.Add(1)
	defer c.writing.Add(-1)
	return c.Conn.Write(b)
}

// SetDeadline limits reading only, see SetWriteDeadline.
func (c *conn) SetDeadline(t time.Time) error { return c.Conn.SetReadDeadline(t) }

// SetWriteDeadline does nothing. A write deadline that expires on a muxado stream is a data race
// that can corrupt the whole link, and it does not even free a writer that waits for the window.
// A handler with much to send watches its request's context instead.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// Close ends the connection at once, whatever its reader and writer wait for.
func (c *conn) Close() error {
	c.once.Do(func() {
		if c.writing.Load() == 0 {
			c.end()
		} else {
			// The stream's lock is with a writer that waits for the window, and closing waits for
			// the lock. It ends with the writer or with the link.
			go c.end()
		}
		c.closed()
	})
	return nil
}

// end reads a little before it closes. A sender on the other side that waits for a full window is
// not woken by a close; what is read here opens the window, and what it sends then meets a reset.
func (c *conn) end() {
	if c.Conn.SetReadDeadline(time.Now().Add(lastWords)) == nil {
		buf := make([]byte, 16<<10)
		for read := 0; read < drainedMost; {
			n, err := c.Conn.Read(buf)
			if err != nil {
				break
			}
			read += n
		}
	}
	c.Conn.Close()
}
