package proxy

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const testToken = "the-token-of-aaa111"

// received is what upstream saw of one request.
type received struct {
	Method, URI, Host, Proto string
	Header                   http.Header
	Body                     string
	Trailer                  http.Header
	Length                   int64
	Broken                   error // why its body could not be read to the end
}

// upstream is BigCommerce for these tests: a real server that remembers what reached it.
type upstream struct {
	*httptest.Server
	mu   sync.Mutex
	got  []received
	seen chan received // every request that was read to its end, when somebody listens
}

// newUpstream starts a server; a nil handler answers {"data":[]}.
func newUpstream(t *testing.T, secure bool, answer http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{seen: make(chan received, 1000)}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		u.note(r, string(body), err)
		if answer != nil {
			answer(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"data":[]}`)
	})
	u.serve(t, secure, h)
	return u
}

func (u *upstream) serve(t *testing.T, secure bool, h http.Handler) {
	u.Server = httptest.NewUnstartedServer(h)
	u.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if secure {
		u.EnableHTTP2 = true
		u.StartTLS()
	} else {
		u.Start()
	}
	t.Cleanup(func() { u.CloseClientConnections(); u.Close() })
}

func (u *upstream) note(r *http.Request, body string, err error) {
	got := received{r.Method, r.RequestURI, r.Host, r.Proto, r.Header.Clone(), body, r.Trailer.Clone(), r.ContentLength, err}
	u.mu.Lock()
	u.got = append(u.got, got)
	u.mu.Unlock()
	select {
	case u.seen <- got:
	default:
	}
}

func (u *upstream) all() []received {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.got)
}

// only returns the one request that came.
func (u *upstream) only(t *testing.T) received {
	t.Helper()
	all := u.all()
	if len(all) != 1 {
		t.Fatalf("upstream received %d requests, want 1: %v", len(all), all)
	}
	return all[0]
}

func (u *upstream) none(t *testing.T) {
	t.Helper()
	if all := u.all(); len(all) != 0 {
		t.Errorf("upstream received %d requests, want none: %v", len(all), all)
	}
}

func (u *upstream) url() *url.URL {
	to, err := url.Parse(u.URL)
	if err != nil {
		panic(err)
	}
	return to
}

// options are those of a house with two stores, aaa111 (alias dev) and bbb222, the first current.
func options(t *testing.T, u *upstream) Options {
	o := Options{
		API: u.url(), Login: u.url(), ClientID: "the-client", ClientHeader: true,
		Resolve: func(name string) (string, bool) {
			hash, ok := map[string]string{"aaa111": "aaa111", "dev": "aaa111", "bbb222": "bbb222"}[name]
			return hash, ok
		},
		Current: func() (string, error) { return "aaa111", nil },
		Known:   func() []string { return []string{"aaa111 (dev)", "bbb222"} },
		Authorize: func(r *http.Request) error {
			store, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/stores/"), "/")
			r.Header.Set("X-Auth-Token", "the-token-of-"+store)
			return nil
		},
		Jitter: func(time.Duration) time.Duration { return 0 },
		Notice: func(s string) { t.Log("notice:", s) },
	}
	if u.TLS != nil {
		pool := u.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		o.RootCAs = pool
	}
	return o
}

// openDoor starts the reverse door in front of u.
func openDoor(t *testing.T, u *upstream, change func(*Options)) *httptest.Server {
	t.Helper()
	o := options(t, u)
	if change != nil {
		change(&o)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.transport.CloseIdleConnections)
	return serveDoor(t, p.Reverse())
}

func serveDoor(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ReadHeaderTimeout = 5 * time.Second
	s.Config.MaxHeaderBytes = 64 << 10
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.Start()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

// raw sends bytes and returns the answer's status, header and body. CRLF is written as it is
// wanted on the wire; {self} becomes the door's address.
func raw(t *testing.T, s *httptest.Server, request string) (*http.Response, string) {
	t.Helper()
	conn := dialRaw(t, s)
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "{self}", s.Listener.Addr().String())); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	return res, string(body)
}

func dialRaw(t *testing.T, s *httptest.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	return conn
}

// get makes a request with net/http's client, which follows no redirect.
func do(t *testing.T, method, target string, header http.Header, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	c := &http.Client{
		Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := c.Do(req)
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

// refused checks an answer of our own, in header and body.
func refused(t *testing.T, res *http.Response, body string, status int, code string) {
	t.Helper()
	var answer struct {
		Error struct{ Code, Message, Hint string }
	}
	if res.StatusCode != status || res.Header.Get("Bcdev-Error") != code {
		t.Errorf("answer is %d %q, want %d %q; body %s", res.StatusCode, res.Header.Get("Bcdev-Error"), status, code, body)
		return
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Error.Code != code || answer.Error.Message == "" || answer.Error.Hint == "" {
		t.Errorf("body of the refusal: %q (%v), want code %s with message and hint", body, err, code)
	}
	if strings.Contains(body, testToken) {
		t.Error("the refusal holds the token")
	}
}

// eventually waits for something that another goroutine brings about.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it never came about that %s", what)
		}
	}
}

func TestNewRefusesUpstreamsThatATokenMayNotTravelTo(t *testing.T) {
	u := newUpstream(t, false, nil)
	for _, bad := range []string{"http://api.bigcommerce.com", "ftp://localhost", "https://user:pw@api.bigcommerce.com",
		"https://api.bigcommerce.com/base", "https://api.bigcommerce.com?x=1", "http://127.0.0.1.nip.io", "//"} {
		o := options(t, u)
		o.API, _ = url.Parse(bad)
		if _, err := New(o); err == nil {
			t.Errorf("%s was accepted as the API's address", bad)
		}
	}
	for _, good := range []string{"https://api.bigcommerce.com", "http://localhost:7080", "http://[::1]:1", "http://api.localhost:1/"} {
		o := options(t, u)
		o.API, _ = url.Parse(good)
		if _, err := New(o); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

func TestNewRefusesHeadersThatBelongToTheProxy(t *testing.T) {
	u := newUpstream(t, false, nil)
	for name, value := range map[string]string{"X-Auth-Token": "a", "host": "a", "Content-Length": "1", "connection": "close",
		"Transfer-Encoding": "chunked", "X-Foo": "a\r\nX-Auth-Token: b", "bad name": "x", "X-HTTP-Method-Override": "PUT"} {
		o := options(t, u)
		o.Headers = http.Header{name: {value}}
		if _, err := New(o); err == nil {
			t.Errorf("the header %q: %q was accepted", name, value)
		}
	}
}

func TestErrorsOfTheHouseKeepTheirAnswers(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		code   string
	}{
		{ErrWhichStore, 409, "which_store"},
		{ErrNoGrant, 401, "no_grant"},
		{errors.Join(errors.New("vault"), ErrUnknownStore), 404, "unknown_store"},
		{errors.New("the keyring is locked"), 401, "no_grant"},
	} {
		u := newUpstream(t, false, nil)
		s := openDoor(t, u, func(o *Options) { o.Current = func() (string, error) { return "", test.err } })
		res, body := do(t, "GET", s.URL+"/v3/catalog/products", nil, nil)
		refused(t, res, body, test.status, test.code)
		u.none(t)

		s = openDoor(t, u, func(o *Options) { o.Authorize = func(*http.Request) error { return test.err } })
		res, body = do(t, "GET", s.URL+"/stores/aaa111/v3/catalog/products", nil, nil)
		refused(t, res, body, test.status, test.code)
		u.none(t)
	}
}

// newUpstreamless makes a proxy for tests that send nothing.
func newUpstreamless() *Proxy {
	api, _ := url.Parse("https://api.bigcommerce.com")
	p, err := New(Options{
		API: api, Login: api, Resolve: func(s string) (string, bool) { return s, true },
		Current: func() (string, error) { return "aaa111", nil }, Authorize: func(*http.Request) error { return nil },
	})
	if err != nil {
		panic(err)
	}
	return p
}
