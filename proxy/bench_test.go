package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strconv"
	"testing"
	"time"
)

// canned200 is an upstream that allocates nothing: what is counted is the door's own.
func canned200(tb testing.TB, size int) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Rate-Limit-Requests-Left: 149\r\n" +
		"X-Rate-Limit-Requests-Quota: 150\r\nX-Rate-Limit-Time-Window-Ms: 30000\r\nX-Rate-Limit-Time-Reset-Ms: 26377\r\nContent-Length: " +
		strconv.Itoa(size) + "\r\n\r\n" + string(bytes.Repeat([]byte("a"), size)))
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go func() {
				defer c.Close()
				in := make([]byte, 8<<10)
				for n := 0; ; {
					got, err := c.Read(in[n:])
					if err != nil {
						return
					}
					if n += got; bytes.HasSuffix(in[:n], []byte("\r\n\r\n")) {
						c.Write(answer)
						n = 0
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// talker is a client that allocates nothing.
type talker struct {
	conn    net.Conn
	request []byte
	in      []byte
}

func newTalker(tb testing.TB, door string) *talker {
	c, err := net.Dial("tcp", door)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return &talker{c, []byte("GET /stores/aaa111/v3/catalog/products?include=images HTTP/1.1\r\nHost: " + door +
		"\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"), make([]byte, 64<<10)}
}

// ask makes one request and reads an answer whose body is size bytes.
func (t *talker) ask(tb testing.TB, size int) {
	if _, err := t.conn.Write(t.request); err != nil {
		tb.Fatal(err)
	}
	for n := 0; ; {
		got, err := t.conn.Read(t.in[n:])
		if err != nil {
			tb.Fatal(err)
		}
		n += got
		if head := bytes.Index(t.in[:n], []byte("\r\n\r\n")); head >= 0 && n >= head+4+size {
			if !bytes.HasPrefix(t.in[:n], []byte("HTTP/1.1 200 ")) {
				tb.Fatalf("answer %q", t.in[:n])
			}
			return
		}
	}
}

// benchDoor starts the reverse door in front of an address.
func benchDoor(tb testing.TB, scheme, address string, roots *tls.Config) *httptest.Server {
	p := newUpstreamless()
	o := p.o
	token := []string{testToken}
	o.API = p.o.API.JoinPath()
	o.API.Scheme, o.API.Host, o.API.Path = scheme, address, ""
	o.Login = o.API
	o.Authorize = func(r *http.Request) error { r.Header["X-Auth-Token"] = token; return nil }
	o.ClientHeader, o.ClientID = true, "the-client"
	if roots != nil {
		o.RootCAs = roots.RootCAs
	}
	p, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	s := httptest.NewServer(p.Reverse())
	tb.Cleanup(s.Close)
	return s
}

// bareDoor is the rival: httputil.ReverseProxy with the same transport and nothing else.
func bareDoor(tb testing.TB, scheme, address string, roots *tls.Config) *httptest.Server {
	tr := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true, ForceAttemptHTTP2: true, TLSClientConfig: roots}
	s := httptest.NewServer(&httputil.ReverseProxy{
		Transport: tr,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = scheme, address, address
			for _, name := range []string{"X-Auth-Token", "X-Auth-Client", "Accept", "Content-Type"} {
				r.Out.Header.Set(name, "application/json")
			}
		},
	})
	tb.Cleanup(s.Close)
	return s
}

func TestACallCostsAtMost100Allocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const size, runs = 200, 500
	door := newTalker(t, benchDoor(t, "http", canned200(t, size), nil).Listener.Addr().String())
	bare := newTalker(t, bareDoor(t, "http", canned200(t, size), nil).Listener.Addr().String())
	ours := testing.AllocsPerRun(runs, func() { door.ask(t, size) })
	theirs := testing.AllocsPerRun(runs, func() { bare.ask(t, size) })
	t.Logf("allocations a request: %.0f, bare ReverseProxy %.0f", ours, theirs)
	if ours > 100 {
		t.Errorf("%.0f allocations a request, at most 100 are allowed", ours)
	}
}

func BenchmarkDoor(b *testing.B) {
	for _, size := range []int{200, 20 << 10} {
		answer := bytes.Repeat([]byte("a"), size)
		up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(size))
			w.Write(answer)
		}))
		up.EnableHTTP2 = true
		up.StartTLS()
		defer up.Close()
		roots := up.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		address := up.Listener.Addr().String()
		run := func(name, target string) {
			b.Run(name+"/"+strconv.Itoa(size), func(b *testing.B) {
				c := newTalker(b, target)
				c.ask(b, size)
				b.ReportAllocs()
				for b.Loop() {
					c.ask(b, size)
				}
			})
		}
		run("door", benchDoor(b, "https", address, roots).Listener.Addr().String())
		run("bare", bareDoor(b, "https", address, roots).Listener.Addr().String())
		b.Run("direct/"+strconv.Itoa(size), func(b *testing.B) {
			c := up.Client()
			b.ReportAllocs()
			for b.Loop() {
				res, err := c.Get(up.URL + "/stores/aaa111/v3/x")
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
}

func BenchmarkLeaf(b *testing.B) {
	ca, _ := newCA(b)
	store := &leaves{ca: ca}
	for b.Loop() {
		if _, err := store.sign(apiHost, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFirstCall(b *testing.B) {
	up := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 200)) }))
	defer up.Close()
	roots := up.Client().Transport.(*http.Transport).TLSClientConfig
	for _, warm := range []bool{false, true} {
		b.Run("warm="+strconv.FormatBool(warm), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				o := newUpstreamless().o
				o.API = o.API.JoinPath()
				o.API.Host, o.API.Path = up.Listener.Addr().String(), ""
				o.Authorize = func(r *http.Request) error { r.Header.Set("X-Auth-Token", testToken); return nil }
				o.RootCAs = roots.RootCAs
				p, err := New(o)
				if err != nil {
					b.Fatal(err)
				}
				if warm {
					if err := p.Warm(context.Background()); err != nil {
						b.Fatal(err)
					}
				}
				req, _ := http.NewRequest(http.MethodGet, up.URL+"/stores/aaa111/v3/x", nil)
				b.StartTimer()
				res, err := p.Transport().RoundTrip(req)
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
				b.StopTimer()
				p.transport.CloseIdleConnections()
				b.StartTimer()
			}
		})
	}
}
