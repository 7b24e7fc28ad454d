package tunnel_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"bcdev/internal/edge"
	"bcdev/tunnel"
)

const token = "2abcDEF_token-of-the-tests"

// patience is how long a test waits for what must come; it is long because machines are busy.
const patience = 20 * time.Second

func startEdge(t *testing.T, o edge.Options) *edge.Edge {
	t.Helper()
	e, err := edge.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("closing the edge: %v", err)
		}
	})
	return e
}

func optionsFor(e *edge.Edge) tunnel.Options {
	return tunnel.Options{
		Authtoken:  token,
		ConnectURL: e.AgentAddr(), ConnectCAs: e.CertPool(),
		ClientType: "bcdev", ClientVersion: "1.2.3",
		Heartbeat: 200 * time.Millisecond, HeartbeatTolerance: 10 * time.Minute,
		ConnectTimeout: patience,
	}
}

func open(t *testing.T, o tunnel.Options) *tunnel.Tunnel {
	t.Helper()
	tun, err := tunnel.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	t.Cleanup(tun.Drop)
	return tun
}

// serve answers on the tunnel until the test ends.
func serve(t *testing.T, tun *tunnel.Tunnel, h http.Handler) *http.Server {
	t.Helper()
	s := &http.Server{Handler: h}
	done := make(chan error, 1)
	go func() { done <- s.Serve(tun) }()
	t.Cleanup(func() {
		tun.Drop()
		s.Close()
		within(t, "the server's end", func() { <-done })
	})
	return s
}

func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(patience):
		buf := make([]byte, 1<<20)
		t.Fatalf("%s did not come\n%s", what, buf[:runtime.Stack(buf, true)])
	}
}

func took(t *testing.T, what string, limit time.Duration, f func()) {
	t.Helper()
	begin := time.Now()
	within(t, what, f)
	if d := time.Since(begin); d > limit {
		t.Errorf("%s took %s, want at most %s", what, d, limit)
	}
}

func hello(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello "+r.URL.Path) }

type answer struct {
	status int
	header http.Header
	body   string
}

func get(t *testing.T, c *http.Client, url string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// next waits for an event of a state.
func next(t *testing.T, tun *tunnel.Tunnel, s tunnel.State) tunnel.Event {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case e, ok := <-tun.Events():
			if !ok {
				t.Fatalf("the events ended before %q", s)
			}
			if e.State == s {
				return e
			}
		case <-limit:
			t.Fatalf("no event %q came", s)
		}
	}
}

func problem(t *testing.T, err error) *tunnel.Error {
	t.Helper()
	var e *tunnel.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %T %v, want a *tunnel.Error", err, err)
	}
	if e.Hint() == "" {
		t.Errorf("%q says not what to do", e)
	}
	for err := error(e); err != nil; err = errors.Unwrap(err) {
		if strings.Contains(err.Error(), token) {
			t.Errorf("the token is in %q", err)
		}
	}
	return e
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(limit) {
			t.Fatalf("%s did not come", what)
		}
		<-tick.C
	}
}

var _ net.Listener = (*tunnel.Tunnel)(nil)

func echoPath() http.Handler { return http.HandlerFunc(hello) }

// lockedBuffer is a log that many goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
