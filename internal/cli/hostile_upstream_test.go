package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bcdev/capture"
)

// byPath answers by the last segment of the path.
func byPath(t *testing.T, answers map[string]http.HandlerFunc) *recordingAPI {
	return newRecordingAPI(t, func(w http.ResponseWriter, r *http.Request) {
		answers[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]](w, r)
	})
}

func (w *world) get(t *testing.T, path string) heard {
	t.Helper()
	return w.raw(t, w.door, "GET /stores/aaa111/v3/"+path+" HTTP/1.1\r\nHost: {door}\r\n\r\n")
}

func TestUpstreamsAnswersComeBackWithoutTheirPoison(t *testing.T) {
	t.Parallel()
	var strangers atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers.Add(1) }))
	defer evil.Close()
	far := byPath(t, map[string]http.HandlerFunc{
		"headers": func(w http.ResponseWriter, _ *http.Request) {
			for name, value := range map[string]string{
				"Set-Cookie": "session=cookie0of0upstream", "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
				"Alt-Svc": `h3=":443"`, "Clear-Site-Data": `"*"`, "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true",
				"X-Auth-Token": tokenA, "Bcdev-Error": "forged", "Bcdev-Hint": "forged", "X-Stays": "yes", "X-Rate-Limit-Requests-Left": "7",
			} {
				w.Header().Set(name, value)
			}
		},
		"moved": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", evil.URL+"/x")
			w.WriteHeader(http.StatusFound)
		},
		"echo": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"you":"sent %s"}`, r.Header.Get("X-Auth-Token"))
		},
		"missing": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			io.WriteString(w, `{"status":422,"title":"no"}`)
		},
		"forbidden": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"status":403,"title":"You don't have a required scope to access the endpoint"}`)
		},
		"products": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") },
		"error": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, "boom")
		},
	})
	w := newWorld(t, far, nil)
	w.secrets = append(w.secrets, "cookie0of0upstream")
	t.Run("P81 P80 headers that would do harm here", func(t *testing.T) {
		a := w.get(t, "headers")
		for _, name := range []string{"Set-Cookie", "Strict-Transport-Security", "Alt-Svc", "Clear-Site-Data",
			"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "X-Auth-Token", "Bcdev-Error", "Bcdev-Hint"} {
			if got := a.Header.Values(name); len(got) > 0 {
				t.Errorf("%s came through: %q", name, got)
			}
		}
		if a.StatusCode != 200 || a.Header.Get("X-Stays") != "yes" || a.Header.Get("X-Rate-Limit-Requests-Left") != "7" {
			t.Errorf("%d %v", a.StatusCode, a.Header)
		}
	})
	t.Run("P78 a redirect to a stranger is passed on and not followed", func(t *testing.T) {
		a := w.get(t, "moved")
		if a.StatusCode != 302 || a.Header.Get("Location") != evil.URL+"/x" || strangers.Load() != 0 {
			t.Errorf("%d %q, the stranger was asked %d times", a.StatusCode, a.Header.Get("Location"), strangers.Load())
		}
	})
	t.Run("P82 the token in a body", func(t *testing.T) {
		if a := w.get(t, "echo"); a.body != `{"you":"sent `+tokenA+`"}` {
			t.Errorf("the client got %q", a.body)
		}
	})
	t.Run("errors of upstream's pass unchanged", func(t *testing.T) {
		if a := w.get(t, "missing"); a.StatusCode != 422 || a.body != `{"status":422,"title":"no"}` || a.Header.Get("Bcdev-Error") != "" {
			t.Errorf("%d %q %v", a.StatusCode, a.body, a.Header)
		}
		if a := w.get(t, "error"); a.StatusCode != 500 || a.body != "boom" || a.Header.Get("Bcdev-Error") != "" {
			t.Errorf("%d %q %v", a.StatusCode, a.body, a.Header)
		}
	})
	t.Run("a hint about an error of upstream's", func(t *testing.T) {
		a := w.get(t, "forbidden")
		if a.StatusCode != 403 || a.Header.Get("Bcdev-Error") != "" || a.Header.Get("Bcdev-Hint") == "" {
			t.Errorf("%d %v", a.StatusCode, a.Header)
		}
		for {
			if e := w.next("exchange"); e["status"] == 403.0 {
				if e.text("hint") == "" || e.text("hint") != a.Header.Get("Bcdev-Hint") {
					t.Errorf("the event says %q, the header %q", e.text("hint"), a.Header.Get("Bcdev-Hint"))
				}
				return
			}
		}
	})
	t.Run("a body that is waited for", func(t *testing.T) {
		c, err := net.Dial("tcp", w.door)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		io.WriteString(c, w.fill(postTo+"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"))
		in := bufio.NewReader(c)
		if line, err := in.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
			t.Fatalf("%q %v", line, err)
		}
		in.ReadString('\n')
		before := far.hits()
		io.WriteString(c, "hello")
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != 200 || far.hits() != before+1 || far.since(before)[0].body != "hello" || far.since(before)[0].header.Get("Expect") != "" {
			t.Errorf("%v %v; upstream received %+v", res, err, far.since(before))
		}
	})
	w.finish()
	if !strings.Contains(w.said(), "not followed") {
		t.Error("nothing was said about the redirect")
	}
	echoed := slices.IndexFunc(w.exchanges(), func(e capture.Exchange) bool { return strings.HasSuffix(e.Target, "/echo") })
	if echoed < 0 || !strings.Contains(string(w.exchanges()[echoed].Response.Body), "sent ••••") {
		t.Errorf("the journal has no mark in the token's place")
	}
}

// TestP85ControlBytesInAnAnswer has an upstream that writes its bytes by hand.
func TestP85ControlBytesInAnAnswer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	answers := make(chan string, 1)
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					io.WriteString(c, <-answers)
				}
			}()
		}
	}()
	human := startHuman(t, hostileConfig("http://"+l.Addr().String()), "-v")
	for _, text := range []string{
		"HTTP/1.1 200 \x1b]0;pwned\x07\r\nX-A: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-A: \x1b]0;pwned\x07\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-A: a\rSet-Cookie: b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 403 OK\r\nContent-Type: application/json\r\nContent-Length: 41\r\nConnection: close\r\n\r\n{\"title\":\"\x1b[31mred \\u001b]0;pwned\\u0007\"}",
		"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\x1b[31m\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"\x1b]0;pwned\x07 nonsense\r\n\r\n",
	} {
		answers <- text
		c, err := net.Dial("tcp", human.door)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET /v3/x HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", human.door)
		c.SetDeadline(time.Now().Add(patience))
		got, _ := io.ReadAll(c)
		c.Close()
		head, _, _ := strings.Cut(string(got), "\r\n\r\n")
		if strings.ContainsAny(strings.ReplaceAll(head, "\r\n", ""), "\x1b\x07\r") || !strings.HasPrefix(head, "HTTP/1.1 ") {
			t.Errorf("%q arrived as %q", text, head)
		}
	}
	human.finish(tokenA, tokenB)
}

func TestP86ACertificateThatIsNotTrusted(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	tls := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	tls.Config.ErrorLog = log.New(io.Discard, "", 0)
	tls.StartTLS()
	defer tls.Close()
	far := newRecordingAPI(t, nil)
	w := startWith(t, far, hostileConfig(tls.URL), nil)
	checkRefusal(t, w.get(t, "x"), 502, "upstream_tls")
	if hits.Load() != 0 {
		t.Error("upstream received a request")
	}
	w.finish()
}

func TestAnUpstreamThatIsNotThere(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	w := startWith(t, newRecordingAPI(t, nil), hostileConfig(gone.URL), nil)
	checkRefusal(t, w.get(t, "x"), 502, "upstream_unreachable")
	if e := w.next("exchange"); e["status"] != 502.0 {
		t.Errorf("it was told as %v", e)
	}
	w.finish()
}

// TestP71AStreamIsSeenWhileItComes waits for no clock: upstream goes on only when the client has
// the first line.
func TestP71AStreamIsSeenWhileItComes(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"application/x-ndjson", "text/event-stream", "application/json"} {
		t.Run(kind, func(t *testing.T) {
			seen := make(chan struct{})
			far := newRecordingAPI(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				for i := range 3 {
					fmt.Fprintf(w, "line %d\n", i)
					http.NewResponseController(w).Flush()
					<-seen
				}
			})
			w := newWorld(t, far, nil)
			c, err := net.Dial("tcp", w.door)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(5 * time.Second))
			io.WriteString(c, w.fill(toStore+"\r\n"))
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(res.Body)
			for i := range 3 {
				if line, err := lines.ReadString('\n'); line != fmt.Sprintf("line %d\n", i) {
					t.Fatalf("%q %v", line, err)
				}
				seen <- struct{}{}
			}
			if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
				t.Errorf("%q %v", rest, err)
			}
			w.finish()
		})
	}
}

func TestRetriesOf429(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	limited := func(times int64, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) > times {
				io.WriteString(w, "at last")
				return
			}
			for i := 0; i+1 < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(http.StatusTooManyRequests)
			io.WriteString(w, "slow down")
		}
	}
	reset := []string{"X-Rate-Limit-Time-Reset-Ms", "300", "X-Rate-Limit-Requests-Left", "0", "X-Rate-Limit-Requests-Quota", "150", "X-Rate-Limit-Time-Window-Ms", "30000"}
	far := byPath(t, map[string]http.HandlerFunc{
		"once": limited(1, reset...), "post": limited(1, reset...), "overload": limited(99),
		"down": func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		},
	})
	w := newWorld(t, far, nil)
	t.Run("P74 a POST is not repeated", func(t *testing.T) {
		asked.Store(0)
		a := w.raw(t, w.door, "POST /stores/aaa111/v3/post HTTP/1.1\r\nHost: {door}\r\nContent-Length: 2\r\n\r\n{}")
		if a.StatusCode != 429 || a.body != "slow down" || asked.Load() != 1 || a.Header.Get("X-Rate-Limit-Time-Reset-Ms") != "300" {
			t.Errorf("%d %q after %d attempts, %v", a.StatusCode, a.body, asked.Load(), a.Header)
		}
	})
	t.Run("P77 a 503 is not repeated", func(t *testing.T) {
		asked.Store(0)
		a := w.raw(t, w.door, "POST /stores/aaa111/v3/down HTTP/1.1\r\nHost: {door}\r\nContent-Length: 2\r\n\r\n{}")
		if a.StatusCode != 503 || asked.Load() != 1 {
			t.Errorf("%d after %d attempts", a.StatusCode, asked.Load())
		}
	})
	t.Run("P73 a GET is repeated when the window opens", func(t *testing.T) {
		asked.Store(0)
		begun := time.Now()
		a := w.get(t, "once")
		if took := time.Since(begun); a.StatusCode != 200 || a.body != "at last" || asked.Load() != 2 || took < 300*time.Millisecond || took > 3*time.Second {
			t.Errorf("%d %q after %d attempts and %s", a.StatusCode, a.body, asked.Load(), took)
		}
	})
	t.Run("P76 an overload ends in its own 429", func(t *testing.T) {
		asked.Store(0)
		begun := time.Now()
		a := w.get(t, "overload")
		if took := time.Since(begun); a.StatusCode != 429 || asked.Load() < 2 || asked.Load() > 5 || took > 15*time.Second {
			t.Errorf("%d after %d attempts and %s", a.StatusCode, asked.Load(), took)
		}
	})
	w.finish()
	var first, last []capture.Exchange
	for _, e := range w.exchanges() {
		if !strings.HasSuffix(e.Target, "/once") {
			continue
		}
		if e.Status == 429 {
			first = append(first, e)
		} else {
			last = append(last, e)
		}
	}
	if len(first) != 1 || len(last) != 1 || first[0].Of != last[0].ID {
		t.Errorf("P73: the journal has %d first and %d last attempts, linked %v", len(first), len(last), first)
	}
}

// bombs are bodies of about a megabyte or less that unpack to hundreds of megabytes.
func bombs(t *testing.T) map[string][]byte {
	t.Helper()
	var member bytes.Buffer
	z, _ := gzip.NewWriterLevel(&member, gzip.BestCompression)
	z.Write(make([]byte, 16<<20))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	// Frame header: no content size, a window of 128 KiB; then blocks that repeat one byte 128 KiB
	// times (RFC 8878, sections 3.1.1.1 and 3.1.1.2).
	zstd := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38}
	const blocks, size = 4096, 128 << 10
	for i := range blocks {
		head := uint32(size)<<3 | 1<<1
		if i == blocks-1 {
			head |= 1
		}
		zstd = append(zstd, byte(head), byte(head>>8), byte(head>>16), 'a')
	}
	return map[string][]byte{"gzip": bytes.Repeat(member.Bytes(), 64), "zstd": zstd}
}

func TestP66APackedAnswerPassesAsItIs(t *testing.T) {
	t.Parallel()
	packed := bombs(t)
	far := newRecordingAPI(t, func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		w.Header().Set("Content-Encoding", name)
		w.Header().Set("Content-Type", "application/json")
		w.Write(packed[name])
	})
	w := newWorld(t, far, []string{"BCDEV_CAPTURE_BODY_LIMIT=4MiB"})
	for name, body := range packed {
		if a := w.get(t, name); a.StatusCode != 200 || a.body != string(body) || a.Header.Get("Content-Encoding") != name {
			t.Errorf("%s: %d, %d bytes of %d", name, a.StatusCode, len(a.body), len(body))
		}
		id := int(w.next("exchange")["id"].(float64))
		code, out, errs := w.command(nil, "show", itoa(id))
		if code != 0 || len(out) > 12<<20 {
			t.Errorf("%s: show ends with %d and prints %d bytes\n%s", name, code, len(out), errs)
		}
	}
	w.finish()
}

// human is a bcdev that talks to a person, through pipes: it has no reason to write a control byte.
type human struct {
	*run
	door, public string
}

func startHuman(t *testing.T, config string, args ...string) *human {
	t.Helper()
	h := &human{run: start(t, []string{"LANG=C.UTF-8"}, append([]string{"up", "--config", configFile(t, config)}, args...)...)}
	eventually(t, "bcdev is ready", func() bool { return strings.Contains(h.said(), "tokens in") })
	said := h.said()
	_, rest, _ := strings.Cut(said, "send it to ")
	h.public = strings.Fields(rest)[0]
	_, rest, _ = strings.Cut(said, "API door")
	h.door = strings.TrimPrefix(strings.Fields(rest)[0], "http://")
	return h
}

func (h *human) finish(secrets ...string) {
	h.t.Helper()
	if code := h.end(); code != 0 {
		h.t.Errorf("exit code %d; bcdev said:\n%s", code, h.said())
	}
	checkClean(h.t, h.said(), h.state, append(secrets, guideSecret)...)
}
