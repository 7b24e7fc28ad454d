package edge

import (
	"net"
	"sync"
)

// limiter lets a number of connections be open at a time; more wait in the system's queue.
type limiter struct {
	net.Listener
	slots chan struct{}
}

func limited(ln net.Listener, most int) net.Listener {
	return &limiter{ln, make(chan struct{}, most)}
}

// Accept waits for a slot and then for a connection.
func (l *limiter) Accept() (net.Conn, error) {
	l.slots <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: c, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

type limitedConn struct {
	net.Conn
	free func()
}

// Close gives the slot back.
func (c *limitedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}
