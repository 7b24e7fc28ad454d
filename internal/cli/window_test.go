package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// windowRun is a running bcdev with an installed store, and the window's address and key.
type windowRun struct {
	*run
	far       *upstream
	base, key string
	ready     event
}

// windowApp is the developer's app: it records what it is asked, and answers with a status.
type windowApp struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	seen   []string
}

func newWindowApp(t *testing.T) *windowApp {
	t.Helper()
	app := &windowApp{status: 200}
	app.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		app.mu.Lock()
		defer app.mu.Unlock()
		app.seen = append(app.seen, r.Method+" "+r.URL.Path+" "+r.Header.Get("X-Debug")+" "+string(body))
		w.WriteHeader(app.status)
	}))
	t.Cleanup(app.Close)
	return app
}

func (a *windowApp) last() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.seen) == 0 {
		return ""
	}
	return a.seen[len(a.seen)-1]
}

func startWindow(t *testing.T, more string) windowRun {
	t.Helper()
	far := guideFarSide(t)
	r := start(t, nil, "up", "--json", "--config", configFile(t, guideConfig(far)+more))
	ready := r.next("ready")
	ask(t, "GET", "http://"+ready.text("tunnel_listen")+guideQuery, "")
	r.next("grant")
	u, err := url.Parse(ready.text("inspector_url"))
	if err != nil {
		t.Fatal(err)
	}
	return windowRun{run: r, far: far, base: "http://" + u.Host, key: u.Query().Get("key"), ready: ready}
}

func (w windowRun) api(method, path, body string, headers ...string) (*http.Response, string) {
	w.t.Helper()
	return ask(w.t, method, w.base+path, body, append([]string{"Authorization", "Bearer " + w.key, "Content-Type", "application/json"}, headers...)...)
}

func TestTheWindowIsForItsOwnerAlone(t *testing.T) {
	w := startWindow(t, "forward_proxy: {listen: \"127.0.0.1:0\"}\n")
	host := strings.TrimPrefix(w.base, "http://")
	for name, c := range map[string]struct {
		host    string
		headers []string
		status  int
		code    string
	}{
		"I01 no session":                   {host, nil, 401, "missing_key"},
		"I02 cross-site with the key":      {host, []string{"Authorization", "Bearer " + w.key, "Sec-Fetch-Site", "cross-site"}, 403, "cross_site"},
		"I03 a foreign origin":             {host, []string{"Authorization", "Bearer " + w.key, "Origin", "https://evil.example"}, 403, "cross_site"},
		"I05 another host name":            {"evil.example" + host[strings.Index(host, ":"):], []string{"Authorization", "Bearer " + w.key}, 403, "host_not_allowed"},
		"through a tunnel":                 {host, []string{"Authorization", "Bearer " + w.key, "X-Forwarded-Host", "x.ngrok.app"}, 403, "tunnelled_request"},
		"with the key, by its own address": {host, []string{"Authorization", "Bearer " + w.key}, 200, ""},
	} {
		req, err := http.NewRequest("GET", w.base+"/api/exchanges", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		for i := 0; i+1 < len(c.headers); i += 2 {
			req.Header.Set(c.headers[i], c.headers[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != c.status || res.Header.Get("Bcdev-Error") != c.code {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
	}
	i04(t, w)
}

// i04 asks for the window through the tool's own forward door.
func i04(t *testing.T, w windowRun) {
	t.Helper()
	forward, err := url.Parse(w.ready.text("forward_url"))
	if err != nil || forward.Host == "" {
		t.Fatalf("there is no forward door: %v", w.ready)
	}
	client := &http.Client{Transport: &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return forward, nil }}}
	req, err := http.NewRequest("GET", w.base+"/api/exchanges", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.key)
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusForbidden || strings.Contains(string(body), "exchanges") {
		t.Errorf("I04: through the forward door: %d %s", res.StatusCode, body)
	}
}

func TestTheWindowCallsTheAPIThroughTheDoor(t *testing.T) {
	w := startWindow(t, "")
	res, body := w.api("POST", "/api/call", `{"method":"GET","path":"/v3/catalog/products","query":"a=1,2","headers":{"X-Trace":["7"]}}`)
	var called struct {
		ID     int64
		Status int
		Body   string
	}
	if err := json.Unmarshal([]byte(body), &called); err != nil || res.StatusCode != 200 || called.Status != 200 || called.Body != catalog {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	requests, _ := w.far.to(products)
	if len(requests) != 1 || requests[0].Header.Get("X-Auth-Token") != guideToken || requests[0].Header.Get("X-Trace") != "7" || requests[0].URL.RawQuery != "a=1,2" {
		t.Fatalf("upstream received %d requests: %+v", len(requests), requests)
	}
	if _, one := w.api("GET", fmt.Sprintf("/api/exchanges/%d", called.ID), ""); !strings.Contains(one, `12345678901234567890`) || strings.Contains(one, guideToken) {
		t.Errorf("its exchange, #%d: %s", called.ID, one)
	}
	// again, from the exchange
	res, body = w.api("POST", fmt.Sprintf("/api/exchanges/%d/replay", called.ID), `{"set":{"query":"b=2"}}`)
	if requests, _ := w.far.to(products); res.StatusCode != 200 || len(requests) != 2 || requests[1].URL.RawQuery != "b=2" || requests[1].Header.Get("X-Auth-Token") != guideToken {
		t.Fatalf("the call again: %d %s; upstream received %d", res.StatusCode, body, len(requests))
	}
	if _, list := w.api("GET", fmt.Sprintf("/api/exchanges?q=of:%d", called.ID), ""); !strings.Contains(list, `"via":"replay"`) {
		t.Errorf("the repeated call is not linked: %s", list)
	}
	for body, code := range map[string]string{
		`{"method":"GET","path":"/v3/catalog/products","headers":{"X-Auth-Token":["mine"]}}`: "bad_header", // I11
		`{"method":"GET","path":"/v3/catalog/products","store":"nobody"}`:                    "unknown_store",
		`{"method":"DELETE","path":"/v3/catalog/products"}`:                                  "confirm",
	} {
		if res, _ := w.api("POST", "/api/call", body); res.Header.Get("Bcdev-Error") != code {
			t.Errorf("%s: %d %s", body, res.StatusCode, res.Header.Get("Bcdev-Error"))
		}
	}
	if requests, _ := w.far.to(products); len(requests) != 2 {
		t.Errorf("what was refused reached upstream: %d requests", len(requests))
	}
	checkNoSecrets(t, w.run)
}

func TestI09TheWindowWritesNothingWhileReadOnly(t *testing.T) {
	far := guideFarSide(t)
	text := strings.Replace(guideConfig(far), "proxy:\n", "proxy:\n  read_only: true\n", 1)
	r := start(t, nil, "up", "--json", "--config", configFile(t, text))
	ready := r.next("ready")
	ask(t, "GET", "http://"+ready.text("tunnel_listen")+guideQuery, "")
	r.next("grant")
	ask(t, "DELETE", ready.text("proxy_url")+"/v3/catalog/products", "") // refused, and recorded
	r.next("exchange")
	u, _ := url.Parse(ready.text("inspector_url"))
	w := windowRun{r, far, "http://" + u.Host, u.Query().Get("key"), ready}
	_, list := w.api("GET", "/api/exchanges?kind=api", "")
	var l struct{ Exchanges []struct{ ID int64 } }
	if err := json.Unmarshal([]byte(list), &l); err != nil || len(l.Exchanges) != 1 {
		t.Fatalf("the list: %s", list)
	}
	if res, body := w.api("POST", fmt.Sprintf("/api/exchanges/%d/replay", l.Exchanges[0].ID), `{"confirm":true}`); res.StatusCode != 403 || res.Header.Get("Bcdev-Error") != "read_only" {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if requests, _ := far.to(products); len(requests) != 0 {
		t.Errorf("upstream received %d requests", len(requests))
	}
}

func TestTheWindowReplaysAndTriggersToTheLocalApp(t *testing.T) {
	w, app := startWindow(t, ""), newWindowApp(t)
	trigger := fmt.Sprintf(`{"event":"store/order/created","to":%q,"set":{"data.id":"118"}}`, app.URL)
	res, body := w.api("POST", "/api/trigger", trigger)
	if res.StatusCode != 200 || !strings.Contains(app.last(), `"id":118`) {
		t.Fatalf("trigger: %d %s; the app received %q", res.StatusCode, body, app.last())
	}
	app.status = 500
	res, body = w.api("POST", "/api/exchanges/1/replay", fmt.Sprintf(`{"to":%q,"set":{"header.X-Debug":"1"}}`, app.URL))
	if res.StatusCode != 200 || !strings.Contains(body, `"status":500`) || !strings.HasPrefix(app.last(), "GET / 1") {
		t.Fatalf("replay: %d %s; the app received %q", res.StatusCode, body, app.last())
	}
	app.status = 200
	_, body = w.api("POST", "/api/exchanges/1/replay", fmt.Sprintf(`{"to":%q,"set":{"method":"POST","body":"{\"edited\":true}"}}`, app.URL))
	if !strings.Contains(body, `"verdict":"fixed"`) || app.last() != `POST /  {"edited":true}` {
		t.Errorf("an edited replay: %s; the app received %q", body, app.last())
	}
	if _, list := w.api("GET", "/api/exchanges?q=of:1+kind:replay", ""); strings.Count(list, `"id":`) != 2 || !strings.Contains(list, `"verdict":"fixed"`) {
		t.Errorf("the replays are not linked: %s", list)
	}
	for to, code := range map[string]string{"http://192.0.2.1/": "cannot", "https://api.bigcommerce.com": "cannot", "ftp://localhost": "bad_target", "": "cannot"} {
		if res, body := w.api("POST", "/api/exchanges/1/replay", fmt.Sprintf(`{"to":%q}`, to)); res.Header.Get("Bcdev-Error") != code || !strings.Contains(body, `"hint":"`) {
			t.Errorf("to %q: %d %s", to, res.StatusCode, body)
		}
	}
}

func TestI16I17WhatTheWindowExportsHoldsNoSecret(t *testing.T) {
	w := startWindow(t, "")
	checkCall(t, w.far, w.ready.text("proxy_url"))
	w.next("exchange") // a call is written behind its answer
	var all strings.Builder
	for _, path := range []string{
		"/api/export?as=har", "/api/export?as=postman", "/api/export?as=postman&part=environment", "/api/exchanges/1/export?as=fixture",
		"/api/exchanges/2/export?as=curl", "/api/exchanges/2/export?as=http", "/api/exchanges/2/export?as=fetch", "/api/exchanges/2/export?as=go",
		"/api/exchanges/2/export?as=php", "/api/exchanges/2/export?as=powershell", "/", "/exchanges/1", "/exchanges/2", "/api/status",
	} {
		res, body := w.api("GET", path, "", "Accept", "text/html, application/json")
		if res.StatusCode != 200 || body == "" {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
		if strings.Contains(path, "export") {
			if !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment; filename=") {
				t.Errorf("%s opens in the browser", path)
			}
			all.WriteString(body)
		}
		for _, s := range []string{guideToken, guideSecret, "cookie0of0the0browser", "upstreams0cookie", w.key} {
			if strings.Contains(body, s) {
				t.Errorf("%s holds %q", path, s)
			}
		}
	}
	if strings.Contains(all.String(), guideCode) {
		t.Error("an export holds the code")
	}
	_, har := w.api("GET", "/api/export?as=har", "")
	if res, body := w.api("POST", "/api/import", har); res.StatusCode != 200 || !strings.Contains(body, `"ids":[3,4]`) {
		t.Errorf("reading it back: %d %s", res.StatusCode, body)
	}
	if res, _ := w.api("POST", "/api/import", "{}"); res.StatusCode != 400 || res.Header.Get("Bcdev-Error") != "not_har" {
		t.Errorf("no HAR: %d", res.StatusCode)
	}
}
