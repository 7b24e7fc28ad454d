package serve

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// door is a guarded server that remembers what came through.
type door struct {
	addr    string
	mu      sync.Mutex
	arrived []string // request URIs
	refused []string
	told    []string // paths of refused requests
}

func (d *door) seen() (arrived, refused string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	arrived, refused = strings.Join(d.arrived, " "), strings.Join(d.refused, " ")
	d.arrived, d.refused = nil, nil
	return arrived, refused
}

func guarded(t *testing.T, g Guard) *door {
	t.Helper()
	l, err := Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{addr: l.Addr().String()}
	g.Addr = l.Addr()
	g.Refused = func(r *http.Request, code, _, _ string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.refused = append(d.refused, code)
		d.told = append(d.told, r.URL.Path+r.RequestURI)
	}
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		d.arrived = append(d.arrived, r.RequestURI+"|"+r.URL.EscapedPath())
		d.mu.Unlock()
		w.Header().Set("Access-Control-Allow-Origin", "upstream's")
		fmt.Fprint(w, "through")
	})
	s := New(LocalOnly(g, inner), Limits{})
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return d
}

// send writes a request as it is; PORT stands for the door's port. The answer's body is read.
func (d *door) send(t *testing.T, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, port, _ := net.SplitHostPort(d.addr)
	request = strings.ReplaceAll(strings.ReplaceAll(request, "PORT", port), "\n", "\r\n")
	if _, err := io.WriteString(c, request+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	a, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a, string(body)
}

func TestWhoIsLetThrough(t *testing.T) {
	d := guarded(t, Guard{Hosts: []string{"bcdev.test:80"}, AllowOrigins: []string{"http://localhost:3000"}})
	const path = "GET /stores/aaa111/v3/x HTTP/1.1\nHost: "
	for _, c := range []struct {
		name, request string
		status        int
		code          string
	}{
		{"P01 a foreign host", path + "evil.example", 403, "host_not_allowed"},
		{"P02 a host that begins like ours", path + "localhost.evil.example:PORT", 403, "host_not_allowed"},
		{"P03 a name that resolves to loopback", path + "127.0.0.1.nip.io:PORT", 403, "host_not_allowed"},
		{"P04 upper case", path + "LOCALHOST:PORT", 200, ""},
		{"the address itself", path + "127.0.0.1:PORT", 200, ""},
		{"IPv6", path + "[::1]:PORT", 200, ""},
		{"a host of ours by name", path + "bcdev.test:80", 200, ""},
		{"no port", path + "localhost", 403, "host_not_allowed"},
		{"another port", path + "localhost:1", 403, "host_not_allowed"},
		{"a trailing dot", path + "localhost.:PORT", 403, "host_not_allowed"},
		{"P06 the unspecified address", path + "0.0.0.0:PORT", 403, "host_not_allowed"},
		{"P08 no host", "GET /stores/aaa111/v3/x HTTP/1.0", 400, "bad_host"},
		{"P09 two hosts", path + "localhost:PORT\nHost: evil.example", 400, ""},
		{"P10 a page of another origin", path + "localhost:PORT\nOrigin: https://evil.example", 403, "cross_site"},
		{"P11 an image tag", path + "localhost:PORT\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: no-cors", 403, "cross_site"},
		{"P12 a form", "POST /stores/aaa111/v3/x HTTP/1.1\nHost: localhost:PORT\nOrigin: https://evil.example\nContent-Type: text/plain\nContent-Length: 0", 403, "cross_site"},
		{"P14 a rebound DNS name", "POST /x HTTP/1.1\nHost: evil.example:PORT\nOrigin: http://evil.example:PORT\nSec-Fetch-Site: same-origin\nContent-Length: 0", 403, "host_not_allowed"},
		{"P15 a preflight of another origin", "OPTIONS /x HTTP/1.1\nHost: localhost:PORT\nOrigin: https://evil.example\nAccess-Control-Request-Method: PUT\nAccess-Control-Request-Private-Network: true", 403, "cross_site"},
		{"P17 an origin that begins like an allowed one", path + "localhost:PORT\nOrigin: http://localhost:3000.evil.example", 403, "cross_site"},
		{"P19 another local app", path + "localhost:PORT\nOrigin: http://localhost:3001\nSec-Fetch-Site: same-site", 403, "cross_site"},
		{"a sandboxed frame", path + "localhost:PORT\nOrigin: null", 403, "cross_site"},
		{"two origins", path + "localhost:PORT\nOrigin: http://localhost:3000\nOrigin: https://evil.example", 403, "cross_site"},
		{"an allowed origin", path + "localhost:PORT\nOrigin: http://localhost:3000\nSec-Fetch-Site: same-site", 200, ""},
		{"our own page", path + "localhost:PORT\nOrigin: http://localhost:PORT\nSec-Fetch-Site: same-origin", 200, ""},
		{"a person's own click", path + "localhost:PORT\nSec-Fetch-Site: none", 200, ""},
		{"I02 a page that knows the cookie", path + "localhost:PORT\nCookie: s=1\nSec-Fetch-Site: cross-site", 403, "cross_site"},
		{"I05 a foreign host that knows the cookie", path + "evil.example:PORT\nCookie: s=1", 403, "host_not_allowed"},
		{"P24 an absolute URI", "GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\nHost: 169.254.169.254", 400, "absolute_form"},
		{"P25 an absolute URI with our Host", "GET http://127.0.0.1:9/ HTTP/1.1\nHost: localhost:PORT", 400, "absolute_form"},
		{"P26 an absolute URI of our own", "GET http://localhost:PORT/stores/aaa111/v3/x HTTP/1.1\nHost: localhost:PORT", 200, ""},
		{"https to a door that has none", "GET https://localhost:PORT/x HTTP/1.1\nHost: localhost:PORT", 400, "absolute_form"},
		{"P27 CONNECT", "CONNECT evil.example:443 HTTP/1.1\nHost: evil.example:443", 405, "connect_not_here"},
		{"OPTIONS * of a stranger", "OPTIONS * HTTP/1.1\nHost: evil.example", 403, "host_not_allowed"},
		{"P58 a space before the colon", path + "localhost:PORT\nX-Foo : 1", 400, ""},
		{"a tunnel that rewrites Host", path + "localhost:PORT\nX-Forwarded-Host: you.ngrok-free.app\nX-Forwarded-Proto: https", 403, "tunnelled_request"},
		{"a tunnel's own header", path + "localhost:PORT\nNgrok-Auth-User-Id: 1", 403, "tunnelled_request"},
		{"a tunnel under .localhost", path + "localhost:PORT\nX-Forwarded-Host: demo.localhost:7443\nX-Forwarded-Proto: https", 403, "tunnelled_request"},
		{"the local app's dev server", path + "localhost:PORT\nX-Forwarded-Host: localhost:3000\nX-Forwarded-Proto: http\nX-Forwarded-For: 1.2.3.4", 200, ""},
		{"the header that skips ngrok's warning", path + "localhost:PORT\nNgrok-Skip-Browser-Warning: 1", 200, ""},
		{"a key where none is needed", "GET /k/abc/stores/aaa111/v3/x HTTP/1.1\nHost: localhost:PORT", 404, "unknown_route"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, body := d.send(t, c.request)
			arrived, refused := d.seen()
			if a.StatusCode != c.status || a.Header.Get("Bcdev-Error") != c.code || refused != c.code {
				t.Errorf("status %d, error %q, told %q; want %d %q\n%s", a.StatusCode, a.Header.Get("Bcdev-Error"), refused, c.status, c.code, body)
			}
			if (arrived != "") != (c.status == 200) {
				t.Errorf("arrived: %q", arrived)
			}
			if c.code == "" {
				return
			}
			var e struct {
				Error struct{ Code, Message, Hint string }
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error.Code != c.code || e.Error.Message == "" || e.Error.Hint == "" {
				t.Errorf("body %q: %v", body, err)
			}
			if strings.Contains(body, "evil") || strings.Contains(body, "aaa111") {
				t.Errorf("the answer echoes the request: %s", body)
			}
			for name := range a.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("a refusal has %s", name)
				}
			}
			if c.code == "connect_not_here" && !a.Close {
				t.Error("the connection stays open after CONNECT")
			}
		})
	}
}

func TestP16APreflightOfAnAllowedOrigin(t *testing.T) {
	d := guarded(t, Guard{AllowOrigins: []string{"http://localhost:3000"}, Key: "secret", KeyRequired: true})
	const request = "OPTIONS /k/secret/v3/x HTTP/1.1\nHost: localhost:PORT\nOrigin: http://localhost:3000\nAccess-Control-Request-Method: PUT\nAccess-Control-Request-Headers: content-type, x-foo, b d"
	a, _ := d.send(t, request)
	h := a.Header
	if a.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "http://localhost:3000" || !strings.Contains(h.Get("Vary"), "Origin") ||
		!strings.Contains(h.Get("Access-Control-Allow-Methods"), "PUT") || h.Get("Access-Control-Allow-Headers") != "content-type, x-foo" {
		t.Errorf("%s %v", a.Status, h)
	}
	if h.Get("Access-Control-Allow-Credentials") != "" || h.Get("Access-Control-Allow-Private-Network") != "" {
		t.Errorf("too much is allowed: %v", h)
	}
	if arrived, _ := d.seen(); arrived != "" {
		t.Errorf("the preflight arrived: %s", arrived)
	}
	a, _ = d.send(t, request+"\nAccess-Control-Request-Private-Network: true")
	if a.Header.Get("Access-Control-Allow-Private-Network") != "true" {
		t.Errorf("asked for the private network: %v", a.Header)
	}
}

func TestAnAllowedPageMayReadTheAnswer(t *testing.T) {
	d := guarded(t, Guard{AllowOrigins: []string{"http://localhost:3000"}})
	a, body := d.send(t, "GET /v3/x HTTP/1.1\nHost: localhost:PORT\nOrigin: http://localhost:3000")
	if got := a.Header["Access-Control-Allow-Origin"]; body != "through" || len(got) != 1 || got[0] != "http://localhost:3000" || a.Header.Get("Vary") != "Origin" {
		t.Errorf("%q %v", body, a.Header)
	}
}

func TestTheKey(t *testing.T) {
	const key = "4d0c1b9e7f6a"
	d := guarded(t, Guard{Key: key, KeyRequired: true})
	for _, c := range []struct {
		name, target string
		status       int
		code         string
		arrived      string
	}{
		{"P20 none", "/stores/aaa111/v3/x", 401, "missing_key", ""},
		{"P21 a wrong one of the same length", "/k/4d0c1b9e7f6b/stores/aaa111/v3/x", 401, "bad_key", ""},
		{"P22 the right one", "/k/4d0c1b9e7f6a/stores/aaa111/v3/x", 200, "", "/stores/aaa111/v3/x|/stores/aaa111/v3/x"},
		{"path and query byte for byte", "/k/4d0c1b9e7f6a/v3/a%2Fb%20c/?q=%41&a=1;b", 200, "", "/v3/a%2Fb%20c/?q=%41&a=1;b|/v3/a%2Fb%20c/"},
		{"nothing behind it", "/k/4d0c1b9e7f6a", 200, "", "/|/"},
		{"a query right behind it", "/k/4d0c1b9e7f6a?x=1", 200, "", "/?x=1|/"},
		{"two slashes behind it", "/k/4d0c1b9e7f6a//evil.example/x", 200, "", "//evil.example/x|//evil.example/x"},
		{"more than the key", "/k/4d0c1b9e7f6aa/x", 401, "bad_key", ""},
		{"an empty one", "/k//x", 401, "bad_key", ""},
		{"an encoded one", "/k/%34d0c1b9e7f6a/x", 401, "bad_key", ""},
		{"in the absolute form", "http://localhost:PORT/k/4d0c1b9e7f6a/x?y", 200, "", "http://localhost:PORT/x?y|/x"},
		{"none in the absolute form", "http://localhost:PORT/x", 401, "missing_key", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, body := d.send(t, "GET "+c.target+" HTTP/1.1\nHost: localhost:PORT")
			arrived, _ := d.seen()
			_, port, _ := net.SplitHostPort(d.addr)
			if a.StatusCode != c.status || a.Header.Get("Bcdev-Error") != c.code || arrived != strings.ReplaceAll(c.arrived, "PORT", port) {
				t.Errorf("status %d, error %q, arrived %q", a.StatusCode, a.Header.Get("Bcdev-Error"), arrived)
			}
			if strings.Contains(body, key) {
				t.Errorf("the answer holds the key: %s", body)
			}
		})
	}
}

func TestARefererWithTheKeyGoesNoFurther(t *testing.T) {
	const key = "4d0c1b9e7f6a"
	for referer, want := range map[string]string{
		"http://localhost/k/" + key + "/v3/x": "",
		"http://localhost:3000/products":      "http://localhost:3000/products",
	} {
		got := ""
		h := LocalOnly(Guard{Hosts: []string{"localhost"}, Key: key, KeyRequired: true},
			http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Referer") }))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/k/"+key+"/v3/x", nil)
		r.Host = "localhost"
		r.Header.Set("Referer", referer)
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got != want {
			t.Errorf("%q arrived as %q", referer, got)
		}
	}
}

func TestARequiredKeyThatIsEmptyOpensNothing(t *testing.T) {
	d := guarded(t, Guard{KeyRequired: true})
	if a, _ := d.send(t, "GET /k//v3/x HTTP/1.1\nHost: localhost:PORT"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d", a.StatusCode)
	}
}

func TestARefusedKeyIsNotTold(t *testing.T) {
	d := guarded(t, Guard{Key: "4d0c1b9e7f6a", KeyRequired: true})
	d.send(t, "GET /k/4d0c1b9e7f6b/stores/aaa111/v3/x?y=1 HTTP/1.1\nHost: localhost:PORT")
	d.mu.Lock()
	defer d.mu.Unlock()
	const path = "/k/***/stores/aaa111/v3/x"
	if len(d.told) != 1 || d.told[0] != path+path {
		t.Errorf("told %q", d.told)
	}
}

func FuzzTheKeyIsCutOffExactly(f *testing.F) {
	f.Add("/k/secret/v3/x?y=1")
	f.Add("http://localhost:1/k/secret/x")
	f.Add("/k/secret")
	f.Add("*")
	g := Guard{Key: "secret", KeyRequired: true}
	f.Fuzz(func(t *testing.T, target string) {
		r := &http.Request{RequestURI: target}
		inner, no := g.unlock(r)
		if (inner == nil) == (no == nil) {
			t.Fatal("neither let through nor refused")
		}
		if inner != nil && !strings.Contains(target, "/k/secret") {
			t.Fatalf("%q was let through", target)
		}
	})
}
