package proxy

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseFault(t *testing.T) {
	full := Fault{Path: "/v3/catalog", Method: "GET", Status: 429, Times: 3, Latency: 200 * time.Millisecond, Reset: true, Cut: 100}
	got, err := ParseFault("path=/v3/catalog method=get status=429 times=3 latency=200ms reset cut=100")
	if err != nil || got != full {
		t.Errorf("%+v, %v", got, err)
	}
	if again, err := ParseFault(got.String()); err != nil || again != full {
		t.Errorf("%q reads back as %+v, %v", got.String(), again, err)
	}
	for _, bad := range []string{"", "path=/v3", "path=v3 status=429", "status=42", "status=600", "status=x", "times=0 reset", "latency=-1s", "latency=1h", "cut=0", "stat=429", "status=429 \x1b"} {
		if _, err := ParseFault(bad); err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseFault(f *testing.F) {
	f.Add("path=/v3/catalog status=429 times=3 latency=200ms reset cut=100")
	f.Fuzz(func(t *testing.T, s string) {
		fault, err := ParseFault(s)
		if err != nil {
			return
		}
		if again, err := ParseFault(fault.String()); err != nil || again != fault {
			t.Errorf("%q reads back as %+v, %v; want %+v", fault.String(), again, err, fault)
		}
	})
}

func inject(t *testing.T, spec string) *Faults {
	t.Helper()
	fault, err := ParseFault(spec)
	if err != nil {
		t.Fatal(err)
	}
	var f Faults
	f.Add(fault)
	return &f
}

func TestAFaultIsAnsweredInBigCommercesWords(t *testing.T) {
	u := newUpstream(t, false, nil)
	faults := inject(t, "path=/v3/catalog status=429 times=2")
	s := openDoor(t, u, func(o *Options) { o.Faults, o.Retry = faults, RetryPolicy{GET: true} })
	for range 2 {
		res, body := do(t, "GET", s.URL+"/v3/catalog/products", nil, nil)
		var problem struct {
			Status int
			Title  string
		}
		if err := json.Unmarshal([]byte(body), &problem); err != nil || problem.Status != 429 || res.StatusCode != http.StatusTooManyRequests {
			t.Errorf("answer %d %q", res.StatusCode, body)
		}
		if res.Header.Get("X-Rate-Limit-Requests-Left") != "0" || res.Header.Get("X-Rate-Limit-Time-Reset-Ms") == "" || res.Header.Get("Bcdev-Fault") == "" {
			t.Errorf("headers %v", res.Header)
		}
	}
	u.none(t)
	if res, _ := do(t, "GET", s.URL+"/v3/catalog/products", nil, nil); res.StatusCode != http.StatusOK || len(faults.List()) != 0 {
		t.Errorf("the third call got %d; faults left %v", res.StatusCode, faults.List())
	}
	faults.Add(Fault{Path: "/v2/", Status: 404})
	if res, body := do(t, "GET", s.URL+"/v2/orders/1", nil, nil); res.StatusCode != http.StatusNotFound || !strings.HasPrefix(body, `[{"status":404,`) {
		t.Errorf("V2's answer is %d %q", res.StatusCode, body)
	}
	if res, _ := do(t, "GET", s.URL+"/v3/orders", nil, nil); res.StatusCode != http.StatusOK {
		t.Errorf("another path got %d", res.StatusCode)
	}
	faults.Clear()
	if res, _ := do(t, "GET", s.URL+"/v2/orders/1", nil, nil); res.StatusCode != http.StatusOK {
		t.Errorf("after Clear: %d", res.StatusCode)
	}
}

func TestAResetBreaksTheConnection(t *testing.T) {
	u := newUpstream(t, false, nil)
	s := openDoor(t, u, func(o *Options) { o.Faults = inject(t, "reset") })
	conn := dialRaw(t, s)
	io.WriteString(conn, "GET /v3/x HTTP/1.1\r\nHost: x\r\n\r\n")
	if b, err := io.ReadAll(conn); len(b) > 0 || err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("the client got %q, %v", b, err)
	}
	u.none(t)
}

func TestACutBodyDoesNotLookWhole(t *testing.T) {
	u := newUpstream(t, false, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, strings.Repeat("a", 1000)) })
	s := openDoor(t, u, func(o *Options) { o.Faults = inject(t, "cut=100 path=/v3/x") })
	res, err := http.Get(s.URL + "/v3/x")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err == nil || len(b) > 100 {
		t.Errorf("%d bytes came, %v", len(b), err)
	}
	u.only(t)
}

func TestLatencyIsWaitedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limited{script: func(int, *http.Request) (int, http.Header) { return 200, nil }}
		p := limitedProxy(l, RetryPolicy{}, func(o *Options) { o.Faults = inject(t, "latency=7s") })
		if status, _, err := ask(t.Context(), p, "GET", ""); status != 200 || err != nil || l.at[0] != 7*time.Second {
			t.Errorf("%d, %v, after %v", status, err, l.at)
		}
	})
}
