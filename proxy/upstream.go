package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// newTransport makes the connections to upstream. Certificates are always checked; redirects are
// not its business; bodies pass as they are on the wire.
func newTransport(o Options) (*http.Transport, *stash) {
	s := &stash{dial: o.DialContext, tls: &tls.Config{
		RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		ClientSessionCache: tls.NewLRUClientSessionCache(16), // a later dial saves a round trip
	}}
	if s.dial == nil {
		s.dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	return &http.Transport{
		Proxy:                  onlyConnect(o.Proxy),
		DialContext:            s.dial,
		DialTLSContext:         s.take,
		TLSClientConfig:        s.tls.Clone(), // for upstream behind a proxy
		TLSHandshakeTimeout:    handshakeTimeout,
		ResponseHeaderTimeout:  o.Timeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 20 * time.Second, PingTimeout: 15 * time.Second},
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        4 * time.Minute,
		MaxResponseHeaderBytes: 256 << 10,
		DisableCompression:     true,
	}, s
}

// onlyConnect lets a proxy carry TLS only: it would read a token that passes in the clear.
func onlyConnect(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	if proxy == nil {
		return nil
	}
	return func(r *http.Request) (*url.URL, error) {
		if r.URL.Scheme != "https" {
			return nil, nil
		}
		return proxy(r)
	}
}

// warmFor is how long a connection that was dialled ahead is believed in.
const warmFor = time.Minute

// stash dials TLS, and keeps one connection that was dialled ahead of the first call.
type stash struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	tls  *tls.Config

	mu      sync.Mutex
	ready   *tls.Conn
	raw     *peekConn
	address string
	since   time.Time
}

// fill dials u's host, checks its certificate and keeps the connection.
func (s *stash) fill(ctx context.Context, u *url.URL) error {
	if u.Scheme != "https" {
		return nil
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "443")
	}
	conn, raw, err := s.handshake(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("dialling %s ahead: %w", u.Host, err)
	}
	s.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready, s.raw, s.address, s.since = conn, raw, address, time.Now()
	return nil
}

// take is the transport's dialler for TLS.
func (s *stash) take(ctx context.Context, network, address string) (net.Conn, error) {
	s.mu.Lock()
	conn, raw, since := s.ready, s.raw, s.since
	fits := conn != nil && s.address == address
	if fits {
		s.ready, s.raw = nil, nil
	}
	s.mu.Unlock()
	if fits {
		if time.Since(since) < warmFor && raw.alive() {
			return conn, nil
		}
		_ = conn.Close() // it is given up
	}
	fresh, _, err := s.handshake(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return fresh, nil
}

func (s *stash) handshake(ctx context.Context, network, address string) (*tls.Conn, *peekConn, error) {
	plain, err := s.dial(ctx, network, address)
	if err != nil {
		return nil, nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		plain.Close()
		return nil, nil, err
	}
	config := s.tls.Clone()
	config.ServerName = host
	raw := &peekConn{Conn: plain, r: bufio.NewReaderSize(plain, 4<<10)}
	conn := tls.Client(raw, config)
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // it is given up
		if ctx.Err() == context.DeadlineExceeded {
			return nil, nil, fmt.Errorf("TLS handshake: %w", ctx.Err())
		}
		return nil, nil, err
	}
	return conn, raw, nil
}

func (s *stash) close() {
	s.mu.Lock()
	conn := s.ready
	s.ready, s.raw = nil, nil
	s.mu.Unlock()
	if conn != nil {
		_ = conn.Close() // it is given up
	}
}

// peekConn is a connection that can be looked at without taking anything from it.
type peekConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *peekConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// alive reports whether the other side has not hung up. Bytes that came meanwhile (session tickets,
// the HTTP/2 preface) stay where they are.
func (c *peekConn) alive() bool {
	defer func() { _ = c.SetReadDeadline(time.Time{}) }() // a connection that cannot is found dead
	for n := c.r.Buffered() + 1; n <= c.r.Size(); n = c.r.Buffered() + 1 {
		if c.SetReadDeadline(time.Now().Add(time.Millisecond)) != nil {
			return false
		}
		if _, err := c.r.Peek(n); err != nil {
			var timeout net.Error
			ok := errors.As(err, &timeout)
			return ok && timeout.Timeout()
		}
	}
	return true
}
