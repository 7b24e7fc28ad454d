package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// forwarding is a forward door with everything around it that a test asks about.
type forwarding struct {
	*httptest.Server
	p       *Proxy
	pool    *x509.CertPool
	mu      sync.Mutex
	dialled []string
	listed  []string
}

// openForward starts the forward door in front of u. Every name resolves as lookup says, and every
// dialled address leads to far (host:port).
func openForward(t *testing.T, u *upstream, lookup map[string]string, far string, change func(*Options, *ForwardOptions)) *forwarding {
	t.Helper()
	ca, pool := newCA(t)
	f := &forwarding{pool: pool}
	o := options(t, u)
	fo := ForwardOptions{
		Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			if a, ok := lookup[host]; ok {
				return []netip.Addr{netip.MustParseAddr(a)}, nil
			}
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			f.mu.Lock()
			f.dialled = append(f.dialled, address)
			f.mu.Unlock()
			return (&net.Dialer{}).DialContext(ctx, network, far)
		},
		Tunnelled: func(host string) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.listed = append(f.listed, host)
		},
	}
	if change != nil {
		change(&o, &fo)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	f.p = p
	f.Server = serveDoor(t, p.Forward(ca, fo))
	t.Cleanup(func() { p.Shutdown(context.Background()) })
	return f
}

func (f *forwarding) dials() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.dialled...)
}

// client is a client with HTTP(S)_PROXY set to the door, and the CA trusted.
func (f *forwarding) client(h2 bool) *http.Client {
	proxy, _ := url.Parse(f.URL)
	tr := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: f.pool}, ForceAttemptHTTP2: h2, DisableCompression: true}
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// tunnel opens a CONNECT and speaks TLS inside.
func (f *forwarding) tunnel(t *testing.T, host string, protocols ...string) *tls.Conn {
	t.Helper()
	conn := dialRaw(t, f.Server)
	fmt.Fprintf(conn, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", host, host)
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("CONNECT: %v, %v", res, err)
	}
	inner := tls.Client(conn, &tls.Config{RootCAs: f.pool, ServerName: host, NextProtos: protocols})
	if err := inner.Handshake(); err != nil {
		t.Fatalf("handshake inside: %v", err)
	}
	t.Cleanup(func() { inner.Close() })
	return inner
}

func read(t *testing.T, res *http.Response, err error) (*http.Response, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestAnUnmodifiedClientIsSignedThroughTheForwardDoor(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		u := newUpstream(t, true, nil)
		f := openForward(t, u, nil, "", nil)
		req, _ := http.NewRequest(http.MethodPost, "https://api.bigcommerce.com/stores/aaa111/v3/caf%C3%A9?a=1;b", strings.NewReader("the body"))
		req.Header.Set("X-Auth-Token", "a placeholder")
		req.Header.Set("Cookie", "a=b")
		raw, err := f.client(h2).Do(req)
		res, body := read(t, raw, err)
		got := u.only(t)
		if res.StatusCode != http.StatusOK || body != `{"data":[]}` || res.ProtoMajor != map[bool]int{false: 1, true: 2}[h2] {
			t.Errorf("answer %d %q over %s", res.StatusCode, body, res.Proto)
		}
		if got.URI != "/stores/aaa111/v3/caf%C3%A9?a=1;b" || got.Body != "the body" || fmt.Sprint(got.Header["X-Auth-Token"]) != "["+testToken+"]" || got.Header.Get("Cookie") != "" {
			t.Errorf("upstream received %+v", got)
		}
		leaf := res.TLS.PeerCertificates[0]
		if leaf.DNSNames[0] != "api.bigcommerce.com" || leaf.NotAfter.Sub(leaf.NotBefore) > 197*24*time.Hour {
			t.Errorf("the leaf is for %v, from %v until %v", leaf.DNSNames, leaf.NotBefore, leaf.NotAfter)
		}
		if len(f.dials()) != 0 || len(f.listed) != 0 {
			t.Errorf("dialled %v, listed %v", f.dials(), f.listed)
		}
	}
}

func TestTheAppsOwnExchangeThroughTheForwardDoor(t *testing.T) {
	u := newUpstream(t, true, nil)
	f := openForward(t, u, nil, "", func(o *Options, _ *ForwardOptions) {
		o.Token = func(w http.ResponseWriter, _ *http.Request, body []byte) bool {
			if string(body) != exchange {
				return false
			}
			io.WriteString(w, "ours")
			return true
		}
	})
	raw, err := f.client(true).Post("https://login.bigcommerce.com/oauth2/token", "application/json", strings.NewReader(exchange))
	if res, body := read(t, raw, err); body != "ours" {
		t.Errorf("answer %d %q", res.StatusCode, body)
	}
	u.none(t)
	raw, err = f.client(true).Post("https://login.bigcommerce.com/oauth2/token", "application/json", strings.NewReader("{}"))
	read(t, raw, err)
	if got := u.only(t); got.URI != "/oauth2/token" || got.Header.Get("X-Auth-Token") != "" {
		t.Errorf("the login host received %+v", got)
	}
	for _, target := range []string{"https://login.bigcommerce.com/stores/aaa111/v3/x", "https://api.bigcommerce.com/oauth2/token", "https://api.bigcommerce.com/v3/x", "https://api.bigcommerce.com/accounts/1/graphql"} {
		raw, err = f.client(false).Post(target, "application/json", strings.NewReader("{}"))
		res, body := read(t, raw, err)
		refused(t, res, body, 404, "unknown_route")
	}
	u.only(t)
}

func TestTheAuthorityInsideMustBeTheTunnels(t *testing.T) {
	for name, request := range map[string]string{
		"M01 another Host":                "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
		"M01 another Host of BigCommerce": "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: login.bigcommerce.com\r\n\r\n",
		"M01 another port":                "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: api.bigcommerce.com:8443\r\n\r\n",
		"M01 a longer name":               "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: api.bigcommerce.com.evil.example\r\n\r\n",
		"M02 an absolute target":          "GET https://evil.example/ HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n",
		"M02 an absolute target in clear": "GET http://api.bigcommerce.com/stores/aaa111/v3/x HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(t, true, nil)
			f := openForward(t, u, map[string]string{"evil.example": "8.8.8.8"}, "", nil)
			inner := f.tunnel(t, "api.bigcommerce.com")
			io.WriteString(inner, request)
			raw, err := http.ReadResponse(bufio.NewReader(inner), nil)
			res, body := read(t, raw, err)
			refused(t, res, body, 421, "authority_mismatch")
			u.none(t)
			if d := f.dials(); len(d) != 0 {
				t.Errorf("dialled %v", d)
			}
		})
	}
}

func TestM03OnlyTheStreamWithTheOtherAuthorityIsRefused(t *testing.T) {
	u := newUpstream(t, true, nil)
	f := openForward(t, u, nil, "", nil)
	inner := f.tunnel(t, "api.bigcommerce.com", "h2")
	conn, err := (&http2.Transport{}).NewClientConn(inner) //nolint:staticcheck // one connection, already open, several authorities
	if err != nil {
		t.Fatal(err)
	}
	statuses := make([]int, 3)
	for i, authority := range []string{"api.bigcommerce.com", "evil.example", "api.bigcommerce.com:443"} {
		req, _ := http.NewRequest(http.MethodGet, "https://"+authority+"/stores/aaa111/v3/x", nil)
		raw, err := conn.RoundTrip(req)
		res, _ := read(t, raw, err)
		statuses[i] = res.StatusCode
	}
	if fmt.Sprint(statuses) != "[200 421 200]" || len(u.all()) != 2 {
		t.Errorf("statuses %v, upstream received %d", statuses, len(u.all()))
	}
}

func TestTheForwardDoorRefuses(t *testing.T) {
	const end = "\r\n\r\n"
	for _, test := range []struct {
		name, request string
		status        int
		code          string
	}{
		{"M05 another port", "CONNECT api.bigcommerce.com:22 HTTP/1.1\r\nHost: x" + end, 403, "port_not_allowed"},
		{"M05 a high port", "CONNECT api.bigcommerce.com:8443 HTTP/1.1\r\nHost: x" + end, 403, "port_not_allowed"},
		{"M05 no port", "CONNECT api.bigcommerce.com HTTP/1.1\r\nHost: x" + end, 403, "port_not_allowed"},
		{"M05 another port of another host", "CONNECT example.com:25 HTTP/1.1\r\nHost: x" + end, 403, "port_not_allowed"},
		{"M09 plain http to the API", "GET http://api.bigcommerce.com/stores/aaa111/v3/x HTTP/1.1\r\nHost: api.bigcommerce.com" + end, 403, "plaintext_upstream"},
		{"M09 in other letters", "GET http://API.BigCommerce.com.:80/stores/aaa111/v3/x HTTP/1.1\r\nHost: x" + end, 403, "plaintext_upstream"},
		{"https without a tunnel", "GET https://api.bigcommerce.com/stores/aaa111/v3/x HTTP/1.1\r\nHost: x" + end, 400, "absolute_form"},
		{"I04 our own window", "GET http://127.0.0.1:7071/api/exchanges HTTP/1.1\r\nHost: x" + end, 403, "self_target"},
		{"I04 our own window by name", "GET http://localhost:7071/api/exchanges HTTP/1.1\r\nHost: x" + end, 403, "self_target"},
		{"I04 our own window by tunnel", "CONNECT localhost:7071 HTTP/1.1\r\nHost: x" + end, 403, "self_target"},
		{"a private address", "CONNECT 192.168.1.1:443 HTTP/1.1\r\nHost: x" + end, 403, "private_address"},
		{"loopback", "CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: x" + end, 403, "private_address"},
		{"loopback in IPv6", "CONNECT [::1]:443 HTTP/1.1\r\nHost: x" + end, 403, "private_address"},
		{"loopback as mapped IPv6", "CONNECT [::ffff:127.0.0.1]:443 HTTP/1.1\r\nHost: x" + end, 403, "private_address"},
		{"a metadata address", "GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\r\nHost: x" + end, 403, "private_address"},
		{"a name that leads home", "CONNECT home.example:443 HTTP/1.1\r\nHost: x" + end, 403, "private_address"},
		{"a name that leads home in clear", "GET http://home.example/ HTTP/1.1\r\nHost: x" + end, 403, "private_address"},
		{"a name nobody knows", "CONNECT nowhere.example:443 HTTP/1.1\r\nHost: x" + end, 502, "upstream_unreachable"},
		{"TRACE", "TRACE http://example.com/ HTTP/1.1\r\nHost: x" + end, 405, "method_not_allowed"},
		{"M16 the key", "GET /_bcdev/ca.key HTTP/1.1\r\nHost: x" + end, 404, "unknown_route"},
		{"M16 the key by dots", "GET /../ca.key HTTP/1.1\r\nHost: x" + end, 404, "unknown_route"},
		{"M16 the key by escaped dots", "GET /_bcdev/%2e%2e/ca.key HTTP/1.1\r\nHost: x" + end, 404, "unknown_route"},
		{"the API's paths", "GET /v3/x HTTP/1.1\r\nHost: x" + end, 404, "unknown_route"},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := newUpstream(t, true, nil)
			f := openForward(t, u, map[string]string{"home.example": "127.0.0.1", "example.com": "93.184.215.14"}, "", func(_ *Options, fo *ForwardOptions) {
				fo.Self = []string{"127.0.0.1:7071"}
			})
			res, body := raw(t, f.Server, test.request)
			refused(t, res, body, test.status, test.code)
			u.none(t)
			if d := f.dials(); len(d) != 0 {
				t.Errorf("dialled %v", d)
			}
		})
	}
}

func TestM06OtherHostsAreTunnelledBlind(t *testing.T) {
	shop := newUpstream(t, true, nil)
	u := newUpstream(t, true, nil)
	f := openForward(t, u, map[string]string{"example.com": "93.184.215.14"}, shop.Listener.Addr().String(), nil)
	c := f.client(true)
	pool := shop.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c.Transport.(*http.Transport).TLSClientConfig.RootCAs = pool // the far end's own certificate, and not ours
	req, _ := http.NewRequest(http.MethodPost, "https://example.com/x?y=%zz", strings.NewReader("body"))
	req.Header.Set("Authorization", "Bearer theirs")
	raw, err := c.Do(req)
	read(t, raw, err)
	got := shop.only(t)
	if got.URI != "/x?y=%zz" || got.Body != "body" || got.Header.Get("Authorization") != "Bearer theirs" || got.Header.Get("X-Auth-Token") != "" {
		t.Errorf("the far end received %+v", got)
	}
	u.none(t)
	if fmt.Sprint(f.dials(), f.listed) != "[93.184.215.14:443] [example.com]" {
		t.Errorf("dialled %v, listed %v", f.dials(), f.listed)
	}
}

func TestBytesSentTogetherWithTheConnectAreNotLost(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for c, err := echo.Accept(); err == nil; c, err = echo.Accept() {
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	u := newUpstream(t, true, nil)
	f := openForward(t, u, map[string]string{"example.com": "93.184.215.14"}, echo.Addr().String(), nil)
	conn := dialRaw(t, f.Server)
	io.WriteString(conn, "CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\nearly bytes")
	r := bufio.NewReader(conn)
	if _, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, " and late ones")
	conn.(*net.TCPConn).CloseWrite()
	if b, err := io.ReadAll(r); string(b) != "early bytes and late ones" || err != nil {
		t.Errorf("came back %q, %v", b, err)
	}
}

func TestPlainHTTPToOtherHostsPassesWithoutAToken(t *testing.T) {
	shop := newUpstream(t, false, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Location", "http://example.com/stores/aaa111/v3/x")
		w.WriteHeader(http.StatusFound)
	})
	u := newUpstream(t, true, nil)
	f := openForward(t, u, map[string]string{"example.com": "93.184.215.14"}, shop.Listener.Addr().String(), nil)
	res, _ := raw(t, f.Server, "GET http://example.com/a/../b?x=%zz HTTP/1.1\r\nHost: example.com\r\nConnection: X-Hop\r\nX-Hop: 1\r\nProxy-Authorization: Basic x\r\nCookie: mine=1\r\nAuthorization: theirs\r\n\r\n")
	got := shop.only(t)
	if got.URI != "/a/../b?x=%zz" || got.Host != "example.com" || got.Header.Get("Cookie") != "mine=1" || got.Header.Get("Authorization") != "theirs" ||
		got.Header.Get("X-Auth-Token")+got.Header.Get("X-Auth-Client")+got.Header.Get("X-Hop")+got.Header.Get("Proxy-Authorization") != "" {
		t.Errorf("the far end received %+v", got)
	}
	if res.StatusCode != http.StatusFound || res.Header.Get("Set-Cookie") != "a=b" || res.Header.Get("Location") != "http://example.com/stores/aaa111/v3/x" {
		t.Errorf("the client got %d %v", res.StatusCode, res.Header)
	}
}

func TestM10TheKeyIsAskedFor(t *testing.T) {
	u := newUpstream(t, true, nil)
	shop := newUpstream(t, false, nil)
	f := openForward(t, u, map[string]string{"example.com": "93.184.215.14"}, shop.Listener.Addr().String(), func(_ *Options, fo *ForwardOptions) {
		fo.Key = func(k string) bool { return k == "sesame" }
	})
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, test := range []struct{ auth, code string }{
		{"", "missing_key"}, {basic("bcdev:wrong"), "bad_key"}, {"Basic %%", "bad_key"}, {"Bearer wrong", "bad_key"}, {basic("sesame:wrong"), "bad_key"},
		{basic("bcdev:sesame"), ""}, {basic("sesame:"), ""}, {"Bearer sesame", ""},
	} {
		for _, target := range []string{"CONNECT api.bigcommerce.com:443", "GET http://example.com/"} {
			line := ""
			if test.auth != "" {
				line = "Proxy-Authorization: " + test.auth + "\r\n"
			}
			before := len(shop.all())
			if test.code == "" && strings.HasPrefix(target, "CONNECT") {
				conn := dialRaw(t, f.Server)
				fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\n%s\r\n", target, line)
				if res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect}); err != nil || res.StatusCode != http.StatusOK {
					t.Errorf("%s with %q: %v, %v", target, test.auth, res, err)
				}
				conn.Close()
				continue
			}
			res, body := raw(t, f.Server, fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\n%s\r\n", target, line))
			if test.code != "" {
				refused(t, res, body, 407, test.code)
				if res.Header.Get("Proxy-Authenticate") == "" || strings.Contains(body, "sesame") || len(shop.all()) != before {
					t.Errorf("%s with %q: %v %s", target, test.auth, res.Header, body)
				}
			} else if all := shop.all(); res.StatusCode != http.StatusOK || all[len(all)-1].Header.Get("Proxy-Authorization") != "" {
				t.Errorf("%s with %q: %d", target, test.auth, res.StatusCode)
			}
		}
	}
}

func TestM11SilentTunnelsAreGone(t *testing.T) {
	shop := newUpstream(t, true, nil)
	u := newUpstream(t, true, nil)
	f := openForward(t, u, map[string]string{"example.com": "93.184.215.14"}, shop.Listener.Addr().String(), func(_ *Options, fo *ForwardOptions) {
		fo.First = 300 * time.Millisecond
	})
	f.p.inner[0].ReadHeaderTimeout = 300 * time.Millisecond
	base := runtime.NumGoroutine()
	var conns []net.Conn
	for i := range 200 {
		conn := dialRaw(t, f.Server)
		fmt.Fprintf(conn, "CONNECT %s:443 HTTP/1.1\r\nHost: x\r\n\r\n", []string{"example.com", "api.bigcommerce.com"}[i%2])
		conns = append(conns, conn)
	}
	for i, conn := range conns {
		if b, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200 ") {
			t.Fatalf("tunnel %d: %q, %v", i, b, err)
		}
	}
	eventually(t, "the tunnels and their goroutines are gone", func() bool {
		shop.CloseClientConnections()
		f.p.mu.Lock()
		defer f.p.mu.Unlock()
		return runtime.NumGoroutine() <= base+5 && len(f.p.tuns) == 0
	})
}

func TestATunnelLivesAsLongAsOneDirectionDoes(t *testing.T) {
	far, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	const beats = 20
	go func() {
		c, err := far.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.ReadFull(c, make([]byte, 1))
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for range beats {
			<-tick.C
			io.WriteString(c, ".")
		}
	}()
	u := newUpstream(t, true, nil)
	f := openForward(t, u, map[string]string{"example.com": "93.184.215.14"}, far.Addr().String(), func(_ *Options, fo *ForwardOptions) {
		fo.Idle = 400 * time.Millisecond
	})
	conn := dialRaw(t, f.Server)
	io.WriteString(conn, "CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n!")
	r := bufio.NewReader(conn)
	if _, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect}); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); len(b) != beats || err != nil {
		t.Errorf("%d bytes came, %v", len(b), err)
	}
}

func TestM12AWebSocketIsClosedOnBothSides(t *testing.T) {
	shop := &upstream{seen: make(chan received, 10)}
	shop.serve(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		b := make([]byte, 5)
		io.ReadFull(rw, b)
		conn.Write(b)
	}))
	u := newUpstream(t, true, nil)
	f := openForward(t, u, map[string]string{"example.com": "93.184.215.14"}, shop.Listener.Addr().String(), nil)
	base := 0
	for i := range 100 {
		conn := dialRaw(t, f.Server)
		io.WriteString(conn, "GET http://example.com/ws HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\nhello")
		r := bufio.NewReader(conn)
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%v, %v", res, err)
		}
		if b, err := io.ReadAll(r); string(b) != "hello" || err != nil {
			t.Fatalf("time %d: %q, %v", i, b, err)
		}
		conn.Close()
		if i == 5 {
			base = runtime.NumGoroutine()
		}
	}
	eventually(t, "the goroutines are gone", func() bool { return runtime.NumGoroutine() <= base+5 })
}

func TestM13AnswersWithoutABodyInsideATunnel(t *testing.T) {
	u := newUpstream(t, true, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", "1234")
			return
		}
		w.WriteHeader(map[string]int{"/stores/aaa111/v3/204": 204, "/stores/aaa111/v3/304": 304}[r.URL.Path])
	})
	f := openForward(t, u, nil, "", nil)
	inner := f.tunnel(t, "api.bigcommerce.com", "http/1.1")
	r := bufio.NewReader(inner)
	for _, request := range []string{"GET /stores/aaa111/v3/204", "HEAD /stores/aaa111/v3/x", "GET /stores/aaa111/v3/304", "GET /stores/aaa111/v3/204"} {
		method, _, _ := strings.Cut(request, " ")
		fmt.Fprintf(inner, "%s HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n", request)
		raw, err := http.ReadResponse(r, &http.Request{Method: method})
		if res, body := read(t, raw, err); body != "" || method == "HEAD" && res.ContentLength != 1234 {
			t.Errorf("%s: %q, length %d", request, body, res.ContentLength)
		}
		if r.Buffered() > 0 {
			t.Errorf("%s: %d bytes behind the header", request, r.Buffered())
		}
	}
}

func TestM16OnlyTheCertificateIsServed(t *testing.T) {
	u := newUpstream(t, true, nil)
	f := openForward(t, u, nil, "", nil)
	_, body := do(t, "GET", f.URL+"/_bcdev/ca.pem", nil, nil)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(body)) || !pool.Equal(f.pool) || strings.Contains(body, "KEY") {
		t.Errorf("ca.pem is %q", body)
	}
}

func TestM18ABadCertificateUpstreamIsNeverPassedOver(t *testing.T) {
	u := newUpstream(t, true, nil)
	f := openForward(t, u, nil, "", func(o *Options, _ *ForwardOptions) { o.RootCAs = x509.NewCertPool() })
	for _, h2 := range []bool{false, true} {
		raw, err := f.client(h2).Get("https://api.bigcommerce.com/stores/aaa111/v3/x")
		res, body := read(t, raw, err)
		refused(t, res, body, 502, "upstream_tls")
	}
	u.none(t)
	if f.p.transport.TLSClientConfig.InsecureSkipVerify || f.p.warm.tls.InsecureSkipVerify {
		t.Error("checking is switched off")
	}
}

func TestRefusalsHoldInsideTheTunnel(t *testing.T) {
	for name, test := range map[string]struct {
		request string
		status  int
		code    string
	}{
		"dots":      {"GET /stores/aaa111/..%2fbbb222/v3/x", 400, "bad_path"},
		"TRACE":     {"TRACE /stores/aaa111/v3/x", 405, "method_not_allowed"},
		"CONNECT":   {"CONNECT api.bigcommerce.com:443", 405, "connect_not_here"},
		"read-only": {"DELETE /stores/aaa111/v3/x", 403, "read_only"},
		"a store":   {"GET /stores/zzz/v3/x", 404, "unknown_store"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(t, true, nil)
			f := openForward(t, u, nil, "", func(o *Options, _ *ForwardOptions) { o.ReadOnly = func(string) bool { return true } })
			inner := f.tunnel(t, "api.bigcommerce.com")
			fmt.Fprintf(inner, "%s HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n", test.request)
			method, _, _ := strings.Cut(test.request, " ")
			raw, err := http.ReadResponse(bufio.NewReader(inner), &http.Request{Method: method})
			res, body := read(t, raw, err)
			refused(t, res, body, test.status, test.code)
			u.none(t)
		})
	}
}

func TestRedirectsThroughTheForwardDoorKeepTheRealName(t *testing.T) {
	var u *upstream
	u = newUpstream(t, true, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", u.URL+"/stores/aaa111/v3/y")
		w.WriteHeader(http.StatusMovedPermanently)
	})
	f := openForward(t, u, nil, "", nil)
	raw, err := f.client(true).Get("https://api.bigcommerce.com/stores/aaa111/v3/x")
	if res, _ := read(t, raw, err); res.Header.Get("Location") != "https://api.bigcommerce.com/stores/aaa111/v3/y" {
		t.Errorf("Location is %q", res.Header.Get("Location"))
	}
}

func TestShutdownEndsTunnels(t *testing.T) {
	u := newUpstream(t, true, nil)
	f := openForward(t, u, nil, "", nil)
	inner := f.tunnel(t, "api.bigcommerce.com")
	io.WriteString(inner, "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n")
	r := bufio.NewReader(inner)
	raw, err := http.ReadResponse(r, nil)
	read(t, raw, err)
	if err := f.p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := r.ReadByte(); err == nil {
		t.Error("the tunnel is still open")
	}
}

func TestPublicAddresses(t *testing.T) {
	f := &frontier{special: special()}
	for _, private := range []string{"127.0.0.1", "127.255.255.255", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0", "0.1.2.3",
		"100.64.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1",
		"fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "fec0::1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:1::1", "2001:db8::1"} {
		if f.public(netip.MustParseAddr(private)) {
			t.Errorf("%s passes for public", private)
		}
	}
	for _, public := range []string{"8.8.8.8", "93.184.215.14", "172.32.0.1", "2606:2800:220:1::1", "::ffff:8.8.8.8"} {
		if !f.public(netip.MustParseAddr(public)) {
			t.Errorf("%s does not pass for public", public)
		}
	}
}

func TestTheRealDiallerChecksTheAddressItDials(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := &frontier{special: special()}
	if conn, err := f.connect(t.Context(), "tcp", l.Addr().String()); err == nil {
		conn.Close()
		t.Error("loopback was dialled")
	}
	if _, err := f.dial(t.Context(), "tcp", l.Addr().String()); err == nil {
		t.Error("loopback was dialled")
	}
	f.o.Permit = func(a netip.Addr) bool { return a.IsLoopback() }
	conn, err := f.dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
