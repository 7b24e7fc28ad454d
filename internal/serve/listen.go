// Package serve runs HTTP servers that belong to one person on one machine.
package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// Listen opens a listener on host:port or on unix:///path. Port 0 takes a free one; a taken port
// is an error, never another port. Unless allowLAN, only addresses of this machine are opened. A
// socket is made 0600 in a folder that only its owner may enter. Errors are *AddrError.
func Listen(addr string, allowLAN bool) (net.Listener, error) {
	if path, ok := strings.CutPrefix(addr, "unix://"); ok {
		return listenUnix(addr, path)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &AddrError{Addr: addr, Err: err, next: "write host:port, e.g. 127.0.0.1:7070"}
	}
	if !Loopback(host) && !allowLAN {
		return nil, &AddrError{Addr: addr, Err: errors.New("other machines could reach this address"), next: "use 127.0.0.1, or start with --allow-lan"}
	}
	l, err := bind("tcp", addr)
	if err == nil {
		return l, nil
	}
	if !taken(err) {
		return nil, &AddrError{Addr: addr, Err: cause(err), next: "choose another address"}
	}
	failed := &AddrError{Addr: addr, Err: errTaken, next: "stop what uses it, or choose another address (port 0 takes a free one)"}
	if n, err := strconv.Atoi(port); err == nil {
		failed.Program, failed.PID = holder(n)
	}
	return nil, failed
}

// bind does not wait for anything, so there is nothing to cancel.
func bind(network, addr string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(context.Background(), network, addr)
}

// Loopback reports that a host is this machine, without asking any name server.
func Loopback(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

var errTaken = errors.New("the address is in use")

// AddrError says why an address could not be opened.
type AddrError struct {
	Addr    string
	Program string // who uses it, as far as that could be found
	PID     int    // its process, or 0
	Err     error
	next    string
}

func (e *AddrError) Error() string {
	text := fmt.Sprintf("listening on %s: %v", e.Addr, e.Err)
	if e.Program != "" {
		text += fmt.Sprintf(" by %q (process %d)", e.Program, e.PID)
	}
	return text
}

// Unwrap returns the cause.
func (e *AddrError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *AddrError) Hint() string { return e.next }

// taken: Windows has a number of its own for it (WSAEADDRINUSE).
func taken(err error) bool {
	const wsaeaddrinuse = syscall.Errno(10048)
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaeaddrinuse)
}

// cause strips the address, which our message has already.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
