package proxy

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"strings"
	"testing"
	"time"
)

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// drain reads everything through a hash.
func drain(r io.Reader) (n int64, sum string, err error) {
	h := sha256.New()
	n, err = io.Copy(struct{ hash.Hash }{h}, r)
	return n, hex.EncodeToString(h.Sum(nil)), err
}

// peak watches the heap while work is done, and returns by how much it grew at most.
func peak(work func()) (growth uint64) {
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		var most uint64
		for {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse)
			select {
			case <-tick.C:
			case <-stop:
				done <- most
				return
			}
		}
	}()
	work()
	close(stop)
	most := <-done
	if most < before.HeapInuse {
		return 0
	}
	return most - before.HeapInuse
}

const large = 100 << 20

func TestP65A100MiBUploadStreamsWithFlatMemory(t *testing.T) {
	type result struct {
		n   int64
		sum string
		err error
	}
	results := make(chan result, 1)
	u := &upstream{seen: make(chan received, 1)}
	u.serve(t, true, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, sum, err := drain(r.Body)
		results <- result{n, sum, err}
	}))
	s := openDoor(t, u, nil)
	var res *http.Response
	growth := peak(func() {
		res, _ = do(t, "POST", s.URL+"/v3/x", nil, io.LimitReader(zeros{}, large))
	})
	got := <-results
	_, want, _ := drain(io.LimitReader(zeros{}, large))
	if res.StatusCode != http.StatusOK || got.n != large || got.sum != want || got.err != nil {
		t.Errorf("upstream received %d bytes (%v), sum %s, want %s", got.n, got.err, got.sum, want)
	}
	if growth > 16<<20 {
		t.Errorf("memory grew by %d MiB", growth>>20)
	}
}

func TestA100MiBDownloadStreamsWithFlatMemory(t *testing.T) {
	u := &upstream{seen: make(chan received, 1)}
	u.serve(t, true, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(large))
		io.Copy(w, io.LimitReader(zeros{}, large))
	}))
	s := openDoor(t, u, nil)
	var n int64
	growth := peak(func() {
		res, err := http.Get(s.URL + "/v3/x")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		n, _, err = drain(res.Body)
		if err != nil || res.ContentLength != large {
			t.Errorf("length %d, %v", res.ContentLength, err)
		}
	})
	if n != large {
		t.Errorf("%d bytes came", n)
	}
	if growth > 16<<20 {
		t.Errorf("memory grew by %d MiB", growth>>20)
	}
}

func TestP66AnEncodedBodyPassesAsItIs(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.Copy(z, io.LimitReader(zeros{}, 64<<20))
	z.Close()
	u := newUpstream(t, false, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", fmt.Sprint(packed.Len()))
		w.WriteHeader(http.StatusNotFound) // errors are looked into for an explanation
		w.Write(packed.Bytes())
	})
	var head int
	s := openDoor(t, u, func(o *Options) {
		o.Explain = func(_ *http.Request, _ *http.Response, b []byte) string { head = len(b); return "a\nhint" }
	})
	var res *http.Response
	var body string
	if growth := peak(func() { res, body = do(t, "GET", s.URL+"/v3/x", http.Header{"Accept-Encoding": {"gzip"}}, nil) }); growth > 16<<20 {
		t.Errorf("memory grew by %d MiB", growth>>20)
	}
	if body != packed.String() || res.ContentLength != int64(packed.Len()) || res.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("the client got %d bytes, want %d", len(body), packed.Len())
	}
	if head != explained || res.Header.Get("Bcdev-Hint") != "a hint" {
		t.Errorf("Explain saw %d bytes; hint %q", head, res.Header.Get("Bcdev-Hint"))
	}
}

func TestP71EachLineOfAStreamArrivesWhenItIsSent(t *testing.T) {
	for _, kind := range []string{"application/x-ndjson", "text/event-stream", "application/json"} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, " over TLS ", secure), func(t *testing.T) {
				next := make(chan string)
				u := newUpstream(t, secure, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", kind)
					http.NewResponseController(w).Flush()
					for line := range next {
						io.WriteString(w, line+"\n")
						http.NewResponseController(w).Flush()
					}
				})
				s := openDoor(t, u, nil)
				early := kind != "application/json"
				if !early { // whose header may wait for its first bytes
					go func() { next <- "first" }()
				}
				res, err := http.Get(s.URL + "/v3/x")
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				r := bufio.NewReader(res.Body)
				if !early {
					r.ReadString('\n')
				}
				for i := range 3 { // each line is only sent when the one before has arrived
					sent := time.Now()
					next <- fmt.Sprint("line ", i)
					line, err := r.ReadString('\n')
					if err != nil || line != fmt.Sprintf("line %d\n", i) {
						t.Fatalf("got %q, %v", line, err)
					}
					if took := time.Since(sent); took > time.Second {
						t.Errorf("line %d took %v", i, took)
					}
				}
				close(next)
				if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
					t.Errorf("the end: %q, %v", rest, err)
				}
			})
		}
	}
}

func TestRequestBodiesStream(t *testing.T) {
	lines := make(chan string)
	u := &upstream{seen: make(chan received, 1)}
	u.serve(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for s := bufio.NewScanner(r.Body); s.Scan(); {
			lines <- s.Text()
		}
	}))
	s := openDoor(t, u, nil)
	body, feed := io.Pipe()
	go http.Post(s.URL+"/v3/x", "text/plain", body)
	for i := range 3 {
		fmt.Fprintln(feed, "line", i)
		if got := <-lines; got != fmt.Sprint("line ", i) {
			t.Errorf("upstream read %q", got)
		}
	}
	feed.Close()
}

func TestHalfAnAnswerDoesNotLookWhole(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, kind := range []string{"application/json", "text/event-stream"} {
			t.Run(fmt.Sprint(kind, secure), func(t *testing.T) {
				u := newUpstream(t, secure, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", kind)
					io.WriteString(w, "the first half")
					http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				})
				s := openDoor(t, u, nil)
				res, err := http.Get(s.URL + "/v3/x")
				if err != nil {
					return // the connection broke before the header: as good
				}
				defer res.Body.Close()
				if b, err := io.ReadAll(res.Body); err == nil {
					t.Errorf("the client took %q for a whole answer", b)
				}
			})
		}
	}
}

func TestP70AClientThatLeavesTakesItsRequestWithIt(t *testing.T) {
	cancelled := make(chan struct{}, 100)
	u := newUpstream(t, true, func(w http.ResponseWriter, r *http.Request) {
		defer func() { cancelled <- struct{}{} }()
		io.Copy(w, io.LimitReader(zeros{}, 1<<30))
	})
	s := openDoor(t, u, nil)
	base := 0
	for i := range 40 {
		ctx, cancel := context.WithCancel(context.Background())
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/v3/x", nil)
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		io.CopyN(io.Discard, res.Body, 1<<20)
		cancel()
		res.Body.Close()
		<-cancelled
		if i == 4 {
			base = runtime.NumGoroutine()
		}
	}
	eventually(t, "the goroutines are gone", func() bool { return runtime.NumGoroutine() <= base+5 })
}

func TestP64AnAnnouncedBodyThatNeverComes(t *testing.T) {
	u := newUpstream(t, false, nil)
	s := openDoor(t, u, func(o *Options) { o.BodyTimeout = 50 * time.Millisecond })
	for _, framing := range []string{"Content-Length: 5", "Transfer-Encoding: chunked"} {
		conn := dialRaw(t, s)
		fmt.Fprintf(conn, "POST /v3/x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n%s\r\n\r\n", framing)
		answers, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(answers, []byte("HTTP/1.1 408 ")) || !bytes.Contains(answers, []byte("request_timeout")) {
			t.Errorf("%s: answers\n%s", framing, answers)
		}
	}
	u.none(t)
}

func TestABodyThatStopsInTheMiddle(t *testing.T) {
	u := newUpstream(t, false, nil)
	s := openDoor(t, u, func(o *Options) { o.BodyTimeout = 50 * time.Millisecond })
	conn := dialRaw(t, s)
	fmt.Fprint(conn, "POST /v3/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	refused(t, res, string(body), 408, "request_timeout")
	for _, got := range u.all() {
		if got.Broken == nil {
			t.Errorf("upstream took half a body for a whole one: %+v", got)
		}
	}
}

func TestExpect100ContinueIsAnsweredHere(t *testing.T) {
	u := newUpstream(t, false, nil)
	s := openDoor(t, u, nil)
	conn := dialRaw(t, s)
	fmt.Fprint(conn, "POST /v3/x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	r := bufio.NewReader(conn)
	if line, _ := r.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q", line)
	}
	r.ReadString('\n')
	fmt.Fprint(conn, "hello")
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
	if got := u.only(t); got.Body != "hello" || got.Header.Get("Expect") != "" || got.Length != 5 {
		t.Errorf("upstream received %+v", got)
	}
}

func TestSlowAnswersDoNotInheritTheBodysDeadline(t *testing.T) {
	answer := make(chan struct{})
	u := newUpstream(t, false, func(w http.ResponseWriter, r *http.Request) { <-answer })
	s := openDoor(t, u, func(o *Options) { o.BodyTimeout = 20 * time.Millisecond })
	got := make(chan int, 1)
	go func() {
		res, _ := do(t, "POST", s.URL+"/v3/x", nil, strings.NewReader("hello"))
		got <- res.StatusCode
	}()
	<-u.seen
	select {
	case status := <-got:
		t.Fatalf("answered %d before upstream did", status)
	case <-time.After(100 * time.Millisecond):
	}
	close(answer)
	if status := <-got; status != 200 {
		t.Errorf("answer %d", status)
	}
}

func TestEarlyHintsPass(t *testing.T) {
	u := newUpstream(t, false, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a>; rel=preload")
		w.Header().Set("Set-Cookie", "a=b")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		io.WriteString(w, "ok")
	})
	s := openDoor(t, u, nil)
	var codes []int
	var link, cookie string
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			codes, link, cookie = append(codes, code), h.Get("Link"), h.Get("Set-Cookie")
			return nil
		},
	})
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/v3/x", nil)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if len(codes) != 1 || codes[0] != 103 || link == "" || cookie != "" || res.StatusCode != http.StatusOK || res.Header.Get("Link") != "" {
		t.Errorf("early answers %v, Link %q, cookie %q; then %d %v", codes, link, cookie, res.StatusCode, res.Header)
	}
}

func TestTrailersPass(t *testing.T) {
	for _, announced := range []bool{true, false} {
		for _, secure := range []bool{true, false} {
			u := newUpstream(t, secure, func(w http.ResponseWriter, r *http.Request) {
				if announced {
					w.Header().Set("Trailer", "X-Sum, Set-Cookie")
				}
				io.WriteString(w, "body")
				http.NewResponseController(w).Flush()
				prefix := map[bool]string{false: http.TrailerPrefix}[announced]
				w.Header().Set(prefix+"X-Sum", "abc")
				w.Header().Set(prefix+"Set-Cookie", "a=b")
			})
			s := openDoor(t, u, nil)
			res, err := http.Get(s.URL + "/v3/x")
			if err != nil {
				t.Fatal(err)
			}
			io.ReadAll(res.Body)
			res.Body.Close()
			if res.Trailer.Get("X-Sum") != "abc" || res.Trailer.Get("Set-Cookie") != "" {
				t.Errorf("announced %v, TLS %v: trailers %v", announced, secure, res.Trailer)
			}
		}
	}
}

func TestAnswersWithoutABody(t *testing.T) {
	for _, secure := range []bool{false, true} {
		u := newUpstream(t, secure, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodHead:
				w.Header().Set("Content-Length", "1234")
			case strings.HasSuffix(r.URL.Path, "204"):
				w.WriteHeader(http.StatusNoContent)
			default:
				w.WriteHeader(http.StatusNotModified)
			}
		})
		s := openDoor(t, u, nil)
		conn := dialRaw(t, s)
		r := bufio.NewReader(conn)
		for _, request := range []string{"GET /v3/204", "HEAD /v3/x", "GET /v3/304", "GET /v3/204"} {
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\n\r\n", request)
			method, _, _ := strings.Cut(request, " ")
			res, err := http.ReadResponse(r, &http.Request{Method: method})
			if err != nil {
				t.Fatalf("M13 %s: %v", request, err)
			}
			if b, err := io.ReadAll(res.Body); len(b) > 0 || err != nil || method == "HEAD" && res.ContentLength != 1234 {
				t.Errorf("M13 %s: %q, length %d, %v", request, b, res.ContentLength, err)
			}
		}
	}
}

func TestACancelledCallIsNotAnswered(t *testing.T) {
	hold := make(chan struct{})
	u := newUpstream(t, false, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-hold:
		}
	})
	defer close(hold)
	errs := make(chan error, 1)
	s := openDoor(t, u, func(o *Options) {
		o.Record = func(next http.RoundTripper) http.RoundTripper {
			return roundTripFunc(func(r *http.Request) (*http.Response, error) {
				res, err := next.RoundTrip(r)
				errs <- err
				return res, err
			})
		}
	})
	conn := dialRaw(t, s)
	fmt.Fprint(conn, "GET /v3/x HTTP/1.1\r\nHost: x\r\n\r\n")
	<-u.seen
	conn.Close()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("the recorder saw %v", err)
	}
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestARefusedRequestWhoseBodyNeverComesIsAnswered(t *testing.T) {
	u := newUpstream(t, false, nil)
	s := openDoor(t, u, func(o *Options) { o.BodyTimeout = 50 * time.Millisecond })
	res, body := raw(t, s, "POST /admin HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
	refused(t, res, body, 404, "unknown_route")
	u.none(t)
}
