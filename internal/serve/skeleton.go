// Package serve runs HTTP servers that belong to one person on one machine.
package serve

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Listen opens a listener.
func Listen(addr string, allowLAN bool) (net.Listener, error) { return net.Listen("tcp", addr) }

// Guard says who may talk to a local door.
type Guard struct {
	Addr         net.Addr // the listener's address
	Hosts        []string // more Host values that are ours, lower case, with port
	AllowOrigins []string // browser origins that may call
	Key          string
	KeyRequired  bool
	Refused      func(r *http.Request, code string) // told of every refusal; may be nil
}

// LocalOnly guards next.
func LocalOnly(g Guard, next http.Handler) http.Handler { return next }

// Limits bounds what a client may take. Zero fields mean the defaults.
type Limits struct {
	HeaderTime time.Duration // for all header fields; 10 s
	Header     int           // bytes of header fields; 64 KiB
	Idle       time.Duration // between requests; 2 min
	BodyIdle   time.Duration // between two reads of a body; 30 s
	Logger     *slog.Logger  // the server's own complaints; nil: dropped
}

// New makes a server.
func New(h http.Handler, o Limits) *http.Server { return &http.Server{Handler: h} }

// Door is one listener, its server, and how long its requests may take to end.
type Door struct {
	Name     string
	Listener net.Listener
	Server   *http.Server
	Drain    time.Duration
}

// Until serves all doors until ctx ends or one of them dies.
func Until(ctx context.Context, doors ...Door) error { return nil }
