package inspect

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bcdev/capture"
)

const testKey = "window0key0for0the0tests"

var testNow = time.Date(2026, 11, 22, 21, 0, 0, 0, time.UTC)

// world is a window over a real journal file, and everything it asked of the rest of the program.
type world struct {
	t       *testing.T
	journal *capture.Journal
	server  *httptest.Server

	mu       sync.Mutex
	status   Status
	readOnly bool
	replays  []ReplayRequest
	calls    []CallRequest
	triggers []TriggerRequest
	exported [][]capture.Exchange
	answer   Called
}

func newWorld(t *testing.T) *world {
	t.Helper()
	j, err := capture.Open(filepath.Join(t.TempDir(), "journal.db"), capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, journal: j, status: Status{Version: "test", Stores: []Store{{Store: "abc123xyz", Alias: "dev", Current: true}}}}
	w.answer = Called{ID: 77, Status: 200, Headers: http.Header{"Content-Type": {"application/json"}}, Response: []byte(`{"data":[]}`), Size: 11}
	h, err := New(Options{
		Journal: j, Key: testKey, Now: func() time.Time { return testNow }, Heartbeat: 50 * time.Millisecond,
		Status:   func() Status { w.mu.Lock(); defer w.mu.Unlock(); return w.status },
		ReadOnly: func(string) bool { w.mu.Lock(); defer w.mu.Unlock(); return w.readOnly },
		Replay: func(_ context.Context, e capture.Exchange, r ReplayRequest) (Replayed, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.replays = append(w.replays, r)
			return Replayed{ID: e.ID + 100, Status: 200, Verdict: "fixed"}, nil
		},
		Call: func(_ context.Context, c CallRequest) (Called, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.calls = append(w.calls, c)
			return w.answer, nil
		},
		Trigger: func(_ context.Context, r TriggerRequest) (Replayed, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.triggers = append(w.triggers, r)
			return Replayed{ID: 9, Status: 302}, nil
		},
		Export: func(es []capture.Exchange, as string) ([]File, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.exported = append(w.exported, es)
			return []File{{Name: "." + as, Type: "text/plain", Body: []byte("written as " + as)}, {Name: ".environment", Type: "text/plain", Body: []byte("environment")}}, nil
		},
		Import: func(_ context.Context, har []byte) ([]int64, error) {
			if string(har) != "{}" {
				return nil, &Problem{Status: 400, Code: "not_har", Message: "no HAR"}
			}
			return []int64{1, 2}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(h)
	t.Cleanup(func() { w.server.Close(); j.Close() })
	return w
}

// add stores an exchange.
func (w *world) add(e capture.Exchange) int64 {
	w.t.Helper()
	if e.At.IsZero() {
		e.At = testNow.Add(-time.Minute)
	}
	if e.Method == "" {
		e.Method = "GET"
	}
	id, err := w.journal.Add(w.t.Context(), e)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func call(store, target string, status int) capture.Exchange {
	return capture.Exchange{
		Door: capture.API, Kind: capture.Call, Store: store, Method: "GET", Target: target, Status: status, Took: 12 * time.Millisecond,
		Request:  capture.Message{Header: http.Header{"Accept": {"application/json"}}},
		Response: capture.Message{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"data":[]}`)},
	}
}

func hook(topic string, marks ...string) capture.Exchange {
	return capture.Exchange{
		Door: capture.Public, Kind: capture.Hook, Topic: topic, Store: "abc123xyz", Method: "POST", Target: "/webhooks", Status: 200,
		Took: time.Millisecond, Marks: marks,
		Request: capture.Message{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"scope":"` + topic + `","producer":"stores/abc123xyz","data":{"type":"order","id":118}}`)},
	}
}

// answered is a response that was read.
type answered struct {
	*http.Response
	text string
}

func (a answered) code() string {
	var said struct {
		Error struct{ Code, Message, Hint string } `json:"error"`
	}
	if json.Unmarshal([]byte(a.text), &said) != nil {
		return ""
	}
	return said.Error.Code
}

// do sends a request with headers as name, value, name, value.
func (w *world) do(method, path, body string, headers ...string) answered {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answered{res, string(text)}
}

func (w *world) get(path string) answered {
	return w.do("GET", path, "", "Authorization", "Bearer "+testKey)
}

func (w *world) page(path string) answered {
	w.t.Helper()
	a := w.do("GET", path, "", "Authorization", "Bearer "+testKey, "Accept", "text/html,application/xhtml+xml")
	if a.StatusCode != http.StatusOK {
		w.t.Fatalf("GET %s: %d\n%s", path, a.StatusCode, a.text)
	}
	return a
}

func (w *world) post(path, body string) answered {
	return w.do("POST", path, body, "Authorization", "Bearer "+testKey, "Content-Type", "application/json")
}

func (w *world) list(path string) (ids []int64) {
	w.t.Helper()
	a := w.get(path)
	if a.StatusCode != http.StatusOK {
		w.t.Fatalf("GET %s: %d\n%s", path, a.StatusCode, a.text)
	}
	var l struct{ Exchanges []struct{ ID int64 } }
	if err := json.Unmarshal([]byte(a.text), &l); err != nil {
		w.t.Fatal(err)
	}
	for _, e := range l.Exchanges {
		ids = append(ids, e.ID)
	}
	return ids
}

// session is the cookie that the key buys.
func (w *world) session() string {
	w.t.Helper()
	a := w.do("GET", "/?key="+testKey, "")
	cookies := a.Cookies()
	if a.StatusCode != http.StatusSeeOther || len(cookies) != 1 {
		w.t.Fatalf("the key was answered %d with %d cookies", a.StatusCode, len(cookies))
	}
	return cookies[0].Name + "=" + cookies[0].Value
}
