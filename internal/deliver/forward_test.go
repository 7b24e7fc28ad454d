package deliver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bcdev/capture"
	"bcdev/internal/deliver"
)

// public serves Forward on a real port, as the public door does for e.
func public(t *testing.T, d *deliver.Deliverer, e capture.Exchange) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !d.Forward(w, r, e) {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(s.Close)
	s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s
}

func TestACallbackIsPassedOnAsItCame(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	d := deliverer(t, j, a, nil)
	s := public(t, d, capture.Exchange{ID: 7, Kind: capture.Load, Store: "abc123xyz"})

	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /a%2Fb|c//d?x=%zz;y&z=1+2&z=3 HTTP/1.1\r\nHost: dev.example.com\r\n"+
		"Accept: text/html\r\nX-Many: one\r\nX-Many: two\r\nCookie: a=1; b=2\r\nX-Forwarded-Host: evil.example\r\n"+
		"X-Forwarded-For: 10.1.1.1\r\nForwarded: for=10.1.1.1\r\nConnection: X-Private\r\nX-Private: 1\r\nUpgrade: websocket\r\n"+
		"Content-Length: 5\r\n\r\nhello")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()

	got := a.next(t)
	if got.Method != http.MethodGet || got.Target != "/a%2Fb|c//d?x=%zz;y&z=1+2&z=3" || got.Body != "hello" {
		t.Errorf("the app received %s %s with %q", got.Method, got.Target, got.Body)
	}
	want := http.Header{
		"Accept": {"text/html"}, "X-Many": {"one", "two"}, "Cookie": {"a=1; b=2"}, "Content-Length": {"5"},
		"X-Forwarded-Host": {"dev.example.com"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"127.0.0.1"},
	}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if got.Host != a.url(t).Host {
		t.Errorf("host is %q", got.Host)
	}
}

func TestTheAppsOwnAnswerGoesBack(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Set-Cookie"] = []string{"session=abcdefghijkl; Path=/; SameSite=None", "theme=dark"}
		w.Header().Set("Location", "/app/home?x=1")
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, "moved")
	})
	var told []capture.Exchange
	d := deliverer(t, j, a, func(o *deliver.Options) { o.Told = func(e capture.Exchange) { told = append(told, e) } })
	s := public(t, d, capture.Exchange{ID: 7, Kind: capture.Auth, Store: "abc123xyz"})
	resp, err := s.Client().Get(s.URL + "/auth?code=k3b9x0q2m5w7&context=stores%2Fabc123xyz&scope=x")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	s.Close() // the attempt is kept behind the answer
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/app/home?x=1" || string(body) != "moved" {
		t.Errorf("status %d to %q with %q", resp.StatusCode, resp.Header.Get("Location"), body)
	}
	if n := len(resp.Header["Set-Cookie"]); n != 2 {
		t.Errorf("%d cookies", n)
	}
	kept := deliveries(t, j)
	if len(kept) != 1 || len(told) != 1 || told[0].ID != kept[0].ID {
		t.Fatalf("kept %d, told %d", len(kept), len(told))
	}
	e := kept[0]
	if e.Of != 7 || e.Via != "pass" || e.Kind != capture.Auth || e.Status != http.StatusFound || e.Verdict != deliver.Same ||
		string(e.Response.Body) != "moved" || e.Host != a.url(t).Host {
		t.Errorf("kept as %+v", e)
	}
	if shown := fmt.Sprint(told[0]); strings.Contains(shown, "k3b9x0q2m5w7") || strings.Contains(shown, "abcdefghijkl") {
		t.Errorf("code or cookie is told: %s", shown)
	}
	if strings.Contains(e.Target, "k3b9x0q2m5w7") {
		t.Error("the code is in the journal")
	}
}

func TestAStreamReachesTheBrowserWhileItGoesOn(t *testing.T) {
	more := make(chan struct{})
	a := startApp(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		<-more
		_, _ = io.WriteString(w, " second")
	})
	d := deliverer(t, openJournal(t), a, nil)
	s := public(t, d, capture.Exchange{Kind: capture.Load})
	resp, err := s.Client().Get(s.URL + "/load")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first" {
		t.Fatalf("%q, %v", first, err)
	}
	close(more)
	rest, err := io.ReadAll(resp.Body)
	if err != nil || string(rest) != " second" {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestWhileTheAppIsDownThePageTriesAgain(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	d := deliverer(t, j, a, nil)
	a.Close()
	s := public(t, d, capture.Exchange{ID: 7, Kind: capture.Auth})
	resp, err := s.Client().Get(s.URL + "/auth?code=x")
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	s.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	if !strings.Contains(string(page), `http-equiv="refresh"`) || !strings.Contains(string(page), a.URL) {
		t.Errorf("the page does not try again:\n%s", page)
	}
	if resp.Header.Get("X-Frame-Options") != "" {
		t.Error("the page cannot be framed")
	}
	kept := deliveries(t, j)
	if len(kept) != 1 || kept[0].Status != 0 || kept[0].Verdict != deliver.Failing || !strings.Contains(kept[0].Err, "not running") {
		t.Errorf("kept %+v", kept)
	}
}

func TestAPageThatWaitsForLongAsksLessOften(t *testing.T) {
	a := startApp(t, nil)
	up := false
	d := deliverer(t, nil, a, func(o *deliver.Options) { o.DialContext = dialWhen(func() bool { return up }) })
	ask := func() string {
		w := httptest.NewRecorder()
		d.Forward(w, browse("/load"), capture.Exchange{Kind: capture.Load})
		return w.Header().Get("Retry-After")
	}
	for range 20 {
		if got := ask(); got != "3" {
			t.Fatalf("again in %s s", got)
		}
	}
	if got := ask(); got != "15" {
		t.Errorf("then again in %s s", got)
	}
	up = true
	ask()
	a.CloseClientConnections()
	up = false
	if got := ask(); got != "3" {
		t.Errorf("after the app was there, again in %q s", got)
	}
}

func TestAnAppThatBreaksOffIsSaid(t *testing.T) {
	a := startApp(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	d := deliverer(t, openJournal(t), a, nil)
	s := public(t, d, capture.Exchange{Kind: capture.Load})
	resp, err := s.Client().Get(s.URL + "/load")
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadGateway || strings.Contains(string(page), "refresh") {
		t.Errorf("status %d:\n%s", resp.StatusCode, page)
	}
}

func TestWithoutAnAppNothingIsWritten(t *testing.T) {
	d := deliver.New(deliver.Options{To: func(capture.Exchange) (*url.URL, bool) { return nil, false }})
	w := httptest.NewRecorder()
	if d.Takes(capture.Exchange{}) || d.Forward(w, browse("/load"), capture.Exchange{}) || w.Body.Len() != 0 {
		t.Error("it claims to have answered")
	}
}

func TestLocalhostIsTriedOnBothFamilies(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Skip(err)
			}
			a := &http.Server{Handler: status(http.StatusNoContent)}
			go func() { _ = a.Serve(l) }()
			defer a.Close()
			_, port, _ := net.SplitHostPort(l.Addr().String())
			d := deliver.New(deliver.Options{To: func(capture.Exchange) (*url.URL, bool) {
				return &url.URL{Scheme: "http", Host: "localhost:" + port}, true
			}})
			w := httptest.NewRecorder()
			if d.Forward(w, browse("/load"), capture.Exchange{}); w.Code != http.StatusNoContent {
				t.Errorf("status %d:\n%s", w.Code, w.Body)
			}
		})
	}
}

func TestTargetsBeyondThisMachineAreRefused(t *testing.T) {
	for _, target := range []string{"http://192.0.2.1:3000", "http://[2001:db8::1]/", "https://api.bigcommerce.com",
		"http://login.bigcommerce.com.", "http://store-abc.mybigcommerce.com", "ftp://localhost", "http://user@localhost", "http://"} {
		d := deliver.New(deliver.Options{To: func(capture.Exchange) (*url.URL, bool) { return parse(t, target), true }})
		w := httptest.NewRecorder()
		if d.Forward(w, browse("/load"), capture.Exchange{}); w.Code != http.StatusBadGateway {
			t.Errorf("%s: status %d", target, w.Code)
		}
	}
}

func TestTheBasePathComesFirstAndARouteTakesItsPlace(t *testing.T) {
	a := startApp(t, nil)
	d := deliverer(t, nil, a, func(o *deliver.Options) {
		o.To = func(capture.Exchange) (*url.URL, bool) { return parse(t, a.URL+"/base/"), true }
		o.Route = func(e capture.Exchange) (*url.URL, bool) {
			return parse(t, a.URL+"/orders?from=bcdev"), e.Topic == "store/order/created"
		}
	})
	d.Forward(httptest.NewRecorder(), browse("/load?x=1"), capture.Exchange{Kind: capture.Load})
	d.Forward(httptest.NewRecorder(), browse("/webhooks?x=1"), capture.Exchange{Kind: capture.Hook, Topic: "store/order/created"})
	if got := a.next(t).Target; got != "/base/load?x=1" {
		t.Errorf("the base gives %s", got)
	}
	if got := a.next(t).Target; got != "/orders?from=bcdev&x=1" {
		t.Errorf("the route gives %s", got)
	}
}
