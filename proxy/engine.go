package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/elazarl/goproxy"
)

// engine makes a goproxy for a door. Its defaults are for other uses: everything that decides where
// a request goes, by whom it is sent and what is said about it is set here.
func (p *Proxy) engine(certs goproxy.CertStorage) *goproxy.ProxyHttpServer {
	e := goproxy.NewProxyHttpServer()
	e.Logger = engineLog{p.log}
	e.Verbose = p.o.Verbose
	e.Tr = p.transport              // never used by our handlers; the default one is not ours to trust
	e.ConnectDial = nil             // it was read from HTTPS_PROXY, which may be ourselves
	e.KeepAcceptEncoding = true     // bodies travel and are recorded as they are on the wire
	e.KeepDestinationHeaders = true // a handler in front has set the CORS answer already
	e.CertStore = certs
	e.NonproxyHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		unknownRoute(r.URL.Path).write(w)
	})
	e.OnRequest().DoFunc(p.enter)
	return e
}

// enter sends a request that came over the porch into the chain. One that did not is turned away:
// nothing in this house is signed without a call.
func (p *Proxy) enter(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	c := callOf(r.Context())
	if c == nil || r.URL.Host != c.url.Host {
		return r, unknownRoute("").response(r)
	}
	ctx.RoundTripper = through{}
	return r, nil
}

// through is the engine's round tripper. It never returns an error: the chain makes answers of
// failures, and what is left means that nobody is waiting for an answer any more.
type through struct{}

// RoundTrip sends the request through what its call was given.
func (through) RoundTrip(req *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
	c := callOf(req.Context())
	res, err := c.through.RoundTrip(req)
	switch {
	case err == nil:
		return c.receive(res), nil
	case errors.Is(err, errReset):
		c.w.reset()
		panic(http.ErrAbortHandler)
	case errors.Is(err, context.Canceled):
		panic(http.ErrAbortHandler)
	}
	return c.receive(c.p.failure(req, err).response(req)), nil
}

// reset breaks the client's connection the hard way, as a crashed server would.
func (w *writer) reset() {
	conn, _, err := w.Hijack()
	if err != nil {
		return // HTTP/2: the abort that follows resets the stream
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}

// engineLog is goproxy's log. Its lines carry paths and errors of strangers.
type engineLog struct{ log *slog.Logger }

// Printf writes a line of the engine at debug level, escaped.
func (l engineLog) Printf(format string, v ...any) {
	if !l.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	line := strings.TrimSuffix(fmt.Sprintf(format, v...), "\n")
	if len(line) > 2<<10 {
		line = line[:2<<10]
	}
	l.log.Debug("engine", "line", strconv.QuoteToASCII(line))
}
