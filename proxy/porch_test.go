package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Requests that never reach upstream, as bytes.
func TestThePorchRefuses(t *testing.T) {
	const end = "\r\n\r\n"
	for _, test := range []struct {
		name, request string
		status        int
		code          string
	}{
		{"P24 absolute form to a metadata address", "GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\r\nHost: {self}" + end, 400, "absolute_form"},
		{"P25 absolute form to another port", "GET http://127.0.0.1:9/ HTTP/1.1\r\nHost: {self}" + end, 400, "absolute_form"},
		{"absolute form over https to ourselves", "GET https://{self}/v3/x HTTP/1.1\r\nHost: {self}" + end, 400, "absolute_form"},
		{"P27 CONNECT", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443" + end, 405, "connect_not_here"},
		{"P29 dot segments", "GET /stores/aaa111/../bbb222/v3/x HTTP/1.1\r\nHost: {self}" + end, 400, "bad_path"},
		{"P30 escaped dot segments", "GET /stores/aaa111/%2e%2e/bbb222/v3/x HTTP/1.1\r\nHost: {self}" + end, 400, "bad_path"},
		{"P31 escaped slash behind dots", "GET /stores/aaa111/..%2fbbb222/v3/x HTTP/1.1\r\nHost: {self}" + end, 400, "bad_path"},
		{"P32 escaped slash in the store", "GET /stores/aaa111%2F..%2Fbbb222/v3/x HTTP/1.1\r\nHost: {self}" + end, 400, "bad_path"},
		{"escaped slash in the store without dots", "GET /stores/aaa111%2Fbbb222/v3/x HTTP/1.1\r\nHost: {self}" + end, 400, "bad_path"},
		{"P34 raw backslashes", `GET /stores/aaa111\..\bbb222/v3/x HTTP/1.1` + "\r\nHost: {self}" + end, 400, "bad_path"},
		{"escaped backslashes around dots", "GET /stores/aaa111/v3/a%5c..%5c..%5cbbb222 HTTP/1.1\r\nHost: {self}" + end, 400, "bad_path"},
		{"dots with a path parameter", "GET /stores/aaa111/..;/bbb222/v3/x HTTP/1.1\r\nHost: {self}" + end, 400, "bad_path"},
		{"P35 an escaped NUL", "GET /stores/aaa111/v3/x%00y HTTP/1.1\r\nHost: {self}" + end, 400, "bad_path"},
		{"an escaped newline", "GET /v3/x%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: {self}" + end, 400, "bad_path"},
		{"overlong UTF-8 dots", "GET /stores/aaa111/%c0%ae%c0%ae/x HTTP/1.1\r\nHost: {self}" + end, 400, "bad_path"},
		{"a fragment", "GET /v3/x#y HTTP/1.1\r\nHost: {self}" + end, 400, "bad_path"},
		{"an empty store", "GET /stores//v3/x HTTP/1.1\r\nHost: {self}" + end, 400, "bad_path"},
		{"P38 a store in other letters", "GET /stores/AAA111/v3/x HTTP/1.1\r\nHost: {self}" + end, 404, "unknown_store"},
		{"P40 GET of the token endpoint", "GET /oauth2/token HTTP/1.1\r\nHost: {self}" + end, 404, "unknown_route"},
		{"P40 /admin", "GET /admin HTTP/1.1\r\nHost: {self}" + end, 404, "unknown_route"},
		{"P40 the root", "GET / HTTP/1.1\r\nHost: {self}" + end, 404, "unknown_route"},
		{"two slashes in front", "GET //stores/aaa111/v3/x HTTP/1.1\r\nHost: {self}" + end, 404, "unknown_route"},
		{"escaped fixed words", "GET /%73tores/aaa111/v3/x HTTP/1.1\r\nHost: {self}" + end, 404, "unknown_route"},
		{"escaped API version", "GET /stores/aaa111/%763/x HTTP/1.1\r\nHost: {self}" + end, 404, "unknown_route"},
		{"payments", "POST /stores/aaa111/payments HTTP/1.1\r\nHost: {self}\r\nContent-Length: 0" + end, 404, "unknown_route"},
		{"B2B", "GET /api/v3/io/companies HTTP/1.1\r\nHost: {self}" + end, 404, "unknown_route"},
		{"B2B under a store", "GET /stores/aaa111/v3/io/companies HTTP/1.1\r\nHost: {self}" + end, 404, "unknown_route"},
		{"another page of ours", "GET /_bcdev/other HTTP/1.1\r\nHost: {self}" + end, 404, "unknown_route"},
		{"P52 a WebSocket", "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: {self}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x" + end, 400, "upgrade_not_supported"},
		{"P53 TRACE", "TRACE /stores/aaa111/v3/x HTTP/1.1\r\nHost: {self}" + end, 405, "method_not_allowed"},
		{"a method nobody knows", "PROPFIND /stores/aaa111/v3/x HTTP/1.1\r\nHost: {self}" + end, 405, "method_not_allowed"},
		{"P57 a bare LF in a chunk size", "POST /stores/aaa111/v3/x HTTP/1.1\r\nHost: {self}\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0" + end, 400, "bad_body"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var codes []string
			u := newUpstream(t, false, nil)
			s := openDoor(t, u, func(o *Options) {
				o.Refused = func(_ *http.Request, code, _, _ string) { codes = append(codes, code) }
			})
			res, body := raw(t, s, test.request)
			refused(t, res, body, test.status, test.code)
			u.none(t)
			if len(codes) != 1 || codes[0] != test.code {
				t.Errorf("Refused heard %v, want [%s]", codes, test.code)
			}
		})
	}
}

// Requests that net/http itself refuses, or should.
func TestBrokenFramingNeverReachesUpstream(t *testing.T) {
	const end = "\r\n\r\n"
	for name, request := range map[string]string{
		"P09 two Host fields":             "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: {self}\r\nHost: evil.example" + end,
		"P56 two lengths":                 "POST /stores/aaa111/v3/x HTTP/1.1\r\nHost: {self}\r\nContent-Length: 4\r\nContent-Length: 5" + end + "abcde",
		"P58 a space before the colon":    "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: {self}\r\nX-Foo : 1" + end,
		"a chunked coding nobody knows":   "POST /stores/aaa111/v3/x HTTP/1.1\r\nHost: {self}\r\nTransfer-Encoding: xchunked" + end,
		"an escape sequence in a header":  "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: {self}\r\nX-Foo: \x1b[31m" + end,
		"a length that is not a number":   "POST /stores/aaa111/v3/x HTTP/1.1\r\nHost: {self}\r\nContent-Length: +4" + end,
		"a raw newline in the target":     "GET /stores/aaa111/v3/x\ny HTTP/1.1\r\nHost: {self}" + end,
		"a chunk size that overflows":     "POST /stores/aaa111/v3/x HTTP/1.1\r\nHost: {self}\r\nTransfer-Encoding: chunked" + end + "fffffffffffffffff\r\nx",
		"P60 70 KiB of header fields":     "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: {self}\r\nX-Big: " + strings.Repeat("a", 70<<10) + end,
		"P44 a request line of 1 MiB":     "GET /stores/aaa111/v3/" + strings.Repeat("a", 1<<20) + " HTTP/1.1\r\nHost: {self}" + end,
		"a chunk without its closing end": "POST /stores/aaa111/v3/x HTTP/1.1\r\nHost: {self}\r\nTransfer-Encoding: chunked" + end + "5;ext\nhello\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(t, false, nil)
			s := openDoor(t, u, nil)
			conn := dialRaw(t, s)
			// The server may answer and hang up before it has read everything.
			io.WriteString(conn, strings.ReplaceAll(request, "{self}", s.Listener.Addr().String()))
			head := make([]byte, 12)
			if _, err := io.ReadFull(conn, head); err == nil && head[9] != '4' && head[9] != '5' {
				t.Errorf("the answer begins with %q, want a 4xx", head)
			}
			u.none(t)
			if res, _ := do(t, "GET", s.URL+"/v3/x", nil, nil); res.StatusCode != http.StatusOK {
				t.Errorf("the next request got %d", res.StatusCode)
			}
		})
	}
}

func TestP55ARequestHiddenBehindAChunkedBodyIsNeverSent(t *testing.T) {
	u := newUpstream(t, false, nil)
	s := openDoor(t, u, nil)
	conn := dialRaw(t, s)
	io.WriteString(conn, "POST /stores/aaa111/v3/x HTTP/1.1\r\nHost: "+s.Listener.Addr().String()+
		"\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /stores/bbb222/v3/smuggled HTTP/1.1\r\nHost: "+
		s.Listener.Addr().String()+"\r\n\r\n")
	answers, err := io.ReadAll(conn) // ends only because the door hangs up
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(answers), "HTTP/1.1 "); n != 1 {
		t.Errorf("%d answers came, want 1:\n%s", n, answers)
	}
	got := u.only(t)
	if got.URI != "/stores/aaa111/v3/x" || got.Body != "" || got.Header.Get("Transfer-Encoding") != "" {
		t.Errorf("upstream received %+v", got)
	}
}

// Targets that travel byte for byte.
func TestTargetsReachUpstreamAsTheyWereWritten(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for name, test := range map[string][2]string{
			"the example of the guide":            {"/v3/catalog/products?include=images,variants", "/stores/aaa111/v3/catalog/products?include=images,variants"},
			"an alias":                            {"/stores/dev/v2/time", "/stores/aaa111/v2/time"},
			"another store by name":               {"/stores/bbb222/v3/x", "/stores/bbb222/v3/x"},
			"GraphQL Admin":                       {"/graphql", "/stores/aaa111/graphql"},
			"P26 the absolute form to ourselves":  {"http://{self}/stores/aaa111/v3/x?y", "/stores/aaa111/v3/x?y"},
			"P37 a dot that is escaped twice":     {"/stores/aaa111/v3/%252e%252e/x", "/stores/aaa111/v3/%252e%252e/x"},
			"P42 semicolons and colons":           {"/stores/aaa111/v3/x?name=a;b=2&id:in=1,2", "/stores/aaa111/v3/x?name=a;b=2&id:in=1,2"},
			"P43 a broken escape in the query":    {"/stores/aaa111/v3/x?q=%zz", "/stores/aaa111/v3/x?q=%zz"},
			"P45 escapes in the path":             {"/stores/aaa111/v3/caf%C3%A9%20x", "/stores/aaa111/v3/caf%C3%A9%20x"},
			"escapes in small letters":            {"/v3/caf%c3%a9%2Fx", "/stores/aaa111/v3/caf%c3%a9%2Fx"},
			"escapes nobody needed":               {"/v3/%61%62c", "/stores/aaa111/v3/%61%62c"},
			"raw bytes that net/url would escape": {`/v3/a"b{c}|^d` + "`", `/stores/aaa111/v3/a"b{c}|^d` + "`"},
			"raw UTF-8":                           {"/v3/café?q=café", "/stores/aaa111/v3/café?q=café"},
			"a trailing slash":                    {"/v3/catalog/products/", "/stores/aaa111/v3/catalog/products/"},
			"an empty query":                      {"/v3/x?", "/stores/aaa111/v3/x?"},
			"a question mark in the query":        {"/v3/x?a=?&&b", "/stores/aaa111/v3/x?a=?&&b"},
			"two slashes inside":                  {"/v3//x", "/stores/aaa111/v3//x"},
			"dots in a name":                      {"/v2/customers.json?a..b", "/stores/aaa111/v2/customers.json?a..b"},
			"a reserved character, raw":           {"/v3/a:b@c,d;e=f!$&'()*+", "/stores/aaa111/v3/a:b@c,d;e=f!$&'()*+"},
		} {
			t.Run(name, func(t *testing.T) {
				u := newUpstream(t, secure, nil)
				s := openDoor(t, u, nil)
				res, body := raw(t, s, "GET "+test[0]+" HTTP/1.1\r\nHost: {self}\r\n\r\n")
				if res.StatusCode != http.StatusOK || body != `{"data":[]}` {
					t.Fatalf("answer %d %q", res.StatusCode, body)
				}
				got := u.only(t)
				if got.URI != test[1] {
					t.Errorf("upstream received %q, want %q", got.URI, test[1])
				}
				store, _, _ := strings.Cut(strings.TrimPrefix(test[1], "/stores/"), "/")
				if token := got.Header["X-Auth-Token"]; len(token) != 1 || token[0] != "the-token-of-"+store {
					t.Errorf("upstream received the tokens %q", token)
				}
				if got.Host != u.url().Host {
					t.Errorf("upstream received Host %q", got.Host)
				}
				if want := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[secure]; got.Proto != want {
					t.Errorf("upstream was spoken to in %s, want %s", got.Proto, want)
				}
			})
		}
	}
}

func TestAnUnknownStoreIsToldWhichAreKnown(t *testing.T) {
	u := newUpstream(t, false, nil)
	s := openDoor(t, u, nil)
	_, body := do(t, "GET", s.URL+"/stores/zzz999/v3/x", nil, nil)
	if !strings.Contains(body, "aaa111 (dev), bbb222") {
		t.Errorf("the 404 does not name the known stores: %s", body)
	}
}

func TestRefusedFamiliesSayWhy(t *testing.T) {
	u := newUpstream(t, false, nil)
	s := openDoor(t, u, nil)
	for path, word := range map[string]string{"/stores/aaa111/payments": "payments.bigcommerce.com", "/api/v2/io/users": "api-b2b", "/graphql/": "slash"} {
		if _, body := do(t, "POST", s.URL+path, nil, nil); !strings.Contains(body, word) {
			t.Errorf("the answer to %s does not say %q: %s", path, word, body)
		}
	}
	u.none(t)
}

func TestHealthIsNeverForwarded(t *testing.T) {
	u := newUpstream(t, false, nil)
	s := openDoor(t, u, func(o *Options) { o.Health = func() any { return map[string]string{"status": "ok"} } })
	res, body := do(t, "GET", s.URL+"/_bcdev/health", nil, nil)
	if res.StatusCode != http.StatusOK || strings.TrimSpace(body) != `{"status":"ok"}` || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("health is %d %q", res.StatusCode, body)
	}
	res, body = do(t, "POST", s.URL+"/_bcdev/health", nil, nil)
	refused(t, res, body, 405, "method_not_allowed")
	u.none(t)
}

func TestAKeyTakenOffThePathInFrontDoesNotTravel(t *testing.T) {
	u := newUpstream(t, false, nil)
	p, err := New(options(t, u))
	if err != nil {
		t.Fatal(err)
	}
	s := serveDoor(t, http.StripPrefix("/k/secret", p.Reverse()))
	res, _ := do(t, "GET", s.URL+"/k/secret/stores/aaa111/v3/caf%C3%A9?q=1;2", nil, nil)
	if got := u.only(t); res.StatusCode != http.StatusOK || got.URI != "/stores/aaa111/v3/caf%C3%A9?q=1;2" {
		t.Errorf("P22: upstream received %q", got.URI)
	}
}

func FuzzCheckPath(f *testing.F) {
	for _, s := range []string{"/v3/x", "/stores/aaa111/%2e%2e/x", "/a/..;x/", `/a\..\b`, "/%c0%ae%c0%ae/", "/%252e%252e/", "//", "/.", "/..."} {
		f.Add(s)
	}
	u := newUpstreamless()
	f.Fuzz(func(t *testing.T, path string) {
		if !strings.HasPrefix(path, "/") || checkPath(path) != "" {
			return
		}
		rt, no := parseRoute(path)
		if no != nil {
			return
		}
		c := &call{p: u, kind: kindAPI}
		c.aim(u.o.API, "/stores/aaa111"+rt.rest, "", false)
		if strings.HasPrefix(c.url.RequestURI(), "//") || !strings.HasPrefix(c.url.RequestURI(), "/stores/aaa111/") || !strings.HasSuffix(path, rt.rest) {
			t.Errorf("%q is sent as %q", path, c.url.RequestURI())
		}
		if c.url.RequestURI() != "/stores/aaa111"+rt.rest {
			t.Errorf("%q is changed to %q", rt.rest, c.url.RequestURI())
		}
		for segment := range strings.SplitSeq(c.url.Path, "/") {
			if segment == ".." || segment == "." {
				t.Errorf("%q leads through a dot segment", path)
			}
		}
	})
}
