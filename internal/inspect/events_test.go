package inspect

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"bcdev/capture"
)

// event is one event of a stream.
type event struct{ id, name, data string }

// events opens a stream and returns what arrives on it.
func (w *world) events(query string, headers ...string) <-chan event {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	w.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", w.server.URL+"/api/events"+query, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	if ct := res.Header.Get("Content-Type"); res.StatusCode != 200 || !strings.HasPrefix(ct, "text/event-stream") {
		w.t.Fatalf("the stream: %d %s", res.StatusCode, ct)
	}
	out := make(chan event, 10_000)
	go func() {
		defer res.Body.Close()
		defer close(out)
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		var e event
		for lines.Scan() {
			switch line := lines.Text(); {
			case line == "":
				out <- e
				e = event{}
			case strings.HasPrefix(line, ":"):
				e.name = "beat"
			default:
				name, value, _ := strings.Cut(line, ": ")
				switch name {
				case "id":
					e.id = value
				case "event":
					e.name = value
				case "data":
					e.data = value
				}
			}
		}
	}()
	return out
}

func next1(t *testing.T, events <-chan event, name string) event {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		select {
		case e, open := <-events:
			if !open {
				t.Fatalf("the stream ended before %q", name)
			}
			if e.name == name {
				return e
			}
		case <-limit:
			t.Fatalf("no %q event", name)
		}
	}
}

func TestAnExchangeArrivesLiveWithItsRow(t *testing.T) {
	w := newWorld(t)
	stream := w.events("?rows=1")
	next1(t, stream, "status")
	id := w.add(hook("store/order/created", "signature:valid"))
	e := next1(t, stream, "exchange")
	if e.id != fmt.Sprint(id) || !strings.Contains(e.data, `"topic":"store/order/created"`) || !strings.Contains(e.data, `"html":"\u003cli id=\"x1\"`) {
		t.Errorf("the event: %+v", e)
	}
	next1(t, stream, "beat")
}

func TestAChangeIsToldWithoutMovingTheReader(t *testing.T) {
	w := newWorld(t)
	first := w.add(hook("store/order/created"))
	stream := w.events("")
	next1(t, stream, "status")
	w.add(hook("store/order/updated"))
	next1(t, stream, "exchange")
	if err := w.journal.Amend(t.Context(), first, func(e *capture.Exchange) { e.Hint = "changed" }); err != nil {
		t.Fatal(err)
	}
	if e := next1(t, stream, "exchange"); e.id != "" || !strings.Contains(e.data, `"hint":"changed"`) {
		t.Errorf("the change: %+v", e)
	}
}

func TestAReaderWhoComesBackIsToldWhatWasMissed(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.add(call("", fmt.Sprintf("/v3/n%d", i), 200))
	}
	stream := w.events("", "Last-Event-ID", "2")
	for _, want := range []string{"3", "4", "5"} {
		if e := next1(t, stream, "exchange"); e.id != want {
			t.Errorf("told %q, want %s", e.id, want)
		}
	}
	w.add(call("", "/v3/now", 200))
	if e := next1(t, stream, "exchange"); e.id != "6" {
		t.Errorf("then %q", e.id)
	}
}

func TestWhoMissedTooMuchIsAskedToLoadAnew(t *testing.T) {
	w := newWorld(t)
	for range catchUpLimit + 5 {
		w.add(call("", "/v3/x", 200))
	}
	if e := next1(t, w.events("", "Last-Event-ID", "1"), "reset"); e.id != fmt.Sprint(catchUpLimit+5) {
		t.Errorf("the reader's place is %q", e.id)
	}
}

func TestAStreamTellsOnlyWhatItsFilterFinds(t *testing.T) {
	w := newWorld(t)
	stream := w.events("?q=kind:webhook")
	next1(t, stream, "status")
	w.add(call("", "/v3/x", 200))
	w.add(hook("store/order/created"))
	if e := next1(t, stream, "exchange"); e.id != "2" {
		t.Errorf("told %+v", e)
	}
}

func TestABurstIsToldWhole(t *testing.T) {
	w := newWorld(t)
	stream := w.events("")
	next1(t, stream, "status")
	const n = 1500
	var es []capture.Exchange
	for range n {
		es = append(es, call("", "/v3/x", 200))
	}
	for len(es) > 0 {
		if _, err := w.journal.Import(t.Context(), es[:500]); err != nil {
			t.Fatal(err)
		}
		es = es[500:]
	}
	seen := map[string]bool{}
	limit := time.After(20 * time.Second)
	for !seen[fmt.Sprint(n)] {
		select {
		case e := <-stream:
			if e.name == "reset" { // the journal is faster than the wire: the page loads its first page anew
				return
			}
			if e.id != "" {
				seen[e.id] = true
			}
		case <-limit:
			t.Fatalf("told %d of %d", len(seen), n)
		}
	}
	if len(seen) != n {
		t.Errorf("told %d of %d without a reset", len(seen), n)
	}
}

func TestTheStatusIsToldWhenItChanges(t *testing.T) {
	w := newWorld(t)
	stream := w.events("")
	next1(t, stream, "status")
	w.mu.Lock()
	w.status.Link = Link{Provider: "ngrok", State: "down", Since: testNow}
	w.mu.Unlock()
	if e := next1(t, stream, "status"); !strings.Contains(e.data, `"state":"down"`) {
		t.Errorf("told %s", e.data)
	}
}
