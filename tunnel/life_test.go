package tunnel_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bcdev/internal/edge"
	"bcdev/tunnel"
)

const policy = "on_http_request:\n  - actions:\n      - type: add-headers # ä \"quoted\"\n"

func TestALinkThatBreaksIsToldMendedAndHasTheSameAddress(t *testing.T) {
	e := startEdge(t, edge.Options{Reserved: map[string]string{"shop": token}})
	o := optionsFor(e)
	o.URL, o.TrafficPolicy = "https://shop.localhost", policy
	tun := open(t, o)
	serve(t, tun, echoPath())
	url := tun.URL()
	next(t, tun, tunnel.Up)

	for range 2 {
		e.Cut()
		down := next(t, tun, tunnel.Down)
		if down.Err == nil || down.Attempt == 0 {
			t.Errorf("the link broke without a word: %+v", down)
		}
		if s, _ := tun.State(); s != tunnel.Down {
			t.Errorf("state is %q while nothing arrives", s)
		}
		if got := get(t, e.Client(), url+"/x"); got.status != http.StatusNotFound || got.header.Get("Ngrok-Error-Code") != "ERR_NGROK_3200" {
			t.Errorf("a visitor gets %+v", got)
		}
		if err := e.Restart(); err != nil {
			t.Fatal(err)
		}
		if up := next(t, tun, tunnel.Up); up.Err != nil || up.Attempt != 0 {
			t.Errorf("the link is back with %+v", up)
		}
		if got := get(t, e.Client(), url+"/back"); got.body != "hello /back" {
			t.Errorf("a visitor gets %d %q", got.status, got.body)
		}
	}
	if tun.URL() != url {
		t.Errorf("the address changed from %s to %s", url, tun.URL())
	}
	binds := e.Binds()
	if len(binds) < 3 {
		t.Fatalf("the edge saw %d binds", len(binds))
	}
	for i, b := range binds {
		if b.TrafficPolicy != policy || b.Granted != url || b.Resumed != (i > 0) {
			t.Errorf("bind %d was %+v", i, b)
		}
	}
}

func TestEveryFailedAttemptIsCounted(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	e.Cut()
	for last := 0; last < 3; {
		down := next(t, tun, tunnel.Down)
		if down.Attempt <= last {
			t.Fatalf("attempt %d came after %d", down.Attempt, last)
		}
		last = down.Attempt
	}
}

func TestABlackHoledLinkIsNotUp(t *testing.T) {
	e := startEdge(t, edge.Options{})
	o := optionsFor(e)
	o.Heartbeat, o.HeartbeatTolerance = 150*time.Millisecond, 600*time.Millisecond
	tun := open(t, o)
	serve(t, tun, echoPath())
	next(t, tun, tunnel.Up)
	stood := tun.LastBeat()
	eventually(t, "a heartbeat", func() bool { return tun.LastBeat().After(stood) })

	e.BlackHole(true)
	begin := time.Now()
	down := next(t, tun, tunnel.Down)
	if d := time.Since(begin); d > o.Heartbeat+o.HeartbeatTolerance {
		t.Errorf("noticed after %s, want at most %s", d, o.Heartbeat+o.HeartbeatTolerance)
	}
	if down.Err == nil || !strings.Contains(down.Err.Error(), "silent") {
		t.Errorf("it says %v", down.Err)
	}
	watched := time.After(3 * (o.Heartbeat + o.HeartbeatTolerance))
	for waiting := true; waiting; {
		select {
		case ev := <-tun.Events():
			if ev.State == tunnel.Up {
				t.Fatal("the link calls itself up while nothing passes")
			}
		case <-watched:
			waiting = false
		}
	}
	if s, _ := tun.State(); s != tunnel.Down {
		t.Errorf("state is %q", s)
	}
	if time.Since(tun.LastBeat()) < o.HeartbeatTolerance {
		t.Error("a heartbeat came out of the black hole")
	}

	e.BlackHole(false)
	next(t, tun, tunnel.Up)
	if got := get(t, e.Client(), tun.URL()+"/back"); got.body != "hello /back" {
		t.Errorf("a visitor gets %d %q", got.status, got.body)
	}
}

func TestAnAddressThatIsRefusedOnTheWayBackIsToldWithItsCode(t *testing.T) {
	var taken atomic.Bool
	e := startEdge(t, edge.Options{RefuseBind: func(edge.BindRecord) *edge.Refusal {
		if taken.Load() {
			return &edge.Refusal{Code: "ERR_NGROK_334", Message: "already online, says " + token}
		}
		return nil
	}})
	tun := open(t, optionsFor(e))
	serve(t, tun, echoPath())
	taken.Store(true)
	if err := e.Restart(); err != nil {
		t.Fatal(err)
	}
	waitForCode(t, tun, "ERR_NGROK_334")
	if s, _ := tun.State(); s != tunnel.Down {
		t.Errorf("state is %q", s)
	}
	taken.Store(false)
	next(t, tun, tunnel.Up)
	if got := get(t, e.Client(), tun.URL()+"/back"); got.body != "hello /back" {
		t.Errorf("a visitor gets %d %q", got.status, got.body)
	}
}

func TestATokenThatIsRevokedWhileRunningIsToldWithItsCode(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	e.Revoke(token)
	waitForCode(t, tun, "ERR_NGROK_300")
	if s, _ := tun.State(); s != tunnel.Down {
		t.Errorf("state is %q", s)
	}
}

func waitForCode(t *testing.T, tun *tunnel.Tunnel, code string) {
	t.Helper()
	for {
		down := next(t, tun, tunnel.Down)
		if e := problem(t, down.Err); e.Code == code {
			return
		}
	}
}

func TestATunnelThatIsStoppedFromOutsideEnds(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	served := make(chan error, 1)
	go func() { served <- http.Serve(tun, echoPath()) }()
	get(t, e.Client(), tun.URL())

	if err := e.StopEndpoint(tun.URL(), "ERR_NGROK_300"); err != nil {
		t.Fatal(err)
	}
	within(t, "the server's end", func() {
		err := <-served
		if got := problem(t, err); got.Code != "ERR_NGROK_300" || !strings.Contains(got.Error(), "stopped from outside") {
			t.Errorf("got %v", err)
		}
	})
	closed := next(t, tun, tunnel.Closed)
	if closed.Err == nil {
		t.Error("it closed without a word")
	}
	if s, _ := tun.State(); s != tunnel.Closed {
		t.Errorf("state is %q", s)
	}
	within(t, "the end of the events", func() {
		for range tun.Events() {
		}
	})
	if err := e.Restart(); err != nil {
		t.Fatal(err)
	}
	if n := len(e.Binds()); n != 1 {
		t.Errorf("it was bound %d times: a zombie", n)
	}
	if _, err := tun.Accept(); err == nil || errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Accept says %v", err)
	}
}

func TestHeartbeatsAreCountedAsSignsOfLife(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	first := tun.LastBeat()
	eventually(t, "a heartbeat", func() bool { return tun.LastBeat().After(first) })
	if a := e.Auths()[0]; a.Heartbeat != 200*time.Millisecond || a.HeartbeatTolerance != 10*time.Minute {
		t.Errorf("the edge was told %s and %s", a.Heartbeat, a.HeartbeatTolerance)
	}
}

func TestHeartbeatsAreTheLibrarysUnlessSet(t *testing.T) {
	e := startEdge(t, edge.Options{})
	o := optionsFor(e)
	o.Heartbeat, o.HeartbeatTolerance = 0, 0
	open(t, o)
	if a := e.Auths()[0]; a.Heartbeat != 10*time.Second || a.HeartbeatTolerance != 15*time.Second {
		t.Errorf("the edge was told %s and %s", a.Heartbeat, a.HeartbeatTolerance)
	}
}
