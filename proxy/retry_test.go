package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// limited is an upstream without a network, for tests whose time is not real: it answers each
// request with what script says and notes when it came.
type limited struct {
	mu     sync.Mutex
	script func(n int, req *http.Request) (status int, header http.Header)
	at     []time.Duration
	bodies []string
	start  time.Time
}

func (l *limited) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	body := ""
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		body = string(b)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = append(l.at, time.Since(l.start))
	l.bodies = append(l.bodies, body)
	status, header := l.script(len(l.at), req)
	if header == nil {
		header = http.Header{}
	}
	return canned(req, status, header, []byte(fmt.Sprint("answer ", len(l.at)))), nil
}

// limitedProxy is a proxy whose upstream is l.
func limitedProxy(l *limited, policy RetryPolicy, change func(*Options)) *Proxy {
	l.start = time.Now()
	p := newUpstreamless()
	p.o.Authorize = func(r *http.Request) error { r.Header.Set("X-Auth-Token", testToken); return nil }
	p.o.Retry = policy
	p.o.Jitter = func(time.Duration) time.Duration { return 0 }
	if change != nil {
		change(&p.o)
	}
	p.o.defaults()
	p.upstream = l
	p.chain = p.link()
	return p
}

func call429(reset, after string) http.Header {
	h := http.Header{"X-Rate-Limit-Requests-Quota": {"150"}, "X-Rate-Limit-Requests-Left": {"0"}, "X-Rate-Limit-Time-Window-Ms": {"30000"}}
	if reset != "" {
		h.Set("X-Rate-Limit-Time-Reset-Ms", reset)
	}
	if after != "" {
		h.Set("X-Retry-After", after)
	}
	return h
}

func ask(ctx context.Context, p *Proxy, method, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, "https://api.bigcommerce.com/stores/aaa111/v3/x", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	res, err := p.Transport().RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func TestA429IsWaitedOut(t *testing.T) {
	always := func(h http.Header) func(int, *http.Request) (int, http.Header) {
		return func(int, *http.Request) (int, http.Header) { return 429, h.Clone() }
	}
	firstly := func(n429 int, h http.Header) func(int, *http.Request) (int, http.Header) {
		return func(n int, _ *http.Request) (int, http.Header) {
			if n <= n429 {
				return 429, h.Clone()
			}
			return 200, nil
		}
	}
	gets := RetryPolicy{GET: true}
	for _, test := range []struct {
		name   string
		method string
		policy RetryPolicy
		script func(int, *http.Request) (int, http.Header)
		status int
		at     []time.Duration
	}{
		{"P73 until the reset", "GET", gets, firstly(1, call429("1500", "")), 200, []time.Duration{0, 1500 * time.Millisecond}},
		{"until the longer of both", "GET", gets, firstly(1, call429("1500", "3")), 200, []time.Duration{0, 3 * time.Second}},
		{"until the longer of both, turned round", "HEAD", gets, firstly(1, call429("4000", "3")), 200, []time.Duration{0, 4 * time.Second}},
		{"P74 a write is not repeated", "POST", gets, always(call429("1500", "")), 429, []time.Duration{0}},
		{"a write is repeated when asked for", "POST", RetryPolicy{GET: true, Writes: true}, firstly(1, call429("1500", "")), 200, []time.Duration{0, 1500 * time.Millisecond}},
		{"retries are off", "GET", RetryPolicy{}, always(call429("1500", "")), 429, []time.Duration{0}},
		{"P76 without headers it backs off", "GET", gets, always(nil), 429, []time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond, 3500 * time.Millisecond}},
		{"at most so many attempts", "GET", RetryPolicy{GET: true, Max: 2}, always(call429("1000", "")), 429, []time.Duration{0, time.Second}},
		{"a wait beyond the bound is the client's to decide", "GET", RetryPolicy{GET: true, MaxWait: 10 * time.Second}, always(call429("10001", "")), 429, []time.Duration{0}},
		{"waits together stay in the bound", "GET", RetryPolicy{GET: true, MaxWait: 10 * time.Second, Max: 9}, always(call429("4000", "")), 429, []time.Duration{0, 4 * time.Second, 8 * time.Second}},
		{"a reset in the past backs off", "GET", gets, firstly(1, call429("-5", "")), 200, []time.Duration{0, 500 * time.Millisecond}},
		{"nonsense backs off", "GET", gets, firstly(1, call429("soon", "later")), 200, []time.Duration{0, 500 * time.Millisecond}},
		{"an absurd reset is not waited for", "GET", gets, always(call429("99999999999999999999", "9223372036854775807")), 429, []time.Duration{0}},
		{"P77 a 503 is never repeated", "POST", RetryPolicy{GET: true, Writes: true}, func(int, *http.Request) (int, http.Header) { return 503, nil }, 503, []time.Duration{0}},
		{"nor is it for a GET", "GET", gets, func(int, *http.Request) (int, http.Header) { return 503, nil }, 503, []time.Duration{0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &limited{script: test.script}
				var attempts []int
				p := limitedProxy(l, test.policy, func(o *Options) {
					o.Attempt = func(req *http.Request, res *http.Response, n int, wait time.Duration) {
						b, _ := io.ReadAll(res.Body)
						if string(b) != fmt.Sprint("answer ", n) && req.Method != http.MethodHead || req.Header.Get("X-Auth-Token") != "" {
							t.Errorf("attempt %d: body %q, header %v", n, b, req.Header)
						}
						attempts = append(attempts, n)
					}
				})
				status, body, err := ask(t.Context(), p, test.method, "the body")
				if err != nil || status != test.status {
					t.Errorf("answer %d, %v; want %d", status, err, test.status)
				}
				if want := fmt.Sprint("answer ", len(test.at)); body != want && test.method != "HEAD" {
					t.Errorf("the client got %q, want the last answer %q", body, want)
				}
				if fmt.Sprint(l.at) != fmt.Sprint(test.at) {
					t.Errorf("upstream was asked at %v, want %v", l.at, test.at)
				}
				for _, b := range l.bodies {
					if b != "the body" {
						t.Errorf("upstream received %q", b)
					}
				}
				if len(attempts) != len(test.at)-1 {
					t.Errorf("Attempt heard of %v", attempts)
				}
			})
		})
	}
}

func TestClientsOfAStoreShareTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limited{}
		l.script = func(n int, _ *http.Request) (int, http.Header) {
			if time.Since(l.start) < 5*time.Second {
				return 429, call429(fmt.Sprint((5*time.Second - time.Since(l.start)).Milliseconds()), "")
			}
			return 200, nil
		}
		p := limitedProxy(l, RetryPolicy{GET: true}, nil)
		var wg sync.WaitGroup
		statuses := make([]int, 20)
		for i := range statuses {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond) // under synctest's clock
				statuses[i], _, _ = ask(t.Context(), p, "GET", "")
			})
		}
		wg.Wait()
		for i, s := range statuses {
			if s != 200 {
				t.Errorf("client %d got %d", i, s)
			}
		}
		if refusals := len(l.at) - len(statuses); refusals > 1 {
			t.Errorf("upstream refused %d calls, want 1: the others should have waited", refusals)
		}
	})
}

func TestAnotherStoreDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limited{script: func(int, *http.Request) (int, http.Header) { return 200, nil }}
		p := limitedProxy(l, RetryPolicy{GET: true}, nil)
		p.gates.shut("bbb222", time.Now().Add(20*time.Second))
		ask(t.Context(), p, "GET", "")
		if l.at[0] != 0 {
			t.Errorf("the call waited %v", l.at[0])
		}
	})
}

func TestTheWaitEndsWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limited{script: func(int, *http.Request) (int, http.Header) { return 429, call429("20000", "") }}
		p := limitedProxy(l, RetryPolicy{GET: true}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, _, err := ask(ctx, p, "GET", "")
		if took := time.Since(l.start); took != 3*time.Second || len(l.at) != 1 {
			t.Errorf("%v after %v, %d attempts", err, took, len(l.at))
		}
	})
}

func TestJitterSpreadsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limited{script: func(n int, _ *http.Request) (int, http.Header) {
			return map[bool]int{true: 429, false: 200}[n == 1], call429("20000", "")
		}}
		p := limitedProxy(l, RetryPolicy{GET: true}, func(o *Options) {
			o.Jitter = func(most time.Duration) time.Duration { return most }
		})
		ask(t.Context(), p, "GET", "")
		if l.at[1] != 21*time.Second {
			t.Errorf("repeated after %v, want the reset and a tenth of it, at most a second", l.at[1])
		}
	})
}

func TestABodyTooLongToKeepIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("x", repeatable+1)
		l := &limited{script: func(int, *http.Request) (int, http.Header) { return 429, call429("1000", "") }}
		p := limitedProxy(l, RetryPolicy{Writes: true}, nil)
		for _, known := range []bool{true, false} {
			l.bodies = nil
			var body io.Reader = strings.NewReader(long)
			if !known {
				body = io.MultiReader(body)
			}
			req, _ := http.NewRequest(http.MethodPut, "https://api.bigcommerce.com/stores/bbb222/v3/x", body)
			p.gates.until = nil
			res, err := p.Transport().RoundTrip(req)
			if err != nil || res.StatusCode != http.StatusTooManyRequests || len(l.bodies) != 1 || l.bodies[0] != long {
				t.Errorf("length known %v: %v, %v, %d attempts", known, res, err, len(l.bodies))
			}
		}
	})
}

func TestQuotasAreRemembered(t *testing.T) {
	u := newUpstream(t, false, func(w http.ResponseWriter, r *http.Request) {
		for name, values := range call429("26377", "") {
			w.Header()[name] = values
		}
		w.Header().Set("X-Rate-Limit-Requests-Left", "148")
	})
	o := options(t, u)
	var told []string
	o.Quota = func(store string, h http.Header) { told = append(told, store+" "+h.Get("X-Rate-Limit-Requests-Left")) }
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := serveDoor(t, p.Reverse())
	do(t, "GET", s.URL+"/stores/bbb222/v3/x", nil, nil)
	q := p.Quotas()["bbb222"]
	if len(p.Quotas()) != 1 || q.Limit != 150 || q.Left != 148 || q.Window != 30*time.Second || q.Reset != 26377*time.Millisecond || q.At.IsZero() {
		t.Errorf("quotas %+v", p.Quotas())
	}
	if fmt.Sprint(told) != "[bbb222 148]" {
		t.Errorf("Quota heard %v", told)
	}
}

func TestA429IsRepeatedOverTheWire(t *testing.T) {
	var n int
	u := newUpstream(t, true, func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 1 {
			w.Header().Set("X-Rate-Limit-Time-Reset-Ms", "20")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		io.WriteString(w, "fine")
	})
	s := openDoor(t, u, func(o *Options) { o.Retry = RetryPolicy{GET: true, Writes: true} })
	res, body := do(t, "PUT", s.URL+"/v3/x", nil, io.MultiReader(strings.NewReader("a body of unknown length")))
	all := u.all()
	if res.StatusCode != http.StatusOK || body != "fine" || len(all) != 2 || all[1].Body != "a body of unknown length" || all[1].Header.Get("X-Auth-Token") != testToken {
		t.Errorf("%d %q; upstream received %+v", res.StatusCode, body, all)
	}
}

func TestABodyThatBreaksWhileItIsKept(t *testing.T) {
	p := limitedProxy(&limited{script: func(int, *http.Request) (int, http.Header) { return 200, nil }}, RetryPolicy{Writes: true}, nil)
	broke := errors.New("the client has gone")
	req, _ := http.NewRequest(http.MethodPut, "https://api.bigcommerce.com/stores/aaa111/v3/x", io.NopCloser(broken{nil, broke}))
	res, err := p.Transport().RoundTrip(req)
	if err != nil || res.Header.Get("Bcdev-Error") == "" {
		t.Errorf("%v, %v", res, err)
	}
}
