package cli

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The forward door: HTTPS_PROXY of an app that cannot be told another base URL.

const forwardOn = "BCDEV_FORWARD_PROXY_LISTEN=127.0.0.1:0"

// trust is the pool of those who trust this bcdev's authority.
func (w *world) trust(t *testing.T) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(w.state, caFile))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

// through opens a tunnel and TLS inside it.
func (w *world) through(t *testing.T, host string) *tls.Conn {
	t.Helper()
	c, err := net.Dial("tcp", w.forward)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", host, host)
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodConnect})
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("CONNECT %s: %v %v", host, res, err)
	}
	inside := tls.Client(c, &tls.Config{ServerName: host, RootCAs: w.trust(t), NextProtos: []string{"http/1.1"}})
	if err := inside.Handshake(); err != nil {
		t.Fatal(err)
	}
	return inside
}

func TestTheForwardDoorRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRecordingAPI(t, nil), []string{forwardOn})
	window := strings.TrimPrefix(w.ready.text("inspector_url"), "http://")
	window, _, _ = strings.Cut(window, "/")
	for _, c := range []struct {
		row, request string
		status       int
		code         string
	}{
		{"M05 ssh", "CONNECT api.bigcommerce.com:22 HTTP/1.1\r\nHost: api.bigcommerce.com:22\r\n\r\n", 403, "port_not_allowed"},
		{"M05 another port", "CONNECT api.bigcommerce.com:8443 HTTP/1.1\r\nHost: api.bigcommerce.com:8443\r\n\r\n", 403, "port_not_allowed"},
		{"M05 no port", "CONNECT api.bigcommerce.com HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n", 403, "port_not_allowed"},
		{"M09 clear text", "GET http://api.bigcommerce.com/stores/aaa111/v3/x HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n", 403, "plaintext_upstream"},
		{"M09 in capitals and with a dot", "GET http://API.BigCommerce.com./stores/aaa111/v3/x HTTP/1.1\r\nHost: x\r\n\r\n", 403, "plaintext_upstream"},
		{"I04 the window", "GET http://" + window + "/api/exchanges HTTP/1.1\r\nHost: " + window + "\r\n\r\n", 403, "self_target"},
		{"I04 the window by another name", "GET http://localhost:" + window[strings.LastIndexByte(window, ':')+1:] + "/api/exchanges HTTP/1.1\r\nHost: x\r\n\r\n", 403, "self_target"},
		{"I04 the API door", "GET http://{door}/v3/x HTTP/1.1\r\nHost: {door}\r\n\r\n", 403, "self_target"},
		{"I04 the forward door itself", "CONNECT {forward} HTTP/1.1\r\nHost: {forward}\r\n\r\n", 403, "self_target"},
		{"a private address", "GET http://127.0.0.1:9/ HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\n", 403, "private_address"},
		{"the metadata service", "GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n", 403, "private_address"},
		{"a private address in a tunnel", "CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: 10.0.0.1:443\r\n\r\n", 403, "private_address"},
		{"a private address written in IPv6", "CONNECT [::ffff:127.0.0.1]:443 HTTP/1.1\r\nHost: x\r\n\r\n", 403, "private_address"},
		{"an absolute https target", "GET https://api.bigcommerce.com/stores/aaa111/v3/x HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n", 400, "absolute_form"},
		{"M16 the key", "GET /_bcdev/ca.key HTTP/1.1\r\nHost: {forward}\r\n\r\n", 404, "unknown_route"},
		{"M16 the key, climbing", "GET /_bcdev/../ca.key HTTP/1.1\r\nHost: {forward}\r\n\r\n", 404, "unknown_route"},
		{"M16 the key, climbing with escapes", "GET /_bcdev/%2e%2e/ca.key HTTP/1.1\r\nHost: {forward}\r\n\r\n", 404, "unknown_route"},
		{"M16 the key at the root", "GET /../ca.key HTTP/1.1\r\nHost: {forward}\r\n\r\n", 404, "unknown_route"},
		{"an API path without a host", "GET /v3/x HTTP/1.1\r\nHost: {forward}\r\n\r\n", 404, "unknown_route"},
	} {
		t.Run(c.row, func(t *testing.T) {
			a := w.raw(t, w.forward, c.request)
			checkRefusal(t, a, c.status, c.code)
			if strings.Contains(a.wrote, "PRIVATE KEY") {
				t.Error("the key is served")
			}
			if w.far.hits() != 0 {
				t.Errorf("upstream was asked: %+v", w.far.since(0))
			}
		})
	}
	w.finish()
}

func TestInsideTheTunnelOnlyItsOwnHostIsServed(t *testing.T) {
	t.Parallel()
	evil := newRecordingAPI(t, nil)
	w := newWorld(t, newRecordingAPI(t, nil), []string{forwardOn})
	evilHost := strings.TrimPrefix(evil.URL, "http://")
	for _, c := range []struct {
		row, request string
		status       int
		code         string
	}{
		{"M01 another Host", "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: " + evilHost + "\r\n\r\n", 421, "authority_mismatch"},
		{"M02 an absolute target", "GET https://evil.example/stores/aaa111/v3/x HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n", 421, "authority_mismatch"},
		{"M02 an absolute target, clear text", "GET http://api.bigcommerce.com/stores/aaa111/v3/x HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n", 421, "authority_mismatch"},
		{"a path that climbs", "GET /stores/aaa111/../bbb222/v3/x HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n", 400, "bad_path"},
		{"a store nobody knows", "GET /stores/ccc333/v3/x HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n", 404, "unknown_store"},
		{"our own pages", "GET /_bcdev/health HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n", 404, "unknown_route"},
		{"the reverse door's short paths", "GET /v3/x HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n", 404, "unknown_route"},
		{"another protocol", "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: api.bigcommerce.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400, "upgrade_not_supported"},
		{"M20 a forged line for the log", "GET /stores/aaa111/v3/%1b[31mEVIL%0aFAKE HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n", 400, "bad_path"},
	} {
		t.Run(c.row, func(t *testing.T) {
			in := w.through(t, "api.bigcommerce.com")
			io.WriteString(in, c.request)
			checkRefusal(t, readAnswer(t, in, c.request), c.status, c.code)
			if w.far.hits() != 0 || evil.hits() != 0 {
				t.Errorf("upstream was asked %d times, the other host %d times", w.far.hits(), evil.hits())
			}
		})
	}
	t.Run("its own host", func(t *testing.T) {
		in := w.through(t, "api.bigcommerce.com")
		request := "GET /stores/bbb222/v3/x?a=%20b HTTP/1.1\r\nHost: api.bigcommerce.com\r\nX-Auth-Token: client0made0this\r\nCookie: a=b\r\n\r\n"
		io.WriteString(in, request)
		a := readAnswer(t, in, request)
		seen := w.far.since(0)
		if a.StatusCode != 200 || len(seen) != 1 || seen[0].target != "/stores/bbb222/v3/x?a=%20b" || seen[0].header.Get("X-Auth-Token") != tokenB || seen[0].header.Get("Cookie") != "" {
			t.Errorf("%d %q; upstream received %+v", a.StatusCode, a.body, seen)
		}
	})
	w.secrets = append(w.secrets, "client0made0this")
	w.finish()
}

func TestM03EachStreamIsHeldToItsTunnel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRecordingAPI(t, nil), []string{forwardOn})
	door, _ := url.Parse("http://" + w.forward)
	rt := &http.Transport{Proxy: http.ProxyURL(door), TLSClientConfig: &tls.Config{RootCAs: w.trust(t)}, ForceAttemptHTTP2: true}
	defer rt.CloseIdleConnections()
	for _, c := range []struct {
		authority string
		status    int
	}{{"", 200}, {"evil.example", 421}, {"api.bigcommerce.com:22", 421}, {"API.bigcommerce.com:443", 200}} {
		req, _ := http.NewRequest(http.MethodGet, "https://api.bigcommerce.com/stores/aaa111/v3/x", nil)
		req.Host = c.authority
		res, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.ProtoMajor != 2 || res.StatusCode != c.status {
			t.Errorf("authority %q: %s %d, want %d", c.authority, res.Proto, res.StatusCode, c.status)
		}
	}
	if n := w.far.hits(); n != 2 {
		t.Errorf("upstream was asked %d times", n)
	}
	w.finish()
}

func TestM10TheForwardDoorsKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRecordingAPI(t, nil), []string{forwardOn}, "--key", "required")
	_, key, _ := strings.Cut(w.ready.text("proxy_url"), "/k/")
	basic := func(password string) string {
		return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("bcdev:"+password)) + "\r\n"
	}
	connect := "CONNECT api.bigcommerce.com:443 HTTP/1.1\r\nHost: api.bigcommerce.com:443\r\n"
	for _, c := range []struct {
		row, headers, code string
		status             int
	}{
		{"none", "", "missing_key", 407},
		{"a wrong one", basic(strings.Repeat("A", len(key))), "bad_key", 407},
		{"an empty one", basic(""), "bad_key", 407},
		{"the right one", basic(key), "", 200},
	} {
		a := w.raw(t, w.forward, connect+c.headers+"Connection: close\r\n\r\n")
		if a.StatusCode != c.status || a.Header.Get("Bcdev-Error") != c.code {
			t.Errorf("%s: %d %q", c.row, a.StatusCode, a.Header.Get("Bcdev-Error"))
		}
		if c.status == 407 && (a.Header.Get("Proxy-Authenticate") == "" || strings.Contains(a.wrote, key)) {
			t.Errorf("%s: %q", c.row, a.wrote)
		}
	}
	door := &url.URL{Scheme: "http", Host: w.forward, User: url.UserPassword("bcdev", key)}
	rt := &http.Transport{Proxy: http.ProxyURL(door), TLSClientConfig: &tls.Config{RootCAs: w.trust(t)}}
	defer rt.CloseIdleConnections()
	res, err := rt.RoundTrip(&http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: "https", Host: "api.bigcommerce.com", Path: "/stores/aaa111/v3/x"}, Header: http.Header{}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if seen := w.far.since(0); res.StatusCode != 200 || len(seen) != 1 || seen[0].header.Get("Proxy-Authorization") != "" {
		t.Errorf("%d; upstream received %+v", res.StatusCode, seen)
	}
	w.finish()
	for name, content := range filesOf(t, w.state) {
		if name != "proxy.key" && strings.Contains(string(content), key) {
			t.Errorf("%s holds the key", name)
		}
	}
}

func TestM13AnswersWithoutABodyKeepTheirConnectionUsable(t *testing.T) {
	t.Parallel()
	far := byPath(t, map[string]http.HandlerFunc{
		"204":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"304":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"body": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "body") },
	})
	w := newWorld(t, far, []string{forwardOn})
	in := w.through(t, "api.bigcommerce.com")
	answers := bufio.NewReader(in)
	for _, c := range []struct {
		method, path, body string
		status             int
	}{{"GET", "204", "", 204}, {"DELETE", "204", "", 204}, {"GET", "304", "", 304}, {"HEAD", "body", "", 200}, {"GET", "body", "body", 200}} {
		fmt.Fprintf(in, "%s /stores/aaa111/v3/%s HTTP/1.1\r\nHost: api.bigcommerce.com\r\nContent-Length: 0\r\n\r\n", c.method, c.path)
		res, err := http.ReadResponse(answers, &http.Request{Method: c.method})
		if err != nil {
			t.Fatalf("%s %s: %v", c.method, c.path, err)
		}
		body, err := io.ReadAll(res.Body)
		if res.StatusCode != c.status || string(body) != c.body || err != nil || len(res.TransferEncoding) > 0 {
			t.Errorf("%s %s: %d %q %v %v", c.method, c.path, res.StatusCode, body, err, res.TransferEncoding)
		}
	}
	w.finish()
}

// TestTheAuthority looks at the certificates from the side of a client (M14 to M17, M22).
func TestTheAuthority(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRecordingAPI(t, nil), []string{forwardOn})
	info, err := os.Stat(filepath.Join(w.state, caKeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("M14: the key is %v %v", info, err)
	}
	a := w.raw(t, w.forward, "GET /_bcdev/ca.pem HTTP/1.1\r\nHost: {forward}\r\n\r\n")
	kept, _ := os.ReadFile(filepath.Join(w.state, caFile))
	if a.StatusCode != 200 || a.body != string(kept) || strings.Contains(a.body, "KEY") {
		t.Errorf("M16: %d %q", a.StatusCode, a.body)
	}
	in := w.through(t, "api.bigcommerce.com")
	leaf := in.ConnectionState().PeerCertificates[0]
	in.Close()
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life > 197*24*time.Hour || time.Until(leaf.NotAfter) < 0 || time.Since(leaf.NotBefore) < 47*time.Hour {
		t.Errorf("M17: the leaf lives from %s to %s", leaf.NotBefore, leaf.NotAfter)
	}
	pair, err := readCA(w.state)
	if err != nil {
		t.Fatal(err)
	}
	if life := pair.Leaf.NotAfter.Sub(pair.Leaf.NotBefore); life > 366*24*time.Hour {
		t.Errorf("M17: the authority lives %s", life)
	}
	sum := sha256.Sum256(pair.Leaf.Raw)
	if strings.HasPrefix(hex.EncodeToString(sum[:]), "4ca2f57b4a9958bf") {
		t.Error("M14: this is the CA that is published with goproxy")
	}
	if p := pair.Leaf.PermittedDNSDomains; len(p) != 1 || p[0] != "bigcommerce.com" || !pair.Leaf.PermittedDNSDomainsCritical {
		t.Errorf("M15: the constraint is %q", p)
	}
	w.finish()
	code, _, errs := w.command(nil, "ca", "remove")
	if code != 0 || !strings.Contains(errs, "trust store") {
		t.Errorf("M22: %d %s", code, errs)
	}
	for name := range filesOf(t, w.state) {
		if strings.HasPrefix(name, "ca") {
			t.Errorf("M22: %s is left", name)
		}
	}
}

func TestM18ABadCertificateBehindTheTunnel(t *testing.T) {
	t.Parallel()
	bad := httptest.NewUnstartedServer(http.NotFoundHandler())
	bad.Config.ErrorLog = log.New(io.Discard, "", 0)
	bad.StartTLS()
	defer bad.Close()
	w := startWith(t, newRecordingAPI(t, nil), hostileConfig(bad.URL), []string{forwardOn})
	in := w.through(t, "api.bigcommerce.com")
	request := "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: api.bigcommerce.com\r\n\r\n"
	io.WriteString(in, request)
	checkRefusal(t, readAnswer(t, in, request), 502, "upstream_tls")
	w.finish()
}

// TestM06AStrangersTunnelIsBlind: there is no network in tests, so it ends at the name; what counts
// is that nobody answers in the stranger's place.
func TestM06AStrangersTunnelIsBlind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRecordingAPI(t, nil), []string{forwardOn})
	for _, host := range []string{"stranger.invalid", "evil-bigcommerce.com.invalid"} {
		a := w.raw(t, w.forward, "CONNECT "+host+":443 HTTP/1.1\r\nHost: "+host+":443\r\n\r\n")
		if a.StatusCode != 502 || a.Header.Get("Bcdev-Error") != "upstream_unreachable" {
			t.Errorf("%s: %d %q", host, a.StatusCode, a.wrote)
		}
	}
	if w.far.hits() != 0 {
		t.Error("upstream was asked")
	}
	w.finish()
}
