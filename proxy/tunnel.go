package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Most tunnels at once; each holds two descriptors.
const mostTunnels = 1024

// pulse bounds a tunnel's silence. Both of its connections share one: a long download is silent in
// one direction only.
type pulse struct {
	start       time.Time
	first, idle time.Duration
	last        atomic.Int64 // nanoseconds since start; 0: nothing yet
}

func (p *pulse) beat() { p.last.Store(max(1, int64(time.Since(p.start)))) }

// due is when the tunnel is given up if nothing comes.
func (p *pulse) due() time.Time {
	if last := p.last.Load(); last != 0 {
		return p.start.Add(time.Duration(last) + p.idle)
	}
	return p.start.Add(p.first)
}

// tunnelConn is one end of a tunnel. The server has let go of it, so it keeps its own deadlines,
// except where a server of ours runs inside (pulse nil).
type tunnelConn struct {
	net.Conn
	read  io.Reader // Conn, behind what the server had read of it already
	pulse *pulse
	p     *Proxy
	gone  sync.Once
}

// keep makes a tunnelConn that Shutdown knows of.
func (p *Proxy) keep(conn net.Conn, ahead []byte, pl *pulse) *tunnelConn {
	c := &tunnelConn{Conn: conn, read: conn, pulse: pl, p: p}
	if len(ahead) > 0 {
		c.read = io.MultiReader(bytes.NewReader(ahead), conn)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tuns[c] = struct{}{}
	if p.closed {
		conn.Close()
	}
	return c
}

// full reports whether there are as many tunnels as may be.
func (p *Proxy) full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed || len(p.tuns) >= 2*mostTunnels
}

func (c *tunnelConn) Read(b []byte) (int, error) {
	for {
		if c.pulse != nil {
			_ = c.SetReadDeadline(c.pulse.due()) // a connection that cannot is closed already
		}
		n, err := c.read.Read(b)
		if c.pulse == nil {
			return n, err
		}
		if n > 0 {
			c.pulse.beat()
		} else if err != nil && isTimeout(err) && time.Now().Before(c.pulse.due()) {
			continue // the other direction was at work
		}
		return n, err
	}
}

func (c *tunnelConn) Write(b []byte) (int, error) {
	if c.pulse != nil {
		_ = c.SetWriteDeadline(time.Now().Add(c.pulse.idle))
	}
	n, err := c.Conn.Write(b)
	if c.pulse != nil && n > 0 && c.pulse.last.Load() != 0 {
		c.pulse.beat()
	}
	return n, err
}

// Close lets the connection go.
func (c *tunnelConn) Close() error {
	c.gone.Do(func() {
		c.p.mu.Lock()
		delete(c.p.tuns, c)
		c.p.mu.Unlock()
	})
	return c.Conn.Close()
}

// CloseWrite says that no more will come.
func (c *tunnelConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// CloseRead says that no more is wanted.
func (c *tunnelConn) CloseRead() error {
	if half, ok := c.Conn.(interface{ CloseRead() error }); ok {
		return half.CloseRead()
	}
	return nil
}

// tunnelWriter hands the engine a client's connection with deadlines on it.
type tunnelWriter struct {
	http.ResponseWriter
	p     *Proxy
	pulse *pulse
}

var _ http.Hijacker = (*tunnelWriter)(nil)

// Unwrap is for http.ResponseController.
func (w *tunnelWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack takes the connection from the server, with what it had read of it ahead: the engine would
// lose a handshake that came in one packet with the CONNECT.
func (w *tunnelWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	ahead, _ := rw.Peek(rw.Reader.Buffered()) // as much as there is
	return w.p.keep(conn, bytes.Clone(ahead), w.pulse), rw, nil
}

// oneConn is a listener that has one connection to give.
type oneConn struct {
	conn net.Conn
	once sync.Once
}

// Accept gives the connection, once.
func (l *oneConn) Accept() (conn net.Conn, err error) {
	err = net.ErrClosed
	l.once.Do(func() { conn, err = l.conn, nil })
	return conn, err
}

// Close leaves the connection alone.
func (l *oneConn) Close() error { return nil }

// Addr is the connection's own.
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }
