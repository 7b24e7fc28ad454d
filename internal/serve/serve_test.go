package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func TestP97OnlyThisMachineUnlessAsked(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0", "7070"} {
		l, err := Listen(addr, false)
		if err == nil {
			_ = l.Close()
			t.Errorf("%s was opened", addr)
		} else if hint(err) == "" {
			t.Errorf("%s: %v has no hint", addr, err)
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "localhost:0"} {
		l, err := Listen(addr, false)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		_ = l.Close()
	}
	l, err := Listen("0.0.0.0:0", true)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

func TestP99ATakenPortNamesItselfAndTheProgram(t *testing.T) {
	first, err := Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	addr := first.Addr().String()
	_, err = Listen(addr, false)
	var taken *AddrError
	if !errors.As(err, &taken) || !strings.Contains(err.Error(), addr) || taken.Hint() == "" {
		t.Fatalf("err = %v", err)
	}
	if taken.Program != "" && (taken.PID != os.Getpid() || !strings.Contains(err.Error(), "serve.test")) {
		t.Errorf("err = %v, but it is this process, %d", err, os.Getpid())
	}
}

func TestTheServerBoundsHeaders(t *testing.T) {
	d := guarded(t, Guard{})
	a, _ := d.send(t, "GET /x HTTP/1.1\nHost: localhost:PORT\nX-Long: "+strings.Repeat("a", 70<<10))
	if a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("P60: status %d", a.StatusCode)
	}
	a, _ = d.send(t, "GET /"+strings.Repeat("a", 100<<10)+" HTTP/1.1\nHost: localhost:PORT")
	if a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("P44: status %d", a.StatusCode)
	}
	if a, _ := d.send(t, "GET /x HTTP/1.1\nHost: localhost:PORT"); a.StatusCode != http.StatusOK {
		t.Errorf("the next request: status %d", a.StatusCode)
	}
}

func start(t *testing.T, h http.Handler, o Limits) net.Listener {
	t.Helper()
	l, err := Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	s := New(h, o)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l
}

func dial(t *testing.T, addr net.Addr, text string) net.Conn {
	t.Helper()
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestP69AHeaderThatNeverEndsIsCutOff(t *testing.T) {
	l := start(t, http.NotFoundHandler(), Limits{HeaderTime: 20 * time.Millisecond})
	c := dial(t, l.Addr(), "GET / HTTP/1.1\r\nHost: x\r\nX-")
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("the server did not close: %v", err)
	}
}

func TestABodyThatStopsIsAReadError(t *testing.T) {
	errs := make(chan error, 1)
	l := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		errs <- err
		w.WriteHeader(http.StatusRequestTimeout)
	}), Limits{BodyIdle: 20 * time.Millisecond})
	c := dial(t, l.Addr(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
	if err := <-errs; !errors.Is(err, ErrSlowBody) {
		t.Errorf("read error %v", err)
	}
	if a, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || a.StatusCode != http.StatusRequestTimeout {
		t.Errorf("answer %v %v", a, err)
	}
}

func TestP55WhatIsLeftOfABodyIsNoRequest(t *testing.T) {
	served := make(chan string, 2)
	l := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		served <- r.URL.Path
		_, _ = io.ReadFull(r.Body, make([]byte, 2))
		_ = r.Body.Close() // as a transport does whose far side has answered already
	}), Limits{BodyIdle: 20 * time.Millisecond})
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	c := dial(t, l.Addr(), "POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: "+strconv.Itoa(2+len(smuggled))+"\r\n\r\nab")
	in := bufio.NewReader(c)
	if _, err := http.ReadResponse(in, nil); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, smuggled)
	if rest, err := io.ReadAll(in); len(rest) > 0 {
		t.Errorf("a second answer came: %q %v", rest, err)
	}
	if first := <-served; first != "/first" || len(served) > 0 {
		t.Errorf("served %q, then %d more", first, len(served))
	}
}

func TestC13ABodyThatOnlyCreepsIsCutOff(t *testing.T) {
	errs := make(chan error, 1)
	l := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		errs <- err
	}), Limits{BodyIdle: time.Minute, Body: 50 * time.Millisecond})
	c := dial(t, l.Addr(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
	creep := time.NewTicker(time.Millisecond)
	defer creep.Stop()
	for {
		select {
		case <-creep.C:
			_, _ = io.WriteString(c, "a")
		case err := <-errs:
			if !errors.Is(err, ErrSlowBody) || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read error %v", err)
			}
			return
		}
	}
}

func TestABodyNobodyReadsDoesNotHoldTheServer(t *testing.T) {
	l := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }), Limits{BodyIdle: 20 * time.Millisecond})
	c := dial(t, l.Addr(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
	if text, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 403") {
		t.Errorf("%q %v", text, err)
	}
}

func TestTheBodysDeadlineEndsWithTheBody(t *testing.T) {
	l := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		select {
		case <-r.Context().Done():
			w.WriteHeader(http.StatusInternalServerError)
		case <-time.After(60 * time.Millisecond): // longer than BodyIdle
			w.WriteHeader(http.StatusOK)
		}
	}), Limits{BodyIdle: 20 * time.Millisecond})
	c := dial(t, l.Addr(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
	if a, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || a.StatusCode != http.StatusOK {
		t.Errorf("answer %v %v", a, err)
	}
}

func TestUntilLetsRequestsEnd(t *testing.T) {
	arrived, finish := make(chan struct{}), make(chan struct{})
	l, err := Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	s := New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-finish
		fmt.Fprint(w, "done")
	}), Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Until(ctx, Door{"api", l, s, time.Minute}) }()
	c := dial(t, l.Addr(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-arrived
	cancel()
	select {
	case err := <-ended:
		t.Fatalf("ended before the request: %v", err)
	default:
	}
	close(finish)
	if a, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || a.StatusCode != http.StatusOK {
		t.Errorf("answer %v %v", a, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Until: %v", err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the door is still open")
	}
}

func TestUntilCutsStreamsOff(t *testing.T) {
	l, err := Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan struct{})
	s := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(left)
	}), Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Until(ctx, Door{"window", l, s, 0}) }()
	c := dial(t, l.Addr(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Until: %v", err)
	}
	<-left
}

func TestADoorThatDiesEndsTheOthers(t *testing.T) {
	one, err := Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	_ = one.Close()
	err = Until(t.Context(), Door{"api", one, New(http.NotFoundHandler(), Limits{}), time.Second}, Door{"window", two, New(http.NotFoundHandler(), Limits{}), time.Second})
	if !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), "serving api") {
		t.Errorf("err = %v", err)
	}
	if _, err := net.Dial("tcp", two.Addr().String()); err == nil {
		t.Error("the other door is still open")
	}
}

func TestUntilWithNothingToDo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l, err := Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	if err := Until(ctx, Door{"api", l, New(http.NotFoundHandler(), Limits{}), time.Second}); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("the listener is open")
	}
}

func TestSocketsAnswerToLocalNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "door.sock")
	l, err := Listen("unix://"+path, false)
	if err != nil {
		t.Fatal(err)
	}
	s := New(LocalOnly(Guard{Addr: l.Addr()}, http.NotFoundHandler()), Limits{})
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	for host, want := range map[string]int{"localhost": 404, "localhost:7070": 404, "127.0.0.1": 404, "evil.example": 403} {
		c := dial(t, l.Addr(), "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		if a, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || a.StatusCode != want {
			t.Errorf("%s: %v %v", host, a, err)
		}
	}
}
