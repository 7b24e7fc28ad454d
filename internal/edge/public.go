package edge

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"
)

const (
	headerLimit   = 10 * time.Second
	visitorIdle   = 2 * time.Minute
	agentIdle     = 10 * time.Second // shorter than an agent's server keeps a connection
	maxHeaderSize = 64 << 10
	maxAnswerHead = 1 << 20
	codeHeader    = "Ngrok-Error-Code"
)

// servePublic takes visitors: HTTP/1.1 and HTTP/2 over TLS, a certificate for every name.
func (e *Edge) servePublic(ln net.Listener) {
	e.client = e.newClient()
	e.server = &http.Server{
		Handler:           http.HandlerFunc(e.visit),
		ReadHeaderTimeout: headerLimit,
		IdleTimeout:       visitorIdle,
		MaxHeaderBytes:    maxHeaderSize,
		ErrorLog:          slog.NewLogLogger(e.log.Handler(), slog.LevelDebug),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
				return e.ca.forVisitor(h.ServerName, e.options.Now())
			},
		},
	}
	e.wg.Go(func() { _ = e.server.ServeTLS(limited(ln, maxVisitors), "", "") })
}

func (e *Edge) closePublic() error {
	ctx, cancel := context.WithTimeout(context.Background(), graceForPublic)
	defer cancel()
	e.client.CloseIdleConnections()
	if e.server.Shutdown(ctx) == nil {
		return nil
	}
	return e.server.Close()
}

func (e *Edge) visit(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		http.Error(w, "CONNECT is not for this door", http.StatusMethodNotAllowed)
		return
	}
	host := hostOf(r)
	ep := e.find(host)
	if ep == nil {
		offline(w, host)
		return
	}
	ep.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitorKey{}, r.RemoteAddr)))
}

type visitorKey struct{}

func hostOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

func (e *Edge) find(host string) *endpoint {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.endpoints[host]
}

// offline is what ngrok's cloud says of a name without an agent.
func offline(w http.ResponseWriter, host string) {
	answer(w, http.StatusNotFound, "ERR_NGROK_3200", fmt.Sprintf("The endpoint %.253s is offline.", host))
}

func answer(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set(codeHeader, code)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	io.WriteString(w, text+"\r\n\r\n"+code+"\r\n")
}

// endpoint is a public name that is online.
type endpoint struct {
	session                  *session
	host                     string
	bindID, resume, tunnelID string
	transport                *http.Transport
	proxy                    *httputil.ReverseProxy
}

func newEndpoint(s *session, host, bindID string) *endpoint {
	ep := &endpoint{session: s, host: host, bindID: bindID, tunnelID: randomID("tn_")}
	if ep.bindID == "" {
		ep.bindID = randomID("")
	}
	ep.transport = &http.Transport{
		DialContext:            ep.dial,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        agentIdle,
		MaxResponseHeaderBytes: maxAnswerHead,
	}
	ep.proxy = &httputil.ReverseProxy{
		Rewrite:       ep.rewrite,
		Transport:     ep.transport,
		FlushInterval: -1, // nothing is held back: streams have to stream
		BufferPool:    &buffers{},
		ErrorHandler:  ep.failed,
		ErrorLog:      slog.NewLogLogger(s.edge.log.Handler(), slog.LevelDebug),
	}
	return ep
}

func (ep *endpoint) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	visitor, _ := ctx.Value(visitorKey{}).(string)
	return ep.session.connect(ctx, ep.bindID, visitor)
}

// rewrite keeps the request as it came and adds who asked, behind what the visitor claimed: only
// the last value is the edge's (ngrok docs, HTTP endpoints, "Upstream headers").
func (ep *endpoint) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme, r.Out.URL.Host = "http", ep.host
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	r.Out.Host = r.In.Host
	ip, _, err := net.SplitHostPort(r.In.RemoteAddr)
	if err != nil {
		ip = r.In.RemoteAddr
	}
	for name, value := range map[string]string{
		"X-Forwarded-For": ip, "X-Forwarded-Proto": "https", "X-Forwarded-Host": r.In.Host,
	} {
		claimed := r.In.Header.Values(name)
		r.Out.Header.Set(name, strings.Join(append(claimed[:len(claimed):len(claimed)], value), ", "))
	}
}

// failed answers a visitor whose request did not come through.
func (ep *endpoint) failed(w http.ResponseWriter, r *http.Request, err error) {
	ep.session.edge.log.Debug("visitor", "host", ep.host, "err", err)
	select {
	case <-ep.session.done:
		offline(w, ep.host)
	default:
		answer(w, http.StatusBadGateway, "ERR_NGROK_3004", "The agent gave no valid HTTP answer.")
	}
}

// offline lets go of the connections that wait for the next visitor. It does not wait itself.
func (ep *endpoint) offline() { go ep.transport.CloseIdleConnections() }

// buffers are reused for copying bodies.
type buffers struct{ pool sync.Pool }

// Get returns a buffer of 32 KiB.
func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 32<<10)
}

// Put takes a buffer back.
func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
