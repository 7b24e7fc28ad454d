package proxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheHeadersOfTheGuideAreAdded(t *testing.T) {
	u := newUpstream(t, false, nil)
	s := openDoor(t, u, func(o *Options) { o.Headers = http.Header{"Authorization": {"Basic abc"}, "X-Team": {"one"}} })
	raw(t, s, "GET /v3/catalog/products?include=images,variants HTTP/1.1\r\nHost: {self}\r\n\r\n")
	want := http.Header{
		"X-Auth-Token": {testToken}, "X-Auth-Client": {"the-client"}, "Accept": {"application/json"},
		"Content-Type": {"application/json"}, "Authorization": {"Basic abc"}, "X-Team": {"one"},
	}
	if diff := cmp.Diff(want, u.only(t).Header); diff != "" {
		t.Errorf("upstream's headers (-want +got):\n%s", diff)
	}
}

// What a client sends, and what of it reaches upstream.
func TestHeadersOnTheirWayUp(t *testing.T) {
	for _, test := range []struct {
		name string
		sent string
		want http.Header // nil values must not arrive
	}{
		{"an Accept of any type becomes JSON", "Accept: */*", http.Header{"Accept": {"application/json"}}},
		{"an Accept of its own stays", "Accept: application/xml", http.Header{"Accept": {"application/xml"}}},
		{"a Content-Type of its own stays", "Content-Type: text/csv", http.Header{"Content-Type": {"text/csv"}}},
		{"a configured header the client sends is the client's", "X-Team: two", http.Header{"X-Team": {"two"}}},
		{"P47 nominated and hop-by-hop fields", "Connection: X-Foo, close\r\nX-Foo: bar\r\nKeep-Alive: 5\r\nTE: gzip", http.Header{"X-Foo": nil, "Keep-Alive": nil, "Te": nil, "Connection": nil}},
		{"P48 a token of the client's", "X-Auth-Token: client-made-this", http.Header{"X-Auth-Token": {testToken}}},
		{"P50 two tokens of the client's", "X-Auth-Token: a\r\nx-auth-token: b", http.Header{"X-Auth-Token": {testToken}}},
		{"a nominated token cannot take ours away", "Connection: X-Auth-Token, X-Auth-Client", http.Header{"X-Auth-Token": {testToken}, "X-Auth-Client": {"the-client"}}},
		{"P54 method overrides", "X-HTTP-Method-Override: DELETE\r\nX-Method-Override: PUT\r\nX-HTTP-Method: PATCH", http.Header{"X-Http-Method-Override": nil, "X-Method-Override": nil, "X-Http-Method": nil}},
		{"P62 claims about the way", "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: a\r\nForwarded: for=x\r\nVia: 1.1 y\r\nProxy-Authorization: Basic z\r\nX-Real-IP: 1.2.3.4",
			http.Header{"X-Forwarded-For": nil, "X-Forwarded-Host": nil, "Forwarded": nil, "Via": nil, "Proxy-Authorization": nil, "X-Real-Ip": nil}},
		{"P63 the app's own Authorization gives way to the configured one", "Authorization: Bearer app-token", http.Header{"Authorization": {"Basic abc"}}},
		{"cookies", "Cookie: session=1", http.Header{"Cookie": nil}},
		{"path overrides", "X-Original-URL: /stores/bbb222/v3/x\r\nX-Rewrite-URL: /admin", http.Header{"X-Original-Url": nil, "X-Rewrite-Url": nil}},
		{"an offer of HTTP/2 in clear text", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk", http.Header{"Upgrade": nil, "Http2-Settings": nil}},
		{"the client's encodings", "Accept-Encoding: gzip, br", http.Header{"Accept-Encoding": {"gzip, br"}}},
		{"no encodings when the client names none", "X-Other: 1", http.Header{"Accept-Encoding": nil, "X-Other": {"1"}, "User-Agent": nil}},
		{"the client's own name", "User-Agent: curl/8", http.Header{"User-Agent": {"curl/8"}}},
		{"several values in order", "X-Many: b\r\nX-Many: a", http.Header{"X-Many": {"b", "a"}}},
		{"our own headers are not the client's to send", "Bcdev-Channel: 3\r\nBcdev-Error: x", http.Header{"Bcdev-Channel": nil, "Bcdev-Error": nil}},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := newUpstream(t, false, nil)
			s := openDoor(t, u, func(o *Options) { o.Headers = http.Header{"Authorization": {"Basic abc"}, "X-Team": {"one"}} })
			raw(t, s, "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: {self}\r\n"+test.sent+"\r\n\r\n")
			got := u.only(t)
			if got.Method != http.MethodGet {
				t.Errorf("upstream received a %s", got.Method)
			}
			for name, want := range test.want {
				if diff := cmp.Diff(want, got.Header.Values(name)); want == nil && len(got.Header.Values(name)) > 0 || want != nil && diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

func TestP48TheNoticeAboutAClientsTokenIsGivenOnceAndWithoutIt(t *testing.T) {
	var notices []string
	u := newUpstream(t, false, nil)
	s := openDoor(t, u, func(o *Options) { o.Notice = func(n string) { notices = append(notices, n) } })
	for range 3 {
		do(t, "GET", s.URL+"/v3/x", http.Header{"X-Auth-Token": {"client-made-this"}}, nil)
	}
	if len(notices) != 1 || strings.Contains(notices[0], "client-made-this") {
		t.Errorf("notices: %q", notices)
	}
}

// recorder remembers the requests that cross the point of recording.
type recorder struct {
	next http.RoundTripper
	got  []*http.Request
	res  []*http.Response
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := r.next.RoundTrip(req)
	r.got = append(r.got, req)
	r.res = append(r.res, res)
	return res, err
}

func TestTheRecorderNeverHoldsAToken(t *testing.T) {
	var rec recorder
	u := newUpstream(t, false, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Set-Cookie", "a=b") })
	s := openDoor(t, u, func(o *Options) {
		o.Record = func(next http.RoundTripper) http.RoundTripper { rec.next = next; return &rec }
	})
	res, _ := do(t, "GET", s.URL+"/v3/x", http.Header{"X-Auth-Token": {"client-made-this"}, "Cookie": {"c=d"}}, nil)
	if len(rec.got) != 1 || rec.got[0].URL.Path != "/stores/aaa111/v3/x" {
		t.Fatalf("recorded %v", rec.got)
	}
	if h := rec.got[0].Header; h.Get("X-Auth-Token") != "" || h.Get("Cookie") != "" || h.Get("X-Auth-Client") != "the-client" {
		t.Errorf("recorded headers %v", h)
	}
	if rec.res[0].Header.Get("Set-Cookie") == "" || res.Header.Get("Set-Cookie") != "" {
		t.Error("the recorder should see upstream's header as it came, and the client without its cookies")
	}
	if u.only(t).Header.Get("X-Auth-Token") != testToken {
		t.Error("upstream did not get the token")
	}
}

func TestHeadersOnTheirWayDown(t *testing.T) {
	u := newUpstream(t, false, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for name, value := range map[string]string{
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true", "Set-Cookie": "a=b",
			"Strict-Transport-Security": "max-age=31536000; includeSubDomains", "Alt-Svc": `h3=":443"`, "Clear-Site-Data": `"*"`,
			"Connection": "X-Hop", "X-Hop": "1", "Keep-Alive": "timeout=5", "Upgrade": "websocket", "Bcdev-Error": "forged", "Bcdev-Hint": "forged",
			"X-Request-Id": "abc", "Etag": `"1"`, "X-Rate-Limit-Requests-Left": "9",
		} {
			h.Set(name, value)
		}
		h["Vary"] = []string{"Accept", "Origin"}
	})
	s := openDoor(t, u, nil)
	res, _ := do(t, "GET", s.URL+"/v3/x", nil, nil)
	res.Header.Del("Date")
	want := http.Header{"X-Request-Id": {"abc"}, "Etag": {`"1"`}, "X-Rate-Limit-Requests-Left": {"9"}, "Vary": {"Accept", "Origin"}, "Content-Length": {"0"}}
	if diff := cmp.Diff(want, res.Header); diff != "" {
		t.Errorf("P80, P81: the client's headers (-want +got):\n%s", diff)
	}
}

func TestHeadersSetInFrontStay(t *testing.T) {
	u := newUpstream(t, false, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Access-Control-Allow-Origin", "*") })
	p, err := New(options(t, u))
	if err != nil {
		t.Fatal(err)
	}
	door := p.Reverse()
	s := serveDoor(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "http://localhost:3000")
		w.Header().Set("Vary", "Origin")
		door.ServeHTTP(w, r)
	}))
	res, _ := do(t, "GET", s.URL+"/v3/x", nil, nil)
	if got := res.Header.Values("Access-Control-Allow-Origin"); len(got) != 1 || got[0] != "http://localhost:3000" || res.Header.Get("Vary") != "Origin" {
		t.Errorf("headers %v", res.Header)
	}
}

func TestP85ControlBytesInUpstreamsHeadersAreMadeVisible(t *testing.T) {
	u := &upstream{seen: make(chan received, 10)}
	var rec recorder
	u.serve(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		defer conn.Close()
		conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Title: \x1b]0;x\x07\r\nX-Cr: a\rb\r\n\r\nok"))
	}))
	s := openDoor(t, u, func(o *Options) {
		o.Record = func(next http.RoundTripper) http.RoundTripper { rec.next = next; return &rec }
	})
	res, body := do(t, "GET", s.URL+"/v3/x", nil, nil)
	if res.StatusCode == http.StatusBadGateway {
		return // refused as a whole: just as good
	}
	if body != "ok" || res.Header.Get("X-Title") != `\x1b]0;x\x07` || res.Header.Get("X-Cr") != `a\x0db` {
		t.Errorf("the client got %q", res.Header)
	}
	if got := rec.res[0].Header.Get("X-Title"); strings.ContainsAny(got, "\x1b\x07") {
		t.Errorf("the recorder got %q", got)
	}
}

func TestRedirects(t *testing.T) {
	elsewhere := newUpstream(t, false, nil)
	for _, test := range []struct{ name, path, location, want string }{
		{"P78 to another host", "/v3/x", "https://evil.example/x", "https://evil.example/x"},
		{"P78 to another port", "/v3/x", elsewhere.URL + "/stores/aaa111/v3/x", elsewhere.URL + "/stores/aaa111/v3/x"},
		{"inside the store", "/v3/x", "{api}/stores/aaa111/v3/y?a=%zz", "/v3/y?a=%zz"},
		{"inside the store by name", "/stores/dev/v3/x", "{api}/stores/aaa111/v3/y", "/stores/dev/v3/y"},
		{"inside the store, relative", "/stores/aaa111/v3/x", "/stores/aaa111/v2/y%2Fz", "/stores/aaa111/v2/y%2Fz"},
		{"to another store", "/v3/x", "{api}/stores/bbb222/v3/y", "{api}/stores/bbb222/v3/y"},
		{"out of the store by dots", "/v3/x", "{api}/stores/aaa111/../bbb222/v3", "{api}/stores/aaa111/../bbb222/v3"},
		{"to another host without a scheme", "/v3/x", "//evil.example/stores/aaa111/v3/x", "//evil.example/stores/aaa111/v3/x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var notices int
			var u *upstream
			u = newUpstream(t, false, func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Location"] = []string{strings.ReplaceAll(test.location, "{api}", u.URL)}
				w.WriteHeader(http.StatusFound)
			})
			s := openDoor(t, u, func(o *Options) { o.Notice = func(string) { notices++ } })
			res, _ := do(t, "GET", s.URL+test.path, nil, nil)
			want := strings.ReplaceAll(test.want, "{api}", u.URL)
			if got := res.Header.Get("Location"); got != want || res.StatusCode != http.StatusFound {
				t.Errorf("Location is %q, want %q", got, want)
			}
			if rewritten := test.want != test.location && !strings.Contains(test.want, "{api}") || strings.HasPrefix(test.want, "/stores/"); (notices == 0) != rewritten {
				t.Errorf("%d notices", notices)
			}
			u.only(t)
			elsewhere.none(t)
		})
	}
}

func TestTheLocationOfANewResourceLeadsToTheDoor(t *testing.T) {
	var u *upstream
	u = newUpstream(t, false, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", u.URL+"/stores/aaa111/v3/hooks/1")
		w.WriteHeader(http.StatusCreated)
	})
	s := openDoor(t, u, nil)
	res, _ := do(t, "POST", s.URL+"/v3/hooks", nil, strings.NewReader("{}"))
	if res.Header.Get("Location") != "/v3/hooks/1" {
		t.Errorf("Location is %q", res.Header.Get("Location"))
	}
	s = openDoor(t, u, func(o *Options) { o.Prefix = "/k/secret" })
	res, _ = do(t, "POST", s.URL+"/stores/dev/v3/hooks", nil, strings.NewReader("{}"))
	if res.Header.Get("Location") != "/k/secret/stores/dev/v3/hooks/1" {
		t.Errorf("Location behind a key is %q", res.Header.Get("Location"))
	}
}

func TestAnAnswerThatSwitchesProtocolsUnaskedIsAFailure(t *testing.T) {
	u := &upstream{seen: make(chan received, 10)}
	u.serve(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		defer conn.Close()
		conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"))
	}))
	s := openDoor(t, u, nil)
	res, body := do(t, "GET", s.URL+"/v3/x", nil, nil)
	refused(t, res, body, 502, "upstream_unreachable")
}
