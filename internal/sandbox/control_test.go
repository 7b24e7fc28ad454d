package sandbox

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTheControlFaceAnswersOnlyThisMachinesOwnPrograms(t *testing.T) {
	w := newWorld(t, nil)
	for name, c := range map[string]struct {
		host    string
		headers map[string]string
		status  int
	}{
		"curl":                       {"", nil, 200},
		"localhost":                  {"localhost:7080", nil, 200},
		"IPv6 loopback":              {"[::1]:7080", nil, 200},
		"a rebound name":             {"evil.example", nil, 403},
		"a rebound name with a port": {"evil.example:7080", nil, 403},
		"a name that looks close":    {"localhost.evil.example", nil, 403},
		"127.0.0.1 as a prefix":      {"127.0.0.1.evil.example", nil, 403},
		"another machine's address":  {"192.168.1.5", nil, 403},
		"a page of another site":     {"", map[string]string{"Origin": "https://evil.example"}, 403},
		"an image of another site":   {"", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"another port of localhost":  {"", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		"a sandboxed frame":          {"", map[string]string{"Origin": "null"}, 403},
		"typed in the address bar":   {"", map[string]string{"Sec-Fetch-Site": "none"}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"GET", "POST"} {
				path := "/_control/received"
				if method == "POST" {
					path = "/_control/install"
				}
				req := w.request(method, path, "")
				if c.host != "" {
					req.Host = c.host
				}
				for k, v := range c.headers {
					req.Header.Set(k, v)
				}
				a := w.send(req)
				if a.StatusCode != c.status || a.Header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%s gets %d, want %d", method, a.StatusCode, c.status)
				}
			}
			if c.status == 403 {
				w.app.quiet(t)
			} else {
				w.app.next(t)
			}
		})
	}
}

func TestTheControlFaceRefusesWhatItDoesNotKnow(t *testing.T) {
	w := newWorld(t, nil)
	for path, bodies := range map[string][]string{
		"/install":   {`{"shop":"x"}`, `{"store":"No Hash"}`, `{"callback":"ftp://x"}`, `{"callback":"https://x/#a"}`, `[]`, `{} {}`},
		"/load":      {`{"only":"both"}`, `{"callback":"/load"}`},
		"/webhook":   {`{"scope":"store/order/creatd"}`, `{}`, `{"scope":"store/order/created","destination":"x"}`},
		"/faults":    {`{}`, `{"status":42}`, `{"status":500,"times":-1}`, `{"path":"v3","status":500}`, `{"status":500,"cut":"x"}`},
		"/clock":     {`{}`, `{"advance":"-1h"}`, `{"advance":24}`, `{"advance":"999999h"}`},
		"/quota":     {`{"left":-1}`, `{"left":1,"store":"nobody"}`, `{"limit":0}`},
		"/callbacks": {`{"auth":"not a url"}`},
		"/token":     {`{"store":"../x"}`},
	} {
		for _, body := range bodies {
			a := w.control("POST", path, body)
			if a.StatusCode != http.StatusBadRequest || a.at(t, "error.message") == "" {
				t.Errorf("%s %s: %d %s", path, body, a.StatusCode, a.body)
			}
		}
	}
	if a := w.control("POST", "/instal", ""); a.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown command: %d", a.StatusCode)
	}
	if a := w.control("GET", "/", ""); a.at(t, "POST /install") == nil {
		t.Errorf("the list of commands: %s", a.body)
	}
	w.app.quiet(t)
}

func TestAnAppThatIsNotThereIsAnError(t *testing.T) {
	w := newWorld(t, nil)
	w.app.Close()
	a := w.control("POST", "/install", "")
	if a.StatusCode != http.StatusBadGateway || a.at(t, "error.code") != "app_unreachable" || strings.Contains(a.body, "code=") {
		t.Errorf("got %d %s", a.StatusCode, a.body)
	}
}

func TestWhatCameInIsKeptInOrder(t *testing.T) {
	w := newWorld(t, nil)
	req := w.request("GET", "/stores/"+w.sandbox.Store()+"/v3/x%2Fy?a=1&b=%20", "")
	req.Header["X-Twice"] = []string{"1", "2"}
	w.send(req)
	w.send(w.request("POST", "/oauth2/token", `{"code":"é"}`))
	w.send(w.request("POST", "/login", "\xff\xfe"))
	var came []Received
	w.control("GET", "/received", "").json(t, &came)
	if len(came) != 3 {
		t.Fatalf("%d entries: %+v", len(came), came)
	}
	first := came[0]
	if first.Method != "GET" || first.Path != req.URL.RequestURI() || len(first.Headers["X-Twice"]) != 2 || first.Status != 401 || first.Headers.Get("Host") == "" {
		t.Errorf("first: %+v", first)
	}
	if came[1].Body != `{"code":"é"}` || came[2].BodyBase64 != "//4=" {
		t.Errorf("bodies: %q %q", came[1].Body, came[2].BodyBase64)
	}
	w.control("DELETE", "/received", "")
	if a := w.control("GET", "/received", ""); strings.TrimSpace(a.body) != "[]" {
		t.Errorf("after DELETE: %s", a.body)
	}
}

func TestTheRecordIsBounded(t *testing.T) {
	w := newWorld(t, nil)
	big := strings.Repeat("x", maxBody)
	for range 20 {
		w.send(w.request("POST", "/login", big))
	}
	if l := w.sandbox.received; l.bytes > maxReceivedBytes || len(l.list()) != 15 {
		t.Errorf("%d entries of %d bytes", len(l.list()), l.bytes)
	}
	w.sandbox.received.clear()
	for range maxReceived + 5 {
		r := w.request("GET", "/x", "")
		w.sandbox.received.note(r, nil, false, time.Time{})
	}
	if n := len(w.sandbox.received.list()); n != maxReceived {
		t.Errorf("%d entries", n)
	}
}

func TestABodyOverAMebibyteIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	a := w.api("POST", "/v3/catalog/products", strings.Repeat("x", maxBody+1))
	if a.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d", a.StatusCode)
	}
}

func TestFaults(t *testing.T) {
	w := newWorld(t, nil)
	w.works("/faults", `{"path":"/v3/","status":429,"times":2}`)
	w.works("/faults", `{"path":"/v2/time","status":503,"times":1,"body":"down"}`)
	w.works("/faults", `{"path":"/v2/store","status":429,"times":1,"rate_headers":false}`)
	for i, want := range []int{429, 429, 200} {
		a := w.api("GET", "/v3/catalog/products", "")
		if a.StatusCode != want || (want == 429) != (a.Header.Get("X-Retry-After") != "") {
			t.Errorf("call %d: %d %v, want %d", i, a.StatusCode, a.Header, want)
		}
	}
	if a := w.api("GET", "/v2/time", ""); a.StatusCode != 503 || a.body != "down" {
		t.Errorf("time: %d %s", a.StatusCode, a.body)
	}
	if a := w.api("GET", "/v2/store", ""); a.StatusCode != 429 || a.Header.Get("X-Rate-Limit-Requests-Left") != "" || a.Header.Get("X-Retry-After") != "" {
		t.Errorf("a 429 without headers: %d %v", a.StatusCode, a.Header)
	}
	w.works("/faults", `{"status":500}`)
	w.control("DELETE", "/faults", "")
	if a := w.api("GET", "/v2/time", ""); a.StatusCode != http.StatusOK {
		t.Errorf("after DELETE: %d", a.StatusCode)
	}
}

func TestAFaultCanResetCutAndDelay(t *testing.T) {
	w := newWorld(t, nil)
	path := "/stores/" + w.sandbox.Store() + "/v2/store"
	ask := func() (*http.Response, error) {
		req := w.request("GET", path, "")
		req.Header.Set("X-Auth-Token", w.token)
		return (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}).Do(req)
	}
	w.works("/faults", `{"path":"/v2/","reset":true,"times":1}`)
	if _, err := ask(); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("reset: %v", err)
	}
	for _, cut := range []string{"true", "10"} {
		w.works("/faults", fmt.Sprintf(`{"path":"/v2/","cut":%s,"times":1}`, cut))
		res, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 || (cut == "10" && len(body) != 10) {
			t.Errorf("cut %s: %d bytes, %v", cut, len(body), err)
		}
	}
	w.works("/faults", `{"path":"/v2/","latency_ms":60,"times":1}`)
	before := time.Now()
	res, err := ask()
	if err != nil || res.StatusCode != http.StatusOK || time.Since(before) < 60*time.Millisecond {
		t.Errorf("latency: %v after %s", err, time.Since(before))
	}
}
