package proxy

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestP68AnUpstreamThatNeverAnswers(t *testing.T) {
	for _, secure := range []bool{false, true} {
		hold := make(chan struct{})
		u := newUpstream(t, secure, func(w http.ResponseWriter, r *http.Request) { <-hold })
		s := openDoor(t, u, func(o *Options) { o.Timeout = 50 * time.Millisecond })
		res, body := do(t, "GET", s.URL+"/v3/x", nil, nil)
		refused(t, res, body, 504, "upstream_timeout")
		if !strings.Contains(body, "50ms") {
			t.Errorf("the limit is not named: %s", body)
		}
		close(hold)
	}
}

func TestAnUpstreamThatIsNotThere(t *testing.T) {
	u := newUpstream(t, false, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s := openDoor(t, u, func(o *Options) { o.API = &url.URL{Scheme: "http", Host: l.Addr().String()} })
	res, body := do(t, "POST", s.URL+"/v3/x", nil, strings.NewReader("{}"))
	refused(t, res, body, 502, "upstream_unreachable")
}

func TestAnUpstreamThatHangsUp(t *testing.T) {
	u := newUpstream(t, false, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	s := openDoor(t, u, nil)
	res, body := do(t, "POST", s.URL+"/v3/x", nil, strings.NewReader("{}"))
	refused(t, res, body, 502, "upstream_unreachable")
	if !strings.Contains(body, "not known") {
		t.Errorf("a write that may have been carried out is not spoken of: %s", body)
	}
	u.only(t) // and it is not repeated
}

// badCertificate makes a certificate for names and times that do not fit.
func badCertificate(t *testing.T, good tls.Certificate, name string, from, until time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: from, NotAfter: until}
	if name == "127.0.0.1" {
		template.DNSNames, template.IPAddresses = nil, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	issuer, err := x509.ParseCertificate(good.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, issuer.PublicKey, good.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: good.PrivateKey}
}

func TestP86UntrustedCertificatesAreNeverAccepted(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name, dns   string
		from, until time.Time
		trusted     bool
		reason      string
	}{
		{"another name", "other.example", now.Add(-time.Hour), now.Add(time.Hour), true, "127.0.0.1"},
		{"expired", "127.0.0.1", now.Add(-2 * time.Hour), now.Add(-time.Hour), true, "expired"},
		{"unknown authority", "127.0.0.1", now.Add(-time.Hour), now.Add(time.Hour), false, "unknown authority"},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := newUpstream(t, true, nil)
			o := options(t, u)
			u.TLS.Certificates = []tls.Certificate{badCertificate(t, u.TLS.Certificates[0], test.dns, test.from, test.until)}
			if !test.trusted {
				o.RootCAs = x509.NewCertPool()
			}
			p, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			s := serveDoor(t, p.Reverse())
			res, body := do(t, "GET", s.URL+"/v3/x", nil, nil)
			refused(t, res, body, 502, "upstream_tls")
			if !strings.Contains(body, test.reason) {
				t.Errorf("the reason %q is not in %s", test.reason, body)
			}
			u.none(t)
		})
	}
}

func TestUpstreamThatSpeaksNoTLS(t *testing.T) {
	u := newUpstream(t, false, nil)
	s := openDoor(t, u, func(o *Options) { o.API = &url.URL{Scheme: "https", Host: u.url().Host} })
	res, body := do(t, "GET", s.URL+"/v3/x", nil, nil)
	refused(t, res, body, 502, "upstream_tls")
	u.none(t)
}

func TestUpstreamsOwnErrorsPassUnchangedWithAHint(t *testing.T) {
	const problem = `{"status":403,"title":"You don't have a required scope to access the endpoint"}`
	u := newUpstream(t, false, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, problem)
	})
	var seen string
	s := openDoor(t, u, func(o *Options) {
		o.Explain = func(req *http.Request, res *http.Response, head []byte) string {
			seen = req.Method + " " + req.URL.Path + " " + string(head)
			return "the scope is missing"
		}
	})
	res, body := do(t, "GET", s.URL+"/v3/catalog/products", nil, nil)
	if res.StatusCode != http.StatusForbidden || body != problem || res.Header.Get("Bcdev-Hint") != "the scope is missing" || res.Header.Get("Bcdev-Error") != "" {
		t.Errorf("the client got %d %q %v", res.StatusCode, body, res.Header)
	}
	if seen != "GET /stores/aaa111/v3/catalog/products "+problem {
		t.Errorf("Explain saw %q", seen)
	}
}

func TestTheSignerRefusesEveryOtherDestination(t *testing.T) {
	p := newUpstreamless()
	var signed int
	p.o.Authorize = func(*http.Request) error { signed++; return nil }
	for _, target := range []string{
		"https://evil.example/stores/aaa111/v3/x", "http://api.bigcommerce.com/stores/aaa111/v3/x", "https://api.bigcommerce.com:8443/stores/aaa111/v3/x",
		"https://user:pw@api.bigcommerce.com/stores/aaa111/v3/x", "https://api.bigcommerce.com/stores/aaa111/../bbb222/v3/x",
		"https://api.bigcommerce.com/v3/x", "https://api.bigcommerce.com/accounts/1/graphql", "https://api.bigcommerce.com/stores/a%2fb/v3/x",
		"https://api.bigcommerce.com.evil.example/stores/aaa111/v3/x", "https://api.bigcommerce.com/oauth2/token",
	} {
		req, err := http.NewRequest(http.MethodGet, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := p.Transport().RoundTrip(req); !errors.Is(err, errDestination) {
			t.Errorf("%s: %v, %v", target, res, err)
		}
	}
	req, _ := http.NewRequest(http.MethodGet, "https://api.bigcommerce.com/stores/aaa111/v3/x", nil)
	req.Host = "evil.example"
	if _, err := p.Transport().RoundTrip(req); !errors.Is(err, errDestination) {
		t.Errorf("another Host: %v", err)
	}
	if signed != 0 {
		t.Errorf("%d requests were signed", signed)
	}
}

func TestTransportIsTheSameChain(t *testing.T) {
	var rec recorder
	u := newUpstream(t, false, nil)
	o := options(t, u)
	o.Record = func(next http.RoundTripper) http.RoundTripper { rec.next = next; return &rec }
	o.ReadOnly = func(store string) bool { return store == "bbb222" }
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Transport: p.Transport()}
	res, err := c.Get(u.URL + "/stores/aaa111/v3/hooks")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if u.only(t).Header.Get("X-Auth-Token") != testToken || len(rec.got) != 1 || rec.got[0].Header.Get("X-Auth-Token") != "" {
		t.Error("the call was not signed and recorded as at the doors")
	}
	res, err = c.Post(u.URL+"/stores/bbb222/v3/hooks", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	refused(t, res, string(body), 403, "read_only")
	u.only(t)
}

func TestAVaultThatBreaksItsWordIsNotBelieved(t *testing.T) {
	for name, authorize := range map[string]func(*http.Request) error{
		"no token":            func(*http.Request) error { return nil },
		"two tokens":          func(r *http.Request) error { r.Header["X-Auth-Token"] = []string{"a", "b"}; return nil },
		"a control character": func(r *http.Request) error { r.Header["X-Auth-Token"] = []string{"a\r\nX: b"}; return nil },
		"another host": func(r *http.Request) error {
			r.Header.Set("X-Auth-Token", "a")
			r.URL.Host = "evil.example"
			return nil
		},
	} {
		u := newUpstream(t, false, nil)
		s := openDoor(t, u, func(o *Options) { o.Authorize = authorize })
		if res, _ := do(t, "GET", s.URL+"/v3/x", nil, nil); res.StatusCode < 400 {
			t.Errorf("%s: answer %d", name, res.StatusCode)
		}
		u.none(t)
	}
}

func TestM20TheEnginesLogHoldsNoControlBytes(t *testing.T) {
	var log bytes.Buffer
	u := newUpstream(t, false, nil)
	s := openDoor(t, u, func(o *Options) {
		o.Verbose = true
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	do(t, "GET", s.URL+"/v3/%1b[31mEVIL%0aFAKE", nil, nil)
	do(t, "GET", s.URL+"/v3/%C2%9B31mEVIL%E2%80%AEx", nil, nil)
	if log.Len() == 0 {
		t.Fatal("the engine logged nothing")
	}
	if bytes.ContainsAny(log.Bytes(), "\x1b\u009b\u202e") || strings.Contains(log.String(), "\nFAKE") {
		t.Errorf("the log:\n%q", log.String())
	}
	engineLog{slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}.Printf("%s", "a\x1b[31m\nFAKE\u009b\u202e")
	if bytes.ContainsAny(log.Bytes(), "\x1b\u009b\u202e") || strings.Contains(log.String(), "\nFAKE") {
		t.Errorf("the log:\n%q", log.String())
	}
}

func TestWarmSavesTheFirstCallADial(t *testing.T) {
	u := newUpstream(t, true, nil)
	o := options(t, u)
	var dials int
	o.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Warm(t.Context()); err != nil || dials != 1 {
		t.Fatalf("%v; %d dials", err, dials)
	}
	u.none(t) // nothing is asked for
	s := serveDoor(t, p.Reverse())
	for range 3 {
		if res, _ := do(t, "GET", s.URL+"/v3/x", nil, nil); res.StatusCode != http.StatusOK {
			t.Fatalf("answer %d", res.StatusCode)
		}
	}
	if dials != 1 {
		t.Errorf("%d dials, want 1", dials)
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAWarmConnectionThatDiedIsNotUsed(t *testing.T) {
	u := newUpstream(t, true, nil)
	p, err := New(options(t, u))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	u.CloseClientConnections()
	s := serveDoor(t, p.Reverse())
	if res, body := do(t, "POST", s.URL+"/v3/x", nil, strings.NewReader("{}")); res.StatusCode != http.StatusOK {
		t.Errorf("answer %d %s", res.StatusCode, body)
	}
	u.only(t)
}

func TestWarmSaysWhyItCannot(t *testing.T) {
	u := newUpstream(t, true, nil)
	o := options(t, u)
	o.RootCAs = x509.NewCertPool()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Warm(t.Context()); err == nil || !isTLS(err) {
		t.Errorf("error %v", err)
	}
}

func TestG11AProxyOnTheWayIsUsedByCONNECTOnly(t *testing.T) {
	u := newUpstream(t, true, nil)
	var seen []*http.Request
	way := newUpstream(t, false, nil)
	way.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r)
		far, err := net.Dial("tcp", r.Host)
		if err != nil {
			return
		}
		near, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { io.Copy(far, near); far.Close() }()
		io.Copy(near, far)
		near.Close()
	})
	s := openDoor(t, u, func(o *Options) { o.Proxy = http.ProxyURL(way.url()) })
	if res, body := do(t, "GET", s.URL+"/v3/x", nil, nil); res.StatusCode != http.StatusOK {
		t.Fatalf("answer %d %s", res.StatusCode, body)
	}
	if u.only(t).Header.Get("X-Auth-Token") != testToken {
		t.Error("upstream did not get the token")
	}
	if len(seen) != 1 || seen[0].Method != http.MethodConnect || seen[0].Header.Get("X-Auth-Token") != "" {
		t.Errorf("the proxy saw %v", seen)
	}
	seen = nil
	clear := newUpstream(t, false, nil)
	s = openDoor(t, clear, func(o *Options) { o.Proxy = http.ProxyURL(way.url()) })
	do(t, "GET", s.URL+"/v3/x", nil, nil)
	if clear.only(t); len(seen) != 0 {
		t.Error("a call in clear text went through the proxy")
	}
}
