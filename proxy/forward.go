package proxy

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/elazarl/goproxy"
)

// forward is the door for HTTPS_PROXY.
type forward struct {
	p        *Proxy
	o        ForwardOptions
	ca       tls.Certificate
	engine   *goproxy.ProxyHttpServer
	inside   map[string]*porch // by the name that was asked for
	server   *http.Server      // what runs inside intercepted tunnels
	frontier *frontier
	plain    http.RoundTripper
}

func newForward(p *Proxy, ca tls.Certificate, o ForwardOptions) *forward {
	if o.First <= 0 {
		o.First = 10 * time.Second
	}
	if o.Idle <= 0 {
		o.Idle = 10 * time.Minute
	}
	f := &forward{p: p, o: o, ca: ca, frontier: &frontier{o, special()}}
	f.engine = p.engine(&leaves{ca: ca, kept: map[string]*tls.Certificate{}})
	f.engine.OnRequest().HandleConnectFunc(f.decide)
	f.engine.ConnectionErrHandler = f.unreachable
	f.inside = map[string]*porch{
		apiHost:   {p: p, door: apiTunnel, engine: f.engine},
		loginHost: {p: p, door: loginTunnel, engine: f.engine},
	}
	f.plain = &mender{p, strangers{&http.Transport{
		DialContext: f.frontier.dial, ResponseHeaderTimeout: p.o.Timeout, DisableCompression: true,
		MaxIdleConns: 64, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 256 << 10,
	}}}
	f.server = &http.Server{
		Handler:           http.HandlerFunc(f.serveInside),
		ConnContext:       remember,
		ReadHeaderTimeout: 10 * time.Second, // also bounds the handshake
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	p.mu.Lock()
	p.inner = append(p.inner, f.server)
	p.mu.Unlock()
	return f
}

func (f *forward) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
		w.Header().Set("Connection", "close") // as on the porch
	}
	if no := f.admit(w, r); no != nil {
		f.p.turnAway(w, r, no)
	}
}

func (f *forward) admit(w http.ResponseWriter, r *http.Request) *refusal {
	if r.Method != http.MethodConnect && !r.URL.IsAbs() {
		return f.serveOwn(w, r)
	}
	if no := f.checkKey(r); no != nil {
		return no
	}
	if r.Method == http.MethodConnect {
		return f.connect(w, r)
	}
	return f.sendPlain(w, r)
}

// serveOwn serves the door's own page: the certificate that clients have to trust, never its key.
func (f *forward) serveOwn(w http.ResponseWriter, r *http.Request) *refusal {
	if r.URL.Path != "/_bcdev/ca.pem" || r.URL.RawPath != "" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return refuse(http.StatusNotFound, "unknown_route", "this is the forward door: it is used as a proxy",
			"set HTTPS_PROXY=http://"+hostOf(r)+" (see bcdev env --forward); the CA is at /_bcdev/ca.pem")
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if len(f.ca.Certificate) > 0 {
		w.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.ca.Certificate[0]}))
	}
	return nil
}

// checkKey compares the proxy password, when one is asked for.
func (f *forward) checkKey(r *http.Request) *refusal {
	if f.o.Key == nil {
		return nil
	}
	no := refuse(http.StatusProxyAuthRequired, "missing_key", "this door asks for its key",
		"put it into the proxy's address: http://bcdev:<key>@"+hostOf(r)).with("Proxy-Authenticate", `Basic realm="bcdev"`)
	scheme, value, _ := strings.Cut(r.Header.Get("Proxy-Authorization"), " ")
	switch {
	case value == "":
		return no
	case strings.EqualFold(scheme, "Bearer") && f.o.Key(value):
		return nil
	case strings.EqualFold(scheme, "Basic"):
		if plain, err := base64.StdEncoding.DecodeString(value); err == nil {
			user, password, _ := strings.Cut(string(plain), ":")
			if f.o.Key(password) || password == "" && f.o.Key(user) {
				return nil
			}
		}
	}
	no.code, no.message = "bad_key", "this is not the door's key"
	return no
}

// connect decides about a tunnel before the engine hears of it.
func (f *forward) connect(w http.ResponseWriter, r *http.Request) *refusal {
	host, port, err := net.SplitHostPort(r.URL.Host)
	host = plainHost(host)
	switch {
	case err == nil && f.self(host, port):
		return selfTarget().closing()
	case err != nil || port != "443" || host == "":
		return refuse(http.StatusForbidden, "port_not_allowed", "tunnels lead to port 443 only", "use https on its usual port").closing()
	case f.p.full():
		return refuse(http.StatusServiceUnavailable, "too_many_tunnels", fmt.Sprintf("there are %d tunnels already", mostTunnels), "close some").closing()
	}
	if ip, err := netip.ParseAddr(host); err == nil && !f.frontier.public(ip) {
		return (&privateAddress{host, ip}).refusal().closing()
	}
	t := &tunnel{Context: r.Context(), host: host}
	tw := &tunnelWriter{ResponseWriter: w, p: f.p}
	if t.inspect = f.inside[host] != nil; !t.inspect {
		t.pulse = &pulse{start: time.Now(), first: f.o.First, idle: f.o.Idle}
		tw.pulse = t.pulse
		if f.o.Tunnelled != nil {
			f.o.Tunnelled(host)
		}
	}
	f.engine.ServeHTTP(tw, r.WithContext(t))
	return nil
}

// tunnel is the context of a CONNECT that was let in.
type tunnel struct {
	context.Context
	host    string
	inspect bool
	pulse   *pulse
}

type tunnelKey struct{}

// Value finds the tunnel itself.
func (t *tunnel) Value(key any) any {
	if key == (tunnelKey{}) {
		return t
	}
	return t.Context.Value(key)
}

// decide is the engine's CONNECT handler. Without it the engine would tunnel to anywhere.
func (f *forward) decide(host string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
	t, _ := ctx.Req.Context().Value(tunnelKey{}).(*tunnel)
	switch {
	case t == nil:
		return &goproxy.ConnectAction{Action: goproxy.ConnectReject}, host
	case t.inspect:
		// Not the engine's own interception: it has no deadlines, reads headers without a limit
		// and goes where the inner request says. A server of ours runs inside instead, and what
		// it lets in enters the engine as any call does.
		return &goproxy.ConnectAction{Action: goproxy.ConnectHijack, Hijack: f.inspect}, host
	}
	ctx.Dialer = func(c context.Context, network, address string) (net.Conn, error) {
		conn, err := f.frontier.dial(c, network, address)
		if err != nil {
			return nil, err
		}
		t.pulse.start = time.Now() // the client can send from now on
		return f.p.keep(conn, nil, t.pulse), nil
	}
	return &goproxy.ConnectAction{Action: goproxy.ConnectAccept}, net.JoinHostPort(t.host, "443")
}

// unreachable answers a tunnel whose far end could not be dialled.
func (f *forward) unreachable(conn io.Writer, ctx *goproxy.ProxyCtx, err error) {
	no := tunnelFailure(ctx.Req.URL.Hostname(), err)
	if f.p.o.Refused != nil {
		f.p.o.Refused(ctx.Req, no.code, no.message, no.hint)
	}
	res := no.response(ctx.Req) //nolint:bodyclose // it holds bytes of ours
	res.Close = true
	_ = res.Write(conn) // a client that has gone needs no answer
}

// inspect serves the inside of a tunnel to BigCommerce.
func (f *forward) inspect(req *http.Request, client net.Conn, ctx *goproxy.ProxyCtx) {
	t, _ := req.Context().Value(tunnelKey{}).(*tunnel)
	config, err := goproxy.TLSConfigFromCA(&f.ca)(t.host, ctx)
	if err != nil {
		f.unreachable(client, ctx, err)
		client.Close()
		return
	}
	config.MinVersion = tls.VersionTLS12
	config.NextProtos = []string{"h2", "http/1.1"}
	_ = client.SetWriteDeadline(time.Now().Add(f.o.First))
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		client.Close()
		return
	}
	_ = client.SetWriteDeadline(time.Time{})
	if err := f.server.Serve(&oneConn{conn: tls.Server(insideConn{client, t.host}, config)}); err == http.ErrServerClosed {
		client.Close()
	}
}

// insideConn remembers which host the tunnel was asked for.
type insideConn struct {
	net.Conn
	host string
}

type insideKey struct{}

// remember puts the host into the context of everything that comes through the tunnel.
func remember(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		if inside, ok := t.NetConn().(insideConn); ok {
			return context.WithValue(ctx, insideKey{}, inside.host)
		}
	}
	return ctx
}

// serveInside holds the inner request to the host of its tunnel. A policy decided at CONNECT would
// else sign for whatever Host, authority or absolute target the client wrote inside.
func (f *forward) serveInside(w http.ResponseWriter, r *http.Request) {
	host, _ := r.Context().Value(insideKey{}).(string)
	if !sameAuthority(r.Host, host) || r.URL.IsAbs() && (!sameAuthority(r.URL.Host, host) || r.URL.Scheme != "https") {
		f.p.turnAway(w, r, refuse(http.StatusMisdirectedRequest, "authority_mismatch",
			"the request inside the tunnel is for another host than the tunnel", "open a tunnel for each host"))
		return
	}
	f.inside[host].ServeHTTP(w, r)
}

func sameAuthority(authority, host string) bool {
	authority = strings.TrimSuffix(strings.ToLower(authority), ":443")
	return subtle.ConstantTimeCompare([]byte(plainHost(authority)), []byte(host)) == 1
}

// plainHost writes a host name in one way.
func plainHost(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

// self reports whether host and port are one of our own listeners.
func (f *forward) self(host, port string) bool {
	for _, own := range f.o.Self {
		h, p, err := net.SplitHostPort(own)
		if err == nil && p == port && (h == host || isLoopback(host) || host == "0.0.0.0" || host == "::") {
			return true
		}
	}
	return false
}

func selfTarget() *refusal {
	return refuse(http.StatusForbidden, "self_target", "the forward door does not lead to bcdev's own addresses",
		"open that address directly: NO_PROXY=localhost,127.0.0.1,::1")
}

// sendPlain brings a request in clear text to a public host that is none of BigCommerce's. It
// passes as it is, and nothing is added.
func (f *forward) sendPlain(w http.ResponseWriter, r *http.Request) *refusal {
	host, port := plainHost(r.URL.Hostname()), r.URL.Port()
	if port == "" {
		port = "80"
	}
	switch {
	case f.self(host, port):
		return selfTarget()
	case r.URL.Scheme != "http":
		return refuse(http.StatusBadRequest, "absolute_form", "https passes through CONNECT only", "set HTTPS_PROXY to this door and let the client open tunnels")
	case host == "bigcommerce.com" || strings.HasSuffix(host, ".bigcommerce.com"):
		return refuse(http.StatusForbidden, "plaintext_upstream", "no token is put on a connection in clear text", "use https://"+host)
	case r.Method == http.MethodTrace:
		return refuse(http.StatusMethodNotAllowed, "method_not_allowed", "this method is not sent on", "use another one")
	}
	if ip, err := netip.ParseAddr(host); err == nil && !f.frontier.public(ip) {
		return (&privateAddress{host, ip}).refusal()
	}
	d := &porch{p: f.p, engine: f.engine}
	c := d.newCall(w, r, kindPlain)
	defer c.finish()
	c.through = f.plain
	c.aim(r.URL, rawPath(r), r.URL.RawQuery, r.URL.ForceQuery)
	c.w.take = func(conn net.Conn, ahead []byte) net.Conn {
		pl := &pulse{start: time.Now(), first: f.o.Idle, idle: f.o.Idle}
		return f.p.keep(conn, ahead, pl)
	}
	return d.run(c, c.request(plainHeader(r.Header)))
}

// plainHeader drops what belongs to the connection and keeps the rest, credentials included: they
// are between the client and its host. A WebSocket handshake keeps what makes it one.
func plainHeader(in http.Header) http.Header {
	out := make(http.Header, len(in)+1)
	connection := in["Connection"]
	for name, values := range in {
		if !hop(name) && name != "Http2-Settings" && name != "Expect" && !nominated(connection, name) {
			out[name] = values
		}
	}
	if slices.ContainsFunc(in["Upgrade"], func(v string) bool { return strings.EqualFold(v, "websocket") }) && nominated(connection, "Upgrade") {
		out["Connection"], out["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	}
	if _, sent := out["User-Agent"]; !sent {
		out["User-Agent"] = []string{""}
	}
	return out
}

// strangers is the transport to other hosts.
type strangers struct{ next http.RoundTripper }

// RoundTrip passes the request on and makes the header that comes back harmless.
func (s strangers) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := s.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	upgraded := res.StatusCode == http.StatusSwitchingProtocols && strings.EqualFold(res.Header.Get("Upgrade"), "websocket")
	if !upgraded && (res.StatusCode < 200 || res.StatusCode > 999) {
		res.Body.Close()
		return nil, fmt.Errorf("%s answered with the status %d", req.URL.Host, res.StatusCode)
	}
	neutralise(res.Header)
	return res, nil
}
