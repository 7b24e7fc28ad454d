package capture_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bcdev/capture"
)

// commit stores the request of r and fails the test when that fails.
func commit(t *testing.T, r *http.Request, key string) int64 {
	t.Helper()
	io.Copy(io.Discard, r.Body)
	id, err := capture.NoteOf(r.Context()).Commit(r.Context(), key)
	if err != nil {
		t.Errorf("commit: %v", err)
	}
	return id
}

func serve(t *testing.T, j *capture.Journal, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(j.Handler(capture.Public, h))
	t.Cleanup(srv.Close)
	return srv
}

func TestWhatNobodyCommitsIsNotStored(t *testing.T) {
	j, _ := open(t, capture.Options{})
	srv := serve(t, j, func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
	resp, err := http.Get(srv.URL + "/scanner")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	srv.Close()
	flush(t, j)
	if es := find(t, j, capture.Query{}); len(es) != 0 {
		t.Errorf("stored %+v", es)
	}
}

func TestAnAbortedAnswerKeepsTheExchange(t *testing.T) {
	j, _ := open(t, capture.Options{})
	srv := serve(t, j, func(w http.ResponseWriter, r *http.Request) {
		commit(t, r, "")
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "some")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	resp, err := http.Get(srv.URL + "/load")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("the client saw a whole answer")
	}
	srv.Close()
	flush(t, j)
	if e := get(t, j, "1"); e.Err == "" || e.Status != 200 || string(e.Response.Body) != "some" {
		t.Errorf("got %+v", e)
	}
}

func TestTheResponseWriterKeepsItsPowers(t *testing.T) {
	j, _ := open(t, capture.Options{})
	flushed := make(chan struct{})
	srv := serve(t, j, func(w http.ResponseWriter, r *http.Request) {
		commit(t, r, "")
		switch r.URL.Path {
		case "/flush":
			io.WriteString(w, "first\n")
			w.(http.Flusher).Flush()
			<-flushed
			io.WriteString(w, "second\n")
		case "/copy":
			if _, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("copied")); err != nil {
				t.Error(err)
			}
		case "/hijack":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
			conn.Close()
		case "/silent":
		}
	})
	for _, path := range []string{"/flush", "/copy", "/hijack", "/silent"} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if path == "/flush" {
			line, err := bufio.NewReader(resp.Body).ReadString('\n')
			if line != "first\n" || err != nil {
				t.Errorf("got %q, %v", line, err)
			}
			close(flushed)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	srv.Close()
	flush(t, j)
	es := find(t, j, capture.Query{Bodies: true})
	slices.Reverse(es)
	if len(es) != 4 || string(es[0].Response.Body) != "first\nsecond\n" || string(es[1].Response.Body) != "copied" || es[3].Status != 200 {
		t.Errorf("got %+v", es)
	}
}

func TestABurstOfWebhooksIsAcknowledgedAndKept(t *testing.T) {
	const n = 1000
	j, _ := open(t, capture.Options{})
	h := j.Handler(capture.Public, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		commit(t, r, "order/"+r.URL.Query().Get("n"))
	}))
	took := make([]time.Duration, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			body := fmt.Sprintf(`{"scope":"store/order/created","data":{"id":%d}}`, i)
			r := httptest.NewRequest(http.MethodPost, fmt.Sprintf("/webhooks?n=%d", i), strings.NewReader(body))
			w := httptest.NewRecorder()
			start := time.Now()
			h.ServeHTTP(w, r)
			took[i] = time.Since(start)
			if w.Code != 200 {
				t.Errorf("webhook %d: %d", i, w.Code)
			}
		})
	}
	all.Wait()
	slices.Sort(took)
	t.Logf("p50 %s, p99 %s", took[n/2], took[n*99/100])
	waiting, oldest, err := j.Waiting(context.Background())
	if err != nil || waiting != n || oldest.IsZero() {
		t.Errorf("waiting %d since %s, %v", waiting, oldest, err)
	}
	seen := map[string]bool{}
	for after := int64(0); ; {
		jobs, err := j.Jobs(context.Background(), after, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(jobs) == 0 {
			break
		}
		for _, job := range jobs {
			seen[job.Key] = true
			after = job.ID
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d keys", len(seen), n)
	}
}

func TestANilNoteTakesEveryCall(t *testing.T) {
	n := capture.NoteOf(context.Background())
	n.Set(func(*capture.Exchange) { t.Error("called") })
	n.Attempt(capture.Exchange{})
	if id, err := n.Commit(context.Background(), "x"); id != 0 || err != nil || n.ID() != 0 {
		t.Errorf("got %d, %v", id, err)
	}
}

func TestAmendsMadeWhileAnAnswerIsUnderWayStay(t *testing.T) {
	j, _ := open(t, capture.Options{})
	srv := serve(t, j, func(w http.ResponseWriter, r *http.Request) {
		n := capture.NoteOf(r.Context())
		id := commit(t, r, "")
		if err := j.Amend(r.Context(), id, func(e *capture.Exchange) { e.Verdict, e.Target = "fixed", "/changed" }); err != nil {
			t.Error(err)
		}
		n.Attempt(capture.Exchange{Door: capture.API, Kind: capture.Call, Via: "retry"})
		n.Set(func(e *capture.Exchange) { e.Hint = "noted" })
	})
	resp, err := http.Get(srv.URL + "/a")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	srv.Close()
	flush(t, j)
	if e := get(t, j, "1"); e.Verdict != "fixed" || e.Hint != "noted" || e.Target != "/a" || e.Status != 200 {
		t.Errorf("got %+v", e)
	}
	if es := find(t, j, capture.Query{Of: 1}); len(es) != 1 || es[0].Via != "retry" {
		t.Errorf("attempts %+v", es)
	}
}

func TestALargeUploadIsKeptUpToTheLimitWithItsTrueSize(t *testing.T) {
	j, _ := open(t, capture.Options{BodyLimit: 64 << 10})
	const size = 20 << 20
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}))
	defer up.Close()
	client := &http.Client{Transport: j.RoundTripper(capture.API, http.DefaultTransport)}
	body := io.LimitReader(zeros{}, size)
	resp, err := client.Post(up.URL+"/stores/abc/v3/upload", "application/octet-stream", struct{ io.Reader }{body})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(got) != fmt.Sprint(size) {
		t.Errorf("upstream received %s bytes", got)
	}
	flush(t, j)
	e := get(t, j, "1")
	if e.Request.Size != size || !e.Request.Truncated || len(e.Request.Body) != 64<<10 || !bytes.Equal(e.Request.Body, make([]byte, 64<<10)) {
		t.Errorf("size %d, truncated %v, kept %d", e.Request.Size, e.Request.Truncated, len(e.Request.Body))
	}
	if sum := zeroSum(size); e.Request.SHA256 != sum {
		t.Errorf("hash %s, want %s", e.Request.SHA256, sum)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func zeroSum(n int64) string {
	h := sha256.New()
	io.Copy(h, io.LimitReader(zeros{}, n))
	return hex.EncodeToString(h.Sum(nil))
}
