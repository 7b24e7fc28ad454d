package capture_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"bcdev/capture"
)

// open gives a journal in a file, closed when the test ends.
func open(t testing.TB, o capture.Options) (*capture.Journal, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state", "journal.db")
	return openAt(t, path, o), path
}

func openAt(t testing.TB, path string, o capture.Options) *capture.Journal {
	t.Helper()
	j, err := capture.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return j
}

func flush(t testing.TB, j *capture.Journal) {
	t.Helper()
	if err := j.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func find(t testing.TB, j *capture.Journal, q capture.Query) []capture.Exchange {
	t.Helper()
	es, err := j.Find(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return es
}

func get(t testing.TB, j *capture.Journal, ref string) capture.Exchange {
	t.Helper()
	e, err := j.Get(context.Background(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func add(t testing.TB, j *capture.Journal, e capture.Exchange) int64 {
	t.Helper()
	id, err := j.Add(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAnExchangeComesBackAsItWasAdded(t *testing.T) {
	for _, where := range []string{"file", "memory"} {
		t.Run(where, func(t *testing.T) {
			var j *capture.Journal
			if where == "file" {
				j, _ = open(t, capture.Options{})
			} else {
				j = openAt(t, "", capture.Options{})
			}
			id := add(t, j, capture.Exchange{Door: capture.Local, Kind: capture.Hook, Topic: "store/order/created",
				Store: "abc", Method: "POST", Target: "/hooks?x=1", Host: "h", Proto: "HTTP/1.1", Status: 200,
				Via: "queue", Attempt: 2, Verdict: "same", Hint: "hint", Marks: []string{"a", "b"}, Of: 7, Detail: []byte(`{"a":1}`),
				Request:  capture.Message{Header: http.Header{"X-A": {"1", "\xff2"}}, Body: []byte("req\x00\xff")},
				Response: capture.Message{Header: http.Header{"X-B": {""}}, Body: []byte("resp"), Trailer: http.Header{"T": {"v"}}}})
			e := get(t, j, "1")
			if e.ID != id || e.Topic != "store/order/created" || e.Of != 7 || e.Attempt != 2 || strings.Join(e.Marks, "+") != "a+b" {
				t.Errorf("got %+v", e)
			}
			if string(e.Request.Body) != "req\x00\xff" || e.Request.Size != 5 || e.Request.Header["X-A"][1] != "\xff2" {
				t.Errorf("request %+v", e.Request)
			}
			if string(e.Response.Body) != "resp" || e.Response.Trailer.Get("T") != "v" || len(e.Response.SHA256) != 64 {
				t.Errorf("response %+v", e.Response)
			}
			if got := find(t, j, capture.Query{Topic: "store/*/created"}); len(got) != 1 {
				t.Errorf("found %d", len(got))
			}
		})
	}
}

func TestACommittedCallbackGetsItsResponse(t *testing.T) {
	j, _ := open(t, capture.Options{})
	h := j.Handler(capture.Public, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := capture.NoteOf(r.Context())
		body, _ := io.ReadAll(r.Body)
		n.Set(func(e *capture.Exchange) { e.Kind = capture.Hook })
		id, err := n.Commit(r.Context(), "order/1")
		if err != nil || id == 0 {
			t.Errorf("commit: %d, %v", id, err)
		}
		n.Set(func(e *capture.Exchange) { e.Hint = "later" })
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, "thanks for "+string(body))
	}))
	srv := httptest.NewServer(h)
	defer srv.Close()
	resp, err := http.Post(srv.URL+"/webhooks?a=%20b", "application/json", strings.NewReader(`{"x":1}`))
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	srv.Close()
	flush(t, j)
	e := get(t, j, "latest webhook")
	if e.Status != 202 || string(e.Request.Body) != `{"x":1}` || string(e.Response.Body) != `thanks for {"x":1}` || e.Hint != "later" {
		t.Errorf("got %+v", e)
	}
	if e.Target != "/webhooks?a=%20b" || e.Request.Truncated {
		t.Errorf("got %+v", e)
	}
	jobs, err := j.Jobs(context.Background(), 0, 10)
	if err != nil || len(jobs) != 1 || jobs[0].Key != "order/1" || jobs[0].Exchange != e.ID {
		t.Fatalf("jobs %+v, %v", jobs, err)
	}
	if _, err := j.Done(context.Background(), jobs[0].ID, &capture.Exchange{Door: capture.Local, Kind: capture.Hook, Of: e.ID}); err != nil {
		t.Error(err)
	}
	if _, err := j.Done(context.Background(), jobs[0].ID, nil); !errors.Is(err, capture.ErrNoJob) {
		t.Errorf("a second end: %v", err)
	}
	if e := get(t, j, "latest"); e.ID != 1 {
		t.Errorf("latest is %d", e.ID)
	}
}

func TestAnAPICallIsRecordedBehindItsResponse(t *testing.T) {
	j, _ := open(t, capture.Options{BodyLimit: 10})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Bcdev-Mark", "fault, repeat")
		w.Header().Set("Bcdev-Hint", "try again")
		io.WriteString(w, "0123456789ABC")
	}))
	defer up.Close()
	client := &http.Client{Transport: j.RoundTripper(capture.API, http.DefaultTransport)}
	ctx := capture.WithTarget(context.Background(), "/k/sesame/v3/x", "1.2.3.4:5")
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, up.URL+"/stores/abc/v3/x", strings.NewReader("hello"))
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(body) != "0123456789ABC" || resp.Header.Get("Bcdev-Mark") != "" {
		t.Errorf("answer %q %v", body, resp.Header)
	}
	flush(t, j)
	e := get(t, j, "latest api")
	if e.Store != "abc" || string(e.Request.Body) != "hello" || string(e.Response.Body) != "0123456789" || !e.Response.Truncated || e.Response.Size != 13 {
		t.Errorf("got %+v", e)
	}
	if len(e.Marks) != 2 || e.Hint != "try again" || e.Target != "/k/••••/v3/x" || e.Remote != "1.2.3.4:5" || e.Sealed {
		t.Errorf("got %+v", e)
	}
}
