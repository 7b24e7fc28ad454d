package tunnel_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"bcdev/internal/edge"
	"bcdev/tunnel"
)

// bound is what a Close may take at most: 2 s for the far side's answer, 2 s for the library, and
// the machine's own time.
const bound = 6 * time.Second

func TestCloseEndsEverything(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	took(t, "Close", promptly, func() { tun.Close() })
	if s, _ := tun.State(); s != tunnel.Closed {
		t.Errorf("state is %q", s)
	}
	if _, err := tun.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept says %v", err)
	}
	if last := next(t, tun, tunnel.Closed); last.Err != nil {
		t.Errorf("our own Close is told as %v", last.Err)
	}
	if _, more := <-tun.Events(); more {
		t.Error("an event came after the last")
	}
	if err := tun.Close(); err != nil {
		t.Errorf("the second Close says %v", err)
	}
	if got := get(t, e.Client(), tun.URL()); got.status != http.StatusNotFound {
		t.Errorf("a visitor gets %d", got.status)
	}
}

func TestShutdownLetsARequestEnd(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	inside, finish := make(chan struct{}), make(chan struct{})
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(inside)
		<-finish
		io.WriteString(w, "to the end")
	})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(tun) }()
	got := make(chan answer, 1)
	go func() { got <- get(t, e.Client(), tun.URL()) }()
	within(t, "the request", func() { <-inside })

	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.Background()) }()
	within(t, "the server's end", func() {
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve says %v", err)
		}
	})
	close(finish)
	within(t, "the answer", func() {
		if a := <-got; a.status != http.StatusOK || a.body != "to the end" {
			t.Errorf("the visitor gets %d %q", a.status, a.body)
		}
	})
	within(t, "Shutdown", func() {
		if err := <-down; err != nil {
			t.Errorf("Shutdown says %v", err)
		}
	})
	took(t, "Close", promptly, func() { tun.Close() })
}

func TestCloseLeavesARequestItsTimeAndDropDoesNot(t *testing.T) {
	e := startEdge(t, edge.Options{})
	for name, drop := range map[string]bool{"Close": false, "Drop": true} {
		t.Run(name, func(t *testing.T) {
			tun := open(t, optionsFor(e))
			inside, finish := make(chan struct{}), make(chan struct{})
			serve(t, tun, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				close(inside)
				<-finish
				io.WriteString(w, "to the end")
			}))
			got := make(chan answer, 1)
			go func() { got <- get(t, e.Client(), tun.URL()) }()
			within(t, "the request", func() { <-inside })
			took(t, "Close", promptly, func() { tun.Close(); tun.Close() })
			if drop {
				took(t, "Drop", promptly, tun.Drop)
				within(t, "the answer", func() {
					if a := <-got; a.status == http.StatusOK {
						t.Errorf("the visitor gets %d %q", a.status, a.body)
					}
				})
				close(finish)
				return
			}
			close(finish)
			within(t, "the answer", func() {
				if a := <-got; a.body != "to the end" {
					t.Errorf("the visitor gets %d %q", a.status, a.body)
				}
			})
		})
	}
}

func TestCloseUnderLoadEnds(t *testing.T) {
	for range 3 {
		e := startEdge(t, edge.Options{})
		tun := open(t, optionsFor(e))
		s := &http.Server{Handler: echoPath()}
		go s.Serve(tun)
		ctx, cancel := context.WithCancel(context.Background())
		var load sync.WaitGroup
		for range 8 {
			load.Go(func() { flood(ctx, e, tun.URL()) })
		}
		get(t, e.Client(), tun.URL())
		took(t, "Close", bound, tun.Drop)
		cancel()
		s.Close()
		within(t, "the end of the load", load.Wait)
	}
}

// flood makes a new connection for every request.
func flood(ctx context.Context, e *edge.Edge, url string) {
	c := e.Client()
	own := c.Transport.(*http.Transport).Clone()
	own.DisableKeepAlives = true
	c.Transport = own
	for ctx.Err() == nil {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if resp, err := c.Do(req); err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
}

func TestCloseEndsWhereNobodyAccepts(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	ctx, cancel := context.WithCancel(context.Background())
	var visitors sync.WaitGroup
	for range 4 {
		visitors.Go(func() { flood(ctx, e, tun.URL()) })
	}
	eventually(t, "a connection that waits", func() bool { return tunnel.Waiting(tun) })
	took(t, "Close", bound, tun.Drop)
	cancel()
	within(t, "the visitors' end", visitors.Wait)
}

func TestAnAcceptThatWaitsEndsWithClose(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	waits := make(chan error, 1)
	go func() { _, err := tun.Accept(); waits <- err }()
	tun.Close()
	within(t, "Accept's end", func() {
		if err := <-waits; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept says %v", err)
		}
	})
}

func TestCloseEndsOnABlackHoledLink(t *testing.T) {
	e := startEdge(t, edge.Options{})
	o := optionsFor(e)
	o.Heartbeat, o.HeartbeatTolerance = 10*time.Second, 15*time.Second
	tun := open(t, o)
	serve(t, tun, echoPath())
	get(t, e.Client(), tun.URL())
	e.BlackHole(true)
	took(t, "Close", bound, tun.Drop)
}

func TestCloseEndsWhileTheLinkIsDown(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	e.Cut()
	next(t, tun, tunnel.Down)
	took(t, "Close", promptly, func() { tun.Close() })
}

func TestNothingIsLeftBehind(t *testing.T) {
	e := startEdge(t, edge.Options{})
	o := optionsFor(e)
	round := func() {
		tun, err := tunnel.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: echoPath()}
		served := make(chan error, 1)
		go func() { served <- s.Serve(tun) }()
		get(t, e.Client(), tun.URL())
		tun.Drop()
		s.Close()
		<-served
		e.Client().CloseIdleConnections()
	}
	round()
	settled := 0
	eventually(t, "a calm base", func() bool {
		n := runtime.NumGoroutine()
		calm := n == settled
		settled = n
		return calm
	})
	for range 10 {
		round()
	}
	eventually(t, "the base again", func() bool { return runtime.NumGoroutine() <= settled+2 })
}

func TestARefusedOpeningLeavesNothingBehind(t *testing.T) {
	e := startEdge(t, edge.Options{Tokens: []string{"another"}})
	base := runtime.NumGoroutine()
	for range 5 {
		if _, err := tunnel.Open(t.Context(), optionsFor(e)); err == nil {
			t.Fatal("opened with a bad token")
		}
	}
	eventually(t, "the base again", func() bool { return runtime.NumGoroutine() <= base+2 })
}
