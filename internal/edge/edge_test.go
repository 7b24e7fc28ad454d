package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestATokenIsAcceptedOrRefusedInNgroksWords(t *testing.T) {
	cases := []struct {
		name, token, code string
		accepted          []string
	}{
		{"any token will do", "a_token", "", nil},
		{"one of the accepted", "second", "", []string{"first", "second"}},
		{"none of the accepted", "third", "ERR_NGROK_107", []string{"first", "second"}},
		{"no token", "", "ERR_NGROK_4018", nil},
		{"not shaped like one", "two words", "ERR_NGROK_105", nil},
		{"with line breaks", "a\r\nERR_NGROK_1", "ERR_NGROK_105", nil},
		{"far too long", strings.Repeat("x", 5000), "ERR_NGROK_105", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := start(t, Options{Tokens: c.accepted})
			got := dial(t, e).auth(c.token, "")
			if (got.Error == "") != (c.code == "") || !strings.Contains(got.Error, c.code) {
				t.Errorf("the answer is %q, want %q", got.Error, c.code)
			}
			if c.code != "" && !strings.HasSuffix(got.Error, "\r\n\r\n"+c.code+"\r\n") {
				t.Errorf("%q is not in ngrok's form", got.Error)
			}
			if c.code == "" && (got.ClientID == "" || got.Extra.Cookie == "") {
				t.Errorf("the answer is %+v", got)
			}
			if a := e.Auths(); len(a) != 1 || a[0].Token != c.token || a[0].Refused != c.code {
				t.Errorf("recorded: %+v", a)
			}
		})
	}
}

func TestATokenHasThreeAgentsAndOneThatComesBackTakesItsPlace(t *testing.T) {
	e := start(t, Options{})
	var ids []string
	for range maxSessions {
		ids = append(ids, dial(t, e).auth("token", "").ClientID)
	}
	if got := dial(t, e).auth("token", ""); !strings.Contains(got.Error, "ERR_NGROK_108") {
		t.Errorf("one too many gets %q", got.Error)
	}
	if got := dial(t, e).auth("token", ids[0]); got.Error != "" || got.ClientID != ids[0] {
		t.Errorf("one that comes back gets %+v", got)
	}
	if got := dial(t, e).auth("other", ""); got.Error != "" {
		t.Errorf("another account gets %q", got.Error)
	}
}

func TestNothingIsServedBeforeAuthButSrvInfo(t *testing.T) {
	e := start(t, Options{})
	a := dial(t, e)
	if info, err := ask[srvInfoResponse](a, typeSrvInfo, struct{}{}); err != nil || info.Region != "lo" {
		t.Errorf("SrvInfo: %+v, %v", info, err)
	}
	if _, err := ask[bindResponse](a, typeBind, https("")); err == nil {
		t.Error("a bind without auth was answered")
	}
	eventually(t, "the end of the session", func() bool { _, err := a.mux.OpenStream(); return err != nil })
	if len(e.Binds()) != 0 {
		t.Error("a bind without auth was recorded")
	}
}

func TestHeartbeatsAreEchoed(t *testing.T) {
	str := dial(t, start(t, Options{})).open(typeHeartbeat)
	for _, beat := range []string{"abcd", "efgh"} {
		str.Write([]byte(beat))
		got := make([]byte, 4)
		if _, err := io.ReadFull(str, got); err != nil || string(got) != beat {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

func TestANameIsGrantedOrRefusedInNgroksWords(t *testing.T) {
	policy := func(p string) bindRequest {
		b, _ := json.Marshal(bindOpts{TrafficPolicy: p})
		return bindRequest{Proto: "https", Opts: b}
	}
	cases := []struct {
		name    string
		request bindRequest
		code    string
		host    string
	}{
		{"nothing asked for", https(""), "", devName("token") + ".localhost"},
		{"one's own dev domain", https("https://" + devName("token") + ".localhost"), "", devName("token") + ".localhost"},
		{"one's own dev domain with a port", https("https://" + strings.ToUpper(devName("token")) + ".LOCALHOST:1234"), "", devName("token") + ".localhost"},
		{"a reserved name", https("https://mine.localhost"), "", "mine.localhost"},
		{"a name reserved in full", https("https://full.localhost"), "", "full.localhost"},
		{"any name", https("https://"), "", "r"},
		{"somebody's name", https("https://theirs.localhost"), "ERR_NGROK_320", ""},
		{"somebody's dev domain", https("https://" + devName("other") + ".localhost"), "ERR_NGROK_320", ""},
		{"nobody's name", https("https://nobody.localhost"), "ERR_NGROK_319", ""},
		{"a name of another domain", https("https://mine.example.com"), "ERR_NGROK_319", ""},
		{"the domain itself", https("https://localhost"), "ERR_NGROK_319", ""},
		{"a wildcard", https("https://*.localhost"), "ERR_NGROK_315", ""},
		{"an IP address", https("https://127.0.0.1"), "ERR_NGROK_326", ""},
		{"no name", https("https://-a_.localhost"), "ERR_NGROK_326", ""},
		{"no URL", https("https://a b"), "ERR_NGROK_326", ""},
		{"TCP", bindRequest{Proto: "tcp", Opts: json.RawMessage(`{}`)}, "ERR_NGROK_8013", ""},
		{"TLS", bindRequest{Proto: "tls", Opts: json.RawMessage(`{}`)}, "ERR_NGROK_303", ""},
		{"a protocol of the future", bindRequest{Proto: "quic", Opts: json.RawMessage(`{}`)}, "ERR_NGROK_332", ""},
		{"options that are none", bindRequest{Proto: "https", Opts: json.RawMessage(`7`)}, "ERR_NGROK_326", ""},
		{"a policy that is no JSON", policy(`{"on_http_request":`), "ERR_NGROK_2201", ""},
		{"a policy in YAML", policy("on_http_request: []\n"), "", devName("token") + ".localhost"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := start(t, Options{
				Tokens:   []string{"token", "other"},
				Reserved: map[string]string{"mine": "token", "full.localhost": "token", "theirs": "other"},
			})
			a := dial(t, e)
			a.auth("token", "")
			got := a.bind(c.request)
			if !strings.Contains(got.Error, c.code) || (got.Error == "") != (c.code == "") {
				t.Fatalf("the answer is %q, want %q", got.Error, c.code)
			}
			if c.code != "" {
				return
			}
			u, err := url.Parse(got.URL)
			if err != nil || !strings.HasPrefix(u.Hostname(), c.host) || got.Proto != "https" || got.ID == "" || got.Extra.Token == "" {
				t.Errorf("the answer is %+v", got)
			}
			if string(got.Opts) != string(c.request.Opts) {
				t.Errorf("the options came back as %s", got.Opts)
			}
		})
	}
}

func TestANameIsOnlineOnceAndAnAccountHasThree(t *testing.T) {
	e := start(t, Options{Reserved: map[string]string{"a": "token", "b": "token", "c": "token", "d": "token"}})
	first, second := dial(t, e), dial(t, e)
	first.auth("token", "")
	second.auth("token", "")
	a := first.bind(https("https://a.localhost"))
	if got := second.bind(https("https://a.localhost")); !strings.Contains(got.Error, "ERR_NGROK_334") {
		t.Errorf("the second gets %q", got.Error)
	}
	first.bind(https("https://b.localhost"))
	second.bind(https("https://c.localhost"))
	if got := second.bind(https("https://d.localhost")); !strings.Contains(got.Error, "ERR_NGROK_324") {
		t.Errorf("the fourth gets %q", got.Error)
	}
	if got, err := ask[errorResponse](second, typeUnbind, unbindRequest{ID: a.ID}); err != nil || got.Error == "" {
		t.Errorf("another's endpoint is unbound: %+v, %v", got, err)
	}
	if got, err := ask[errorResponse](first, typeUnbind, unbindRequest{ID: a.ID}); err != nil || got.Error != "" {
		t.Errorf("unbinding: %+v, %v", got, err)
	}
	if got := second.bind(https("https://a.localhost")); got.Error != "" {
		t.Errorf("the name is not free again: %q", got.Error)
	}
}

func TestAReconnectTokenKeepsTheName(t *testing.T) {
	e := start(t, Options{})
	old := dial(t, e)
	id := old.auth("token", "").ClientID
	granted := old.bind(https("https://"))
	again := https("")
	again.ID, again.Extra.Token = granted.ID, granted.Extra.Token

	other := dial(t, e)
	other.auth("stranger", "")
	if got := other.bind(again); got.URL == granted.URL {
		t.Error("a stranger resumes with another's token")
	}
	back := dial(t, e)
	back.auth("token", id)
	got := back.bind(again)
	if got.URL != granted.URL || got.ID != granted.ID || got.Extra.Token != granted.Extra.Token {
		t.Errorf("granted %+v, resumed %+v", granted, got)
	}
	go back.serve(func(proxyHeader, *http.Request) *http.Response { return response("back") })
	eventually(t, "the answer", func() bool { return visit(t, e, got.URL) == "200 back" })
}

func response(body string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}
}

func visit(t *testing.T, e *Edge, url string) string {
	t.Helper()
	resp, err := e.Client().Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, b)
}

func TestAVisitorIsAnnouncedToTheAgent(t *testing.T) {
	e := start(t, Options{})
	a := dial(t, e)
	a.auth("token", "")
	granted := a.bind(https(""))
	heads := make(chan proxyHeader, 1)
	go a.serve(func(h proxyHeader, _ *http.Request) *http.Response { heads <- h; return response("hello") })
	if got := visit(t, e, granted.URL); got != "200 hello" {
		t.Fatalf("the visitor gets %q", got)
	}
	h := <-heads
	host, _, err := net.SplitHostPort(h.ClientAddr)
	if h.ID != granted.ID || h.Proto != "https" || h.EdgeType != "3" || h.PassthroughTLS || err != nil || host != "127.0.0.1" {
		t.Errorf("announced as %+v", h)
	}
}

func TestAnAgentThatAnswersNonsenseIsABadGateway(t *testing.T) {
	e := start(t, Options{})
	a := dial(t, e)
	a.auth("token", "")
	granted := a.bind(https(""))
	go func() {
		for {
			str, err := a.mux.AcceptStream()
			if err != nil {
				return
			}
			str.Write([]byte("this is not HTTP\r\n\r\n"))
			str.Close()
		}
	}()
	resp, err := e.Client().Get(granted.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadGateway || resp.Header.Get("Ngrok-Error-Code") != "ERR_NGROK_3004" {
		t.Errorf("the visitor gets %d %v", resp.StatusCode, resp.Header)
	}
}

func TestANameWithoutAnAgentIsOffline(t *testing.T) {
	e := start(t, Options{})
	resp, err := e.Client().Get(e.PublicURL("nobody"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusNotFound || resp.Header.Get("Ngrok-Error-Code") != "ERR_NGROK_3200" || !strings.Contains(string(b), "nobody.localhost is offline") {
		t.Errorf("got %d %v %q", resp.StatusCode, resp.Header, b)
	}
}

func TestAnAgentThatFallsSilentIsDropped(t *testing.T) {
	e := start(t, Options{})
	a := dial(t, e)
	var r authRequest
	r.Extra.Authtoken = "token"
	r.Extra.HeartbeatInterval = int64(50 * time.Millisecond)
	r.Extra.HeartbeatTolerance = int64(50 * time.Millisecond)
	if _, err := ask[authResponse](a, typeAuth, r); err != nil {
		t.Fatal(err)
	}
	granted := a.bind(https(""))
	eventually(t, "the name to be offline", func() bool { return strings.HasPrefix(visit(t, e, granted.URL), "404") })
}

func TestARestartKeepsThePorts(t *testing.T) {
	e := start(t, Options{})
	agents, public := e.AgentAddr(), e.PublicAddr()
	e.Cut()
	if c, err := net.Dial("tcp", agents); err == nil {
		c.Close()
		t.Error("the port of agents is open after a cut")
	}
	for range 3 {
		if err := e.Restart(); err != nil {
			t.Fatal(err)
		}
		if got := dial(t, e).auth("token", ""); got.Error != "" {
			t.Errorf("auth says %q", got.Error)
		}
	}
	if e.AgentAddr() != agents || e.PublicAddr() != public {
		t.Error("the ports changed")
	}
}

func TestGarbageAtTheAgentsPortHarmsNobody(t *testing.T) {
	e := start(t, Options{})
	raw, err := net.Dial("tcp", e.AgentAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	plain, err := tls.Dial("tcp", e.AgentAddr(), &tls.Config{RootCAs: e.CertPool(), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	plain.Write([]byte("\xff\xff\xff\xff\xff\xff\xff\xffgarbage after TLS"))
	a := dial(t, e)
	half := a.open(typeAuth)
	half.Write([]byte(`{"Extra":`))
	unknown := a.open(77)
	unknown.Write([]byte("?"))
	if got := dial(t, e).auth("token", ""); got.Error != "" {
		t.Errorf("auth says %q", got.Error)
	}
}

func TestTheCAVouchesForThisMachineAlone(t *testing.T) {
	e := start(t, Options{Domain: "Demo.Localhost"})
	for name, want := range map[string]string{
		"a.demo.localhost":   "a.demo.localhost",
		"demo.localhost":     "demo.localhost",
		"bank.example":       "demo.localhost",
		"a..demo.localhost":  "demo.localhost",
		"A.B.demo.localhost": "a.b.demo.localhost",
	} {
		c, err := tls.Dial("tcp", e.PublicAddr(), &tls.Config{InsecureSkipVerify: true, ServerName: name})
		if err != nil {
			t.Fatal(err)
		}
		leaf := c.ConnectionState().PeerCertificates[0]
		c.Close()
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: e.CertPool(), DNSName: want}); err != nil {
			t.Errorf("for %s: %v", name, err)
		}
	}
	forged, err := e.ca.mint("bank.example", nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := forged.Leaf.Verify(x509.VerifyOptions{Roots: e.CertPool(), DNSName: "bank.example"}); err == nil {
		t.Error("the CA can vouch for a bank")
	}
	forged, err = e.ca.mint("demo.localhost", []net.IP{net.IPv4(8, 8, 8, 8)}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := forged.Leaf.Verify(x509.VerifyOptions{Roots: e.CertPool(), DNSName: "8.8.8.8"}); err == nil {
		t.Error("the CA can vouch for a public address")
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM(e.CAPEM()) || !pool.Equal(e.CertPool()) {
		t.Error("CAPEM is not the pool's certificate")
	}
}

func TestTheNumberOfKeptCertificatesIsLimited(t *testing.T) {
	a, err := openAuthority(Options{Domain: "localhost", AgentAddr: "127.0.0.1:0", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for n := range maxLeafs + 20 {
		if _, err := a.forVisitor(fmt.Sprintf("n%d.localhost", n), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.leafs) > maxLeafs {
		t.Errorf("%d certificates are kept", len(a.leafs))
	}
}

func TestAClientFindsTheNamesAndFollowsNoRedirect(t *testing.T) {
	e := start(t, Options{})
	a := dial(t, e)
	a.auth("token", "")
	granted := a.bind(https(""))
	go a.serve(func(proxyHeader, *http.Request) *http.Response {
		r := response("")
		r.StatusCode, r.Header = 302, http.Header{"Location": {"/elsewhere"}}
		return r
	})
	if got := visit(t, e, granted.URL); got != "302 " {
		t.Errorf("got %q", got)
	}
	if granted.URL != e.DevURL("token") {
		t.Errorf("the dev domain is %s, want %s", granted.URL, e.DevURL("token"))
	}
}

func TestARequestUnderWayMayEndWhenTheEdgeCloses(t *testing.T) {
	e := start(t, Options{})
	a := dial(t, e)
	a.auth("token", "")
	granted := a.bind(https(""))
	inside, finish := make(chan struct{}), make(chan struct{})
	go a.serve(func(proxyHeader, *http.Request) *http.Response {
		close(inside)
		<-finish
		return response("to the end")
	})
	got := make(chan string, 1)
	go func() { got <- visit(t, e, granted.URL) }()
	<-inside
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }()
	eventually(t, "the door to close", func() bool {
		c, err := net.Dial("tcp", e.PublicAddr())
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	close(finish)
	if s := <-got; s != "200 to the end" {
		t.Errorf("the visitor gets %q", s)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close says %v", err)
	}
	if err := e.Restart(); err == nil {
		t.Error("a closed edge restarts")
	}
}

func TestAClosedEdgeLeavesNothingBehind(t *testing.T) {
	base := runtime.NumGoroutine()
	for range 3 {
		e, err := Start(Options{})
		if err != nil {
			t.Fatal(err)
		}
		a := dial(t, e)
		a.auth("token", "")
		granted := a.bind(https(""))
		go a.serve(func(proxyHeader, *http.Request) *http.Response { return response("hello") })
		for range 3 * paceBatch {
			visit(t, e, granted.URL)
		}
		if err := e.Close(); err != nil {
			t.Errorf("Close says %v", err)
		}
		if err := e.Close(); err != nil {
			t.Errorf("the second Close says %v", err)
		}
	}
	eventually(t, "the base", func() bool { return runtime.NumGoroutine() <= base })
}

func TestAPortThatIsTakenIsAnError(t *testing.T) {
	e := start(t, Options{})
	for _, o := range []Options{{AgentAddr: e.AgentAddr()}, {PublicAddr: e.PublicAddr()}} {
		if other, err := Start(o); err == nil {
			other.Close()
			t.Error("started on a port that is taken")
		}
	}
}

func TestRecordsAreLimited(t *testing.T) {
	var all []int
	for n := range 3 * maxRecords {
		all = kept(all, n)
	}
	if len(all) != maxRecords || all[0] != 2*maxRecords || all[maxRecords-1] != 3*maxRecords-1 {
		t.Errorf("%d are kept, from %d", len(all), all[0])
	}
}

func TestConnectIsRefused(t *testing.T) {
	e := start(t, Options{})
	c, err := e.DialContext(context.Background(), "tcp", strings.TrimPrefix(e.PublicURL("a"), "https://"))
	if err != nil {
		t.Fatal(err)
	}
	s := tls.Client(c, &tls.Config{RootCAs: e.CertPool(), ServerName: "a.localhost"})
	defer s.Close()
	io.WriteString(s, "CONNECT bank.example:443 HTTP/1.1\r\nHost: bank.example:443\r\n\r\n")
	line := make([]byte, 12)
	if _, err := io.ReadFull(s, line); err != nil || string(line) != "HTTP/1.1 405" {
		t.Errorf("got %q, %v", line, err)
	}
}

func FuzzWantedHost(f *testing.F) {
	for _, s := range []string{"", "https://", "https://a.localhost", "https://*.localhost", "https://A:1/x", "https://[::1]", "a b", "https://a..b", "https://%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		host, random, no := wantedHost(raw)
		if no != nil && (host != "" || random) {
			t.Errorf("%q is refused and granted", raw)
		}
		if host != "" && (!validName(host) || host != strings.ToLower(host) || net.ParseIP(host) != nil) {
			t.Errorf("%q gives %q", raw, host)
		}
	})
}
