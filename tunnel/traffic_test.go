package tunnel_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bcdev/internal/edge"
)

func TestARequestArrivesAsItWasSent(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	seen := make(chan *http.Request, 1)
	serve(t, tun, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.WriteHeader(http.StatusTeapot)
	}))
	query := "code=d3mb7&context=stores%2Fnffse6w1bi&scope=store_v2_products+users&;odd&x=%zz"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tun.URL()+"/a%2Fb//c?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["X-Forwarded-For"] = []string{"1.1.1.1", "2.2.2.2"}
	req.Header.Set("X-Forwarded-Proto", "http")
	req.Header.Set("X-Forwarded-Host", "evil.example")
	resp, err := e.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusTeapot || len(resp.Header["Set-Cookie"]) != 2 {
		t.Errorf("the answer is %d %v", resp.StatusCode, resp.Header)
	}
	if resp.ProtoMajor != 2 {
		t.Errorf("a visitor speaks %s, want HTTP/2", resp.Proto)
	}
	r := <-seen
	if want := "/a%2Fb//c?" + query; r.RequestURI != want {
		t.Errorf("the target is %s, want %s", r.RequestURI, want)
	}
	u, _ := url.Parse(tun.URL())
	for name, want := range map[string]string{
		"X-Forwarded-For":   "1.1.1.1, 2.2.2.2, 127.0.0.1",
		"X-Forwarded-Proto": "http, https",
		"X-Forwarded-Host":  "evil.example, " + u.Host,
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if r.Host != u.Host {
		t.Errorf("Host is %q", r.Host)
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err != nil || host != "127.0.0.1" {
		t.Errorf("RemoteAddr is %q", r.RemoteAddr)
	}
}

func TestAnEventStreamIsNotHeldBack(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	more := make(chan struct{})
	serve(t, tun, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", n)
			w.(http.Flusher).Flush()
			<-more
		}
	}))
	resp, err := e.Client().Get(tun.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for n := range 3 {
		within(t, "an event", func() {
			if !lines.Scan() || lines.Text() != fmt.Sprintf("data: %d", n) {
				t.Errorf("event %d is %q", n, lines.Text())
			}
			lines.Scan()
		})
		more <- struct{}{}
	}
}

func TestLargeBodiesPassUnchanged(t *testing.T) {
	const size = 8 << 20
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	kept := make([]byte, 0, size)
	serve(t, tun, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := bytes.NewBuffer(kept[:0])
		io.Copy(b, r.Body)
		w.Header().Set("Trailer", "Sum")
		w.Write(b.Bytes())
		w.Header().Set("Sum", fmt.Sprintf("%x", sha256.Sum256(b.Bytes())))
	}))
	for _, proto := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(proto, func(t *testing.T) {
			c := e.Client()
			if proto == "HTTP/1.1" {
				own := c.Transport.(*http.Transport).Clone()
				own.ForceAttemptHTTP2 = false
				own.TLSClientConfig.NextProtos = nil
				own.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
				defer own.CloseIdleConnections()
				c.Transport = own
			}
			sent, got := sha256.New(), sha256.New()
			body := io.TeeReader(io.LimitReader(rand.Reader, size), sent)
			resp, err := c.Post(tun.URL(), "application/octet-stream", body)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			n, err := io.Copy(got, resp.Body)
			if err != nil || n != size {
				t.Fatalf("%d bytes came back, %v", n, err)
			}
			sum := fmt.Sprintf("%x", sent.Sum(nil))
			if fmt.Sprintf("%x", got.Sum(nil)) != sum || resp.Trailer.Get("Sum") != sum {
				t.Error("the bytes changed on the way")
			}
		})
	}
}

func TestAVisitorWhoLeavesFreesTheHandlerThatWritesToHim(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	freed := make(chan error, 1)
	serve(t, tun, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chunk := make([]byte, 64<<10)
		for {
			if _, err := w.Write(chunk); err != nil {
				freed <- err
				return
			}
		}
	}))
	ctx, leave := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, tun.URL(), nil)
	resp, err := e.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.CopyN(io.Discard, resp.Body, 1<<20) // then the windows fill
	leave()
	within(t, "the handler's end", func() { <-freed })
}

func TestAVisitorWhoLeavesEndsTheRequestsContext(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	inside, freed := make(chan struct{}), make(chan struct{})
	serve(t, tun, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(inside)
		<-r.Context().Done()
		close(freed)
	}))
	ctx, leave := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, tun.URL(), nil)
	go func() { <-inside; leave() }()
	if _, err := e.Client().Do(req); err == nil {
		t.Error("an answer came")
	}
	within(t, "the handler's end", func() { <-freed })
}

func TestAnUploadThatNobodyReadsIsNotWaitedFor(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	serve(t, tun, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	}))
	body := io.LimitReader(rand.Reader, 16<<20)
	within(t, "the answer", func() {
		resp, err := e.Client().Post(tun.URL(), "application/octet-stream", body)
		if err != nil {
			t.Errorf("posting: %v", err)
			return
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("got %d", resp.StatusCode)
		}
	})
	if got := get(t, e.Client(), tun.URL()); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("then got %d", got.status)
	}
}

func TestABurstOfVisitorsLosesNobody(t *testing.T) {
	const visitors = 400
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	all := make(chan struct{})
	var inside atomic.Int32
	serve(t, tun, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if inside.Add(1) == visitors { // so every one has a connection of his own
			close(all)
		}
		select {
		case <-all:
		case <-r.Context().Done():
		}
	}))
	var burst sync.WaitGroup
	var failed atomic.Int32
	for range visitors {
		burst.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, tun.URL(), nil)
			resp, err := e.Client().Do(req)
			if err != nil || resp.StatusCode != http.StatusOK {
				failed.Add(1)
			}
			if err == nil {
				resp.Body.Close()
			}
		})
	}
	burst.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of %d visitors were lost", n, visitors)
	}
}

func TestAWebSocketPasses(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	serve(t, tun, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			t.Errorf("Upgrade is %q", r.Header.Get("Upgrade"))
		}
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		line, _ := rw.ReadString('\n')
		io.WriteString(c, strings.ToUpper(line))
	}))
	u, _ := url.Parse(tun.URL())
	raw, err := e.DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Client(raw, &tls.Config{RootCAs: e.CertPool(), ServerName: u.Hostname(), NextProtos: []string{"http/1.1"}})
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", u.Host)
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %v, %v", resp, err)
	}
	io.WriteString(c, "both ways\n")
	if line, err := r.ReadString('\n'); err != nil || line != "BOTH WAYS\n" {
		t.Errorf("got %q, %v", line, err)
	}
}

// A write deadline that expires inside the library is a data race and can end the whole link.
func TestAWriteTimeoutOfTheServerDoesNoHarm(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	s := &http.Server{WriteTimeout: time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 64<<10)
		for range 32 {
			w.Write(chunk)
		}
	})}
	go s.Serve(tun)
	t.Cleanup(func() { tun.Drop(); s.Close() })
	for range 20 {
		if got := get(t, e.Client(), tun.URL()); len(got.body) != 32*64<<10 {
			t.Fatalf("%d bytes came", len(got.body))
		}
	}
	if st, _ := tun.State(); st != "up" || len(e.Auths()) != 1 {
		t.Errorf("the link is %q after %d sessions", st, len(e.Auths()))
	}
}

func TestClosingTheServerDoesNotWaitForAStuckWriter(t *testing.T) {
	e := startEdge(t, edge.Options{})
	tun := open(t, optionsFor(e))
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 64<<10)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(tun) }()
	resp, err := e.Client().Get(tun.URL()) // and reads nothing
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.CopyN(io.Discard, resp.Body, 1<<20)
	took(t, "the server's Close", promptly, func() { s.Close() })
	took(t, "Close", bound, tun.Drop)
	within(t, "Serve's end", func() { <-served })
}
