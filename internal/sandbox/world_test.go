package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"bcdev/internal/bigcommerce"
)

// world is a sandbox on a real listener and an app that listens to it over TLS.
type world struct {
	t       *testing.T
	sandbox *Sandbox
	server  *httptest.Server
	app     *phone
	token   string
}

// arrival is one request the app received.
type arrival struct {
	*http.Request
	body []byte
}

// phone is the app: it keeps what arrives and answers what it is told.
type phone struct {
	*httptest.Server
	arrivals chan arrival

	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request)
}

func newPhone(t *testing.T) *phone {
	t.Helper()
	p := &phone{arrivals: make(chan arrival, 1000)}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("the app could not read what came: %v", err)
		}
		p.arrivals <- arrival{r, body}
		p.mu.Lock()
		answer := p.answer
		p.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

func (p *phone) answers(f func(w http.ResponseWriter, r *http.Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = f
}

// next is what arrives next.
func (p *phone) next(t *testing.T) arrival {
	t.Helper()
	select {
	case a := <-p.arrivals:
		return a
	case <-time.After(10 * time.Second):
		t.Fatal("nothing arrived at the app")
		return arrival{}
	}
}

func (p *phone) quiet(t *testing.T) {
	t.Helper()
	select {
	case a := <-p.arrivals:
		t.Errorf("%s %s arrived at the app, nothing should have", a.Method, a.RequestURI)
	default:
	}
}

// testApp has the credentials of the published test vectors.
func testApp() bigcommerce.App {
	return bigcommerce.App{
		ClientID:     "bcdev0clientid0example0000000001",
		ClientSecret: "bcdev0secret0example000000000000000000000000000000000000000000aa",
	}
}

func newWorld(t *testing.T, change func(*Options)) *world {
	t.Helper()
	app := newPhone(t)
	still := time.Date(2026, time.November, 22, 21, 0, 0, 0, time.UTC)
	o := Options{
		App: testApp(), HTTP: app.Client(), Now: func() time.Time { return still },
		Callbacks: Callbacks{
			Auth: app.URL + "/auth", Load: app.URL + "/load", Uninstall: app.URL + "/uninstall",
			RemoveUser: app.URL + "/remove_user", Webhooks: app.URL + "/webhooks",
		},
	}
	if change != nil {
		change(&o)
	}
	s := New(o)
	t.Cleanup(func() { _ = s.Close() })
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return &world{t: t, sandbox: s, server: server, app: app, token: mustMint(t, s)}
}

func mustMint(t *testing.T, s *Sandbox) string {
	t.Helper()
	token, ok := s.grants.mint(s.Store(), append(defaultScopes(), "store_v2_information"))
	if !ok {
		t.Fatal("no token")
	}
	return token
}

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body string
}

// json decodes the body.
func (a answer) json(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%v in %.300s", err, a.body)
	}
}

// at reads one value out of a JSON body: at("data.0.name").
func (a answer) at(t *testing.T, path string) any {
	t.Helper()
	var v any
	a.json(t, &v)
	for _, part := range strings.Split(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[part]
		case []any:
			n := int(part[0] - '0')
			if n >= len(in) {
				t.Fatalf("%s: only %d elements in %.300s", path, len(in), a.body)
			}
			v = in[n]
		default:
			t.Fatalf("%s: nothing at %s in %.300s", path, part, a.body)
		}
	}
	return v
}

func (w *world) send(req *http.Request) answer {
	w.t.Helper()
	c := &http.Client{
		Transport:     w.server.Client().Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := c.Do(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	return answer{res, string(body)}
}

func (w *world) request(method, path, body string) *http.Request {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

// api calls the store's API with a token that may do everything here.
func (w *world) api(method, path, body string) answer {
	w.t.Helper()
	req := w.request(method, "/stores/"+w.sandbox.Store()+path, body)
	req.Header.Set("X-Auth-Token", w.token)
	req.Header.Set("Accept", "application/json")
	return w.send(req)
}

func (w *world) control(method, path, body string) answer {
	w.t.Helper()
	return w.send(w.request(method, "/_control"+path, body))
}

// works is control for a call that must succeed.
func (w *world) works(path, body string) answer {
	w.t.Helper()
	a := w.control("POST", path, body)
	if a.StatusCode != http.StatusOK {
		w.t.Fatalf("POST %s: %d %s", path, a.StatusCode, a.body)
	}
	return a
}

// exchange spends a code as an app does.
func (w *world) exchange(change map[string]string) answer {
	w.t.Helper()
	return w.send(w.tokenRequest(change, false))
}

func (w *world) tokenRequest(change map[string]string, form bool) *http.Request {
	w.t.Helper()
	fields := map[string]string{
		"client_id": testApp().ClientID, "client_secret": testApp().ClientSecret.Reveal(),
		"grant_type": "authorization_code", "redirect_uri": w.app.URL + "/auth",
		"context": "stores/" + w.sandbox.Store(),
	}
	for name, value := range change {
		fields[name] = value
		if value == "" {
			delete(fields, name)
		}
	}
	if form {
		values := url.Values{}
		for name, value := range fields {
			values.Set(name, value)
		}
		req := w.request("POST", "/oauth2/token", values.Encode())
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return req
	}
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(fields); err != nil {
		w.t.Fatal(err)
	}
	return w.request("POST", "/oauth2/token", body.String())
}
