package cli

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	toStore = "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: {door}\r\n"
	postTo  = "POST /stores/aaa111/v3/catalog/products HTTP/1.1\r\nHost: {door}\r\n"
)

// hostileCalls are what the API door refuses. A row without a code is refused by the parser of
// HTTP before any of ours sees it.
var hostileCalls = []struct {
	row, request string
	status       int
	code         string
}{
	{"P01 a name of somebody else", "GET /stores/aaa111/v3/catalog/summary HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, "host_not_allowed"},
	{"P02 a name that begins like ours", "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: localhost.evil.example:{port}\r\n\r\n", 403, "host_not_allowed"},
	{"P03 a name that resolves to us", "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: 127.0.0.1.nip.io:{port}\r\n\r\n", 403, "host_not_allowed"},
	{"P04 another port", "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: localhost:1\r\n\r\n", 403, "host_not_allowed"},
	{"P06 the unspecified address", "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: 0.0.0.0:{port}\r\n\r\n", 403, "host_not_allowed"},
	{"P08 no host", "GET /stores/aaa111/v3/x HTTP/1.0\r\n\r\n", 400, "bad_host"},
	{"P08 an empty host", "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: \r\n\r\n", 400, "bad_host"},
	{"P09 two hosts", "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: localhost:{port}\r\nHost: evil.example\r\n\r\n", 400, ""},
	{"P10 a page of another site", toStore + "Origin: https://evil.example\r\n\r\n", 403, "cross_site"},
	{"P10 an opaque origin", toStore + "Origin: null\r\n\r\n", 403, "cross_site"},
	{"P10 two origins", toStore + "Origin: http://{door}\r\nOrigin: https://evil.example\r\n\r\n", 403, "cross_site"},
	{"P11 an image of another site", toStore + "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n\r\n", 403, "cross_site"},
	{"P12 a form of another site", postTo + "Content-Type: text/plain\r\nOrigin: https://evil.example\r\nContent-Length: 2\r\n\r\n{}", 403, "cross_site"},
	{"P14 a rebound name", "POST /stores/aaa111/v3/x HTTP/1.1\r\nHost: evil.example:{port}\r\nOrigin: http://evil.example:{port}\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 0\r\n\r\n", 403, "host_not_allowed"},
	{"P15 a preflight", "OPTIONS /stores/aaa111/v3/x HTTP/1.1\r\nHost: {door}\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Private-Network: true\r\n\r\n", 403, "cross_site"},
	{"P24 the metadata service", "GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n", 400, "absolute_form"},
	{"P25 an absolute target and our host", "GET http://127.0.0.1:9/ HTTP/1.1\r\nHost: {door}\r\n\r\n", 400, "absolute_form"},
	{"P25 an absolute target over https", "GET https://{door}/v3/x HTTP/1.1\r\nHost: {door}\r\n\r\n", 400, "absolute_form"},
	{"P27 a tunnel", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 405, "connect_not_here"},
	{"P27 a tunnel to ourselves", "CONNECT {door} HTTP/1.1\r\nHost: {door}\r\n\r\n", 405, "connect_not_here"},
	{"P29 a dot segment", "GET /stores/aaa111/../bbb222/v3/x HTTP/1.1\r\nHost: {door}\r\n\r\n", 400, "bad_path"},
	{"P30 an escaped dot segment", "GET /stores/aaa111/%2e%2e/bbb222/v3/x HTTP/1.1\r\nHost: {door}\r\n\r\n", 400, "bad_path"},
	{"P31 an escaped slash behind dots", "GET /stores/aaa111/..%2fbbb222/v3/x HTTP/1.1\r\nHost: {door}\r\n\r\n", 400, "bad_path"},
	{"P31 the same behind the version", "GET /stores/aaa111/v3/..%2f..%2fbbb222/v3/x HTTP/1.1\r\nHost: {door}\r\n\r\n", 400, "bad_path"},
	{"P32 an escaped slash in the store", "GET /stores/aaa111%2F..%2Fbbb222/v3/x HTTP/1.1\r\nHost: {door}\r\n\r\n", 400, "bad_path"},
	{"P34 a raw backslash", "GET /stores/aaa111\\..\\bbb222/v3/x HTTP/1.1\r\nHost: {door}\r\n\r\n", 400, "bad_path"},
	{"P34 an escaped backslash", "GET /stores/aaa111/v3/..%5cx HTTP/1.1\r\nHost: {door}\r\n\r\n", 400, "bad_path"},
	{"P35 a NUL", "GET /stores/aaa111/v3/x%00y HTTP/1.1\r\nHost: {door}\r\n\r\n", 400, "bad_path"},
	{"P35 an escape sequence", "GET /stores/aaa111/v3/%1b]0;x%07 HTTP/1.1\r\nHost: {door}\r\n\r\n", 400, "bad_path"},
	{"P38 another store", "GET /stores/AAA111/v3/x HTTP/1.1\r\nHost: {door}\r\n\r\n", 404, "unknown_store"},
	{"P40 the login's own address", "GET /oauth2/token HTTP/1.1\r\nHost: {door}\r\n\r\n", 404, "unknown_route"},
	{"P40 /admin", "GET /admin HTTP/1.1\r\nHost: {door}\r\n\r\n", 404, "unknown_route"},
	{"P40 /", "GET / HTTP/1.1\r\nHost: {door}\r\n\r\n", 404, "unknown_route"},
	{"P40 our own names", "GET /_bcdev/x HTTP/1.1\r\nHost: {door}\r\n\r\n", 404, "unknown_route"},
	{"P40 a star", "OPTIONS * HTTP/1.1\r\nHost: {door}\r\n\r\n", 404, "unknown_route"},
	{"P40 a version that is none", "GET /stores/aaa111/v1/x HTTP/1.1\r\nHost: {door}\r\n\r\n", 404, "unknown_route"},
	{"P21 a key where none is asked for", "GET /k/guess/stores/aaa111/v3/x HTTP/1.1\r\nHost: {door}\r\n\r\n", 404, "unknown_route"},
	{"P52 another protocol", toStore + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n", 400, "upgrade_not_supported"},
	{"P53 TRACE", "TRACE /stores/aaa111/v3/x HTTP/1.1\r\nHost: {door}\r\n\r\n", 405, "method_not_allowed"},
	{"P53 a method nobody knows", "BREW /stores/aaa111/v3/x HTTP/1.1\r\nHost: {door}\r\n\r\n", 405, "method_not_allowed"},
	{"P55 HTTP/2 without being asked", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, ""},
	{"P56 two lengths", postTo + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400, ""},
	{"P58 a space before the colon", toStore + "X-Foo : 1\r\n\r\n", 400, ""},
	{"P58 a folded line", toStore + "X-Foo: 1\r\n folded: 2\r\nHost : x\r\n\r\n", 400, ""},
	{"P60 70 KiB of headers", toStore + "X-Long: " + strings.Repeat("a", 70<<10) + "\r\n\r\n", 431, ""},
	{"P60 70 KiB in many headers", toStore + strings.Repeat("X-Many: aaaaaaaaaaaaaaaaaaaaaaaa\r\n", 2200) + "\r\n", 431, ""},
	{"C03 a tunnel to this port", toStore + "X-Forwarded-Host: you.ngrok-free.app\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n", 403, "tunnelled_request"},
	{"C03 cloudflare's", toStore + "Cf-Ray: 8f\r\n\r\n", 403, "tunnelled_request"},
}

func TestTheAPIDoorRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRecordingAPI(t, nil), nil)
	for _, c := range hostileCalls {
		t.Run(c.row, func(t *testing.T) {
			a := w.raw(t, w.door, c.request)
			if a.StatusCode != c.status && (c.status != 0 || a.StatusCode < 400) {
				t.Errorf("status %d, want %d; body %q", a.StatusCode, c.status, clipped(a.body))
			}
			if c.code != "" {
				checkRefusal(t, a, c.status, c.code)
			}
			if strings.HasPrefix(c.request, "CONNECT ") && a.open {
				t.Error("the connection stays open")
			}
			if strings.Contains(a.rest, "HTTP/1.1") {
				t.Errorf("a second answer came: %q", a.rest)
			}
			if seen := w.far.since(0); len(seen) > 0 {
				t.Fatalf("upstream was asked: %+v", seen)
			}
		})
	}
	if a := w.raw(t, w.door, toStore+"\r\n"); a.StatusCode != 200 || w.far.hits() != 1 {
		t.Errorf("after all that, a plain call is answered %d %q, and upstream was asked %d times", a.StatusCode, a.body, w.far.hits())
	}
	w.finish()
}

func TestC03ATunnelToTheDoorIsLoud(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRecordingAPI(t, nil), nil)
	w.raw(t, w.door, toStore+"X-Forwarded-Host: you.ngrok-free.app\r\n\r\n")
	if p := w.next("problem"); p.text("code") != "tunnelled_request" || p.text("message") == "" {
		t.Errorf("it was told as %v", p)
	}
	w.finish()
}

// TestTheAPIDoorPassesByteForByte holds what upstream received against what the client wrote.
func TestTheAPIDoorPassesByteForByte(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRecordingAPI(t, nil), nil)
	for _, c := range []struct{ row, target, want string }{
		{"P04 host in capitals", "/stores/aaa111/v3/x", ""},
		{"P37 a double escape stays", "/stores/aaa111/v3/%252e%252e/x", ""},
		{"P42 semicolons and colons", "/stores/aaa111/v3/x?name=a;b=2&id:in=1,2", ""},
		{"P43 a broken escape in the query", "/stores/aaa111/v3/x?q=%zz", ""},
		{"P43 a bare question mark", "/stores/aaa111/v3/x?", ""},
		{"P45 escapes", "/stores/aaa111/v3/caf%C3%A9%20x", ""},
		{"P45 what need not be escaped", "/stores/aaa111/v3/a%7eb(c)'!*,;=@:+%2B", ""},
		{"P45 what net/url would escape", `/stores/aaa111/v3/{id}|"<x>^`, ""},
		{"P45 doubled slashes", "/stores/aaa111/v3//x//", ""},
		{"the current store", "/v3/x?a=%20+", "/stores/aaa111/v3/x?a=%20+"},
		{"the other store", "/stores/bbb222/v2/store", ""},
	} {
		t.Run(c.row, func(t *testing.T) {
			before := w.far.hits()
			host := "LOCALHOST:{port}"
			a := w.raw(t, w.door, "GET "+c.target+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
			seen := w.far.since(before)
			if a.StatusCode != 200 || len(seen) != 1 {
				t.Fatalf("answered %d %q, upstream asked %d times", a.StatusCode, a.body, len(seen))
			}
			if c.want == "" {
				c.want = c.target
			}
			if seen[0].target != c.want {
				t.Errorf("upstream was asked for %q, want %q", seen[0].target, c.want)
			}
			token := tokenA
			if strings.Contains(c.target, "bbb222") {
				token = tokenB
			}
			if got := seen[0].header.Values("X-Auth-Token"); !slices.Equal(got, []string{token}) {
				t.Errorf("X-Auth-Token %q", got)
			}
			if want := strings.TrimPrefix(w.far.URL, "http://"); seen[0].host != want {
				t.Errorf("Host %q, want %q", seen[0].host, want)
			}
		})
	}
	t.Run("P26 our own authority in absolute form", func(t *testing.T) {
		before := w.far.hits()
		a := w.raw(t, w.door, "GET http://localhost:{port}/stores/aaa111/v3/x?q=1 HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n")
		if seen := w.far.since(before); a.StatusCode != 200 || len(seen) != 1 || seen[0].target != "/stores/aaa111/v3/x?q=1" {
			t.Errorf("answered %d, upstream received %+v", a.StatusCode, seen)
		}
	})
	w.finish()
}

func TestHeadersOnTheWayUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRecordingAPI(t, nil), nil)
	w.secrets = append(w.secrets, "client0made0this", "cookie0of0the0client", "proxy0password", "app0token")
	for _, c := range []struct {
		row, headers string
		none         []string
		want         http.Header
	}{
		{"what is added", "", []string{"Authorization", "Cookie"}, http.Header{
			"Accept": {"application/json"}, "Content-Type": {"application/json"}, "X-Auth-Client": {"bcdev0clientid0example"}, "X-Auth-Token": {tokenA}}},
		{"Accept: */* is replaced", "Accept: */*\r\n", nil, http.Header{"Accept": {"application/json"}}},
		{"what the client chose stays", "Accept: text/csv\r\nContent-Type: text/xml\r\nUser-Agent: mine/1\r\n", nil,
			http.Header{"Accept": {"text/csv"}, "Content-Type": {"text/xml"}, "User-Agent": {"mine/1"}}},
		{"P47 hop by hop", "Connection: X-Foo, keep-alive\r\nX-Foo: bar\r\nKeep-Alive: 5\r\nTe: trailers\r\nX-Stays: 1\r\n",
			[]string{"X-Foo", "Keep-Alive", "Te", "Connection"}, http.Header{"X-Stays": {"1"}}},
		{"P48 a token of the client's", "X-Auth-Token: client0made0this\r\n", nil, http.Header{"X-Auth-Token": {tokenA}}},
		{"P50 two tokens of the client's", "X-Auth-Token: client0made0this\r\nx-auth-token: client0made0this\r\n", nil, http.Header{"X-Auth-Token": {tokenA}}},
		{"P54 another method in a header", "X-HTTP-Method-Override: DELETE\r\nX-HTTP-Method: PUT\r\nX-Method-Override: PUT\r\n",
			[]string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}, nil},
		{"P62 where it came from", "X-Forwarded-For: 1.2.3.4\r\nForwarded: for=x\r\nVia: 1.1 y\r\nProxy-Authorization: Basic proxy0password\r\nX-Real-Ip: 1.1.1.1\r\nX-Forwarded-Proto: http\r\n",
			[]string{"X-Forwarded-For", "Forwarded", "Via", "Proxy-Authorization", "X-Real-Ip", "X-Forwarded-Proto"}, nil},
		{"P63 credentials of the app's", "Authorization: Bearer app0token\r\nCookie: a=cookie0of0the0client\r\n", []string{"Authorization", "Cookie"}, nil},
		{"an upgrade that is only offered", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", []string{"Upgrade", "Http2-Settings", "Connection"}, nil},
	} {
		t.Run(c.row, func(t *testing.T) {
			before := w.far.hits()
			a := w.raw(t, w.door, toStore+c.headers+"\r\n")
			seen := w.far.since(before)
			if a.StatusCode != 200 || len(seen) != 1 {
				t.Fatalf("answered %d %q, upstream asked %d times", a.StatusCode, a.body, len(seen))
			}
			for _, name := range c.none {
				if got := seen[0].header.Values(name); len(got) > 0 {
					t.Errorf("upstream got %s: %q", name, got)
				}
			}
			for name, want := range c.want {
				if got := seen[0].header.Values(name); !slices.Equal(got, want) {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
	w.finish()
	if n := strings.Count(w.said(), "never sent on"); n != 1 {
		t.Errorf("the notice about a client's own token was given %d times", n)
	}
	for _, e := range w.exchanges() {
		if v := e.Request.Header.Get("Proxy-Authorization"); v != "" {
			t.Errorf("the journal holds Proxy-Authorization: %q", v)
		}
	}
}

func TestConfiguredHeadersAreAddedWhereTheClientSentNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRecordingAPI(t, nil), []string{"BCDEV_PROXY_HEADERS={Authorization: Basic, X-Mine: ours}", "BCDEV_PROXY_CLIENT_HEADER=false"})
	w.raw(t, w.door, toStore+"X-Mine: theirs\r\nAuthorization: Bearer app0token\r\n\r\n")
	got := w.far.since(0)[0].header
	if got.Get("Authorization") != "Basic" || got.Get("X-Mine") != "theirs" || got.Get("X-Auth-Client") != "" {
		t.Errorf("upstream got %v", got)
	}
	w.secrets = append(w.secrets, "app0token")
	w.finish()
}

// TestFramingReachesUpstreamOnceOrNotAtAll sends bodies whose length two parsers could read in two ways.
func TestFramingReachesUpstreamOnceOrNotAtAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRecordingAPI(t, nil), nil)
	const inner = "GET /stores/bbb222/v3/smuggled HTTP/1.1\r\nHost: {door}\r\n\r\n"
	for _, c := range []struct{ row, request string }{
		{"P55 length and chunks", postTo + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner},
		{"P55 chunks and length", postTo + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + inner},
		{"P57 a bare line feed in a chunk's size", postTo + "Transfer-Encoding: chunked\r\n\r\n2\nab\r\n0\r\n\r\n" + inner},
		{"P57 a chunk extension over a line", postTo + "Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\nab\r\n0\r\n\r\n" + inner},
		{"P57 two codings", postTo + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + inner},
		{"P57 an odd coding", postTo + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + inner},
		{"P57 a size with a sign", postTo + "Transfer-Encoding: chunked\r\n\r\n+2\r\nab\r\n0\r\n\r\n" + inner},
	} {
		t.Run(c.row, func(t *testing.T) {
			before := w.far.hits()
			a := w.raw(t, w.door, c.request)
			if a.open || strings.Contains(a.rest, "HTTP/1.1 ") {
				t.Errorf("want one answer and a closed connection; got %q (open %v)", a.wrote, a.open)
			}
			for _, r := range w.far.since(before) {
				if strings.Contains(r.target, "smuggled") || strings.Contains(r.body, "smuggled") {
					t.Errorf("upstream received %+v", r)
				}
			}
			hits := w.far.hits() - before
			if refused := a.StatusCode >= 400; refused && hits != 0 || !refused && hits != 1 {
				t.Errorf("answered %d with %d requests upstream", a.StatusCode, hits)
			}
			if strings.HasPrefix(c.row, "P57") && a.StatusCode != 400 && a.StatusCode != 501 {
				t.Errorf("status %d", a.StatusCode)
			}
		})
	}
	w.finish()
}

func TestP44APathOfAMegabyteIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRecordingAPI(t, nil), nil)
	begun := time.Now()
	a := w.raw(t, w.door, "GET /stores/aaa111/v3/"+strings.Repeat("a", 1<<20)+" HTTP/1.1\r\nHost: {door}\r\n\r\n")
	if a.StatusCode != 431 && a.StatusCode != 414 {
		t.Errorf("status %d", a.StatusCode)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
	if a := w.raw(t, w.door, toStore+"\r\n"); a.StatusCode != 200 || w.far.hits() != 1 {
		t.Errorf("the next request was answered %d; upstream was asked %d times", a.StatusCode, w.far.hits())
	}
	w.finish()
}

func TestP96NoOtherMachineReachesTheDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRecordingAPI(t, nil), nil)
	_, port, _ := net.SplitHostPort(w.door)
	lan := lanAddress(t)
	if c, err := net.DialTimeout("tcp", net.JoinHostPort(lan, port), 2*time.Second); err == nil {
		c.Close()
		t.Errorf("%s answers", lan)
	}
	w.finish()
}

// lanAddress is an address of this machine that others could reach.
func lanAddress(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
			return ip.IP.String()
		}
	}
	t.Skip("this machine has no address beside loopback")
	return ""
}
