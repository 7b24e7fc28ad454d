package deliver_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bcdev/capture"
	"bcdev/internal/deliver"
)

// heard passes on what a Deliverer tells.
type heard struct {
	told   chan capture.Exchange
	health chan string
}

func run(t *testing.T, j *capture.Journal, a *localApp, change func(*deliver.Options)) (h heard, stop func()) {
	t.Helper()
	h = heard{make(chan capture.Exchange, 10_000), make(chan string, 100)}
	d := deliverer(t, j, a, func(o *deliver.Options) {
		o.Now = time.Now
		o.Told = func(e capture.Exchange) { h.told <- e }
		o.Health = func(up bool, n int, err error) { h.health <- fmt.Sprint(up, " ", n > 0, " ", err) }
		if change != nil {
			change(o)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return h, stop
}

func (h heard) next(t *testing.T) capture.Exchange {
	t.Helper()
	select {
	case e := <-h.told:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was told")
		return capture.Exchange{}
	}
}

func waiting(t *testing.T, j *capture.Journal) int {
	t.Helper()
	n, _, err := j.Waiting(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAQueuedWebhookIsDeliveredAsItCame(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	body := `{"scope":"store/order/created","data":{"id":118}}`
	r := hook(body)
	r.Header["X-Dev"] = []string{"one", "two"}
	id := arrive(t, j, "k", capture.Hook, r)
	h, _ := run(t, j, a, nil)
	got := a.next(t)
	if got.Method != http.MethodPost || got.Target != "/webhooks" || got.Body != body {
		t.Errorf("the app received %s %s with %q", got.Method, got.Target, got.Body)
	}
	if diff := cmp.Diff([]string{"one", "two"}, got.Header["X-Dev"]); diff != "" {
		t.Error(diff)
	}
	if err := app.VerifyWebhook(got.Header, []byte(got.Body), today); err != nil {
		t.Errorf("the signature does not hold any more: %v", err)
	}
	if got.Header.Get("X-Forwarded-Host") != "dev.example.com" || got.Header.Get("X-Forwarded-Proto") != "https" {
		t.Errorf("forwarded for %v", got.Header)
	}
	e := h.next(t)
	if e.Of != id || e.Via != "queue" || e.Status != http.StatusOK || e.Attempt != 1 || e.Verdict != deliver.Same || e.ID == 0 {
		t.Errorf("told %+v", e)
	}
	if n := waiting(t, j); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

func TestAWebhookThatComesLaterWakesTheQueue(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	h, _ := run(t, j, a, nil)
	arrive(t, j, "k", capture.Hook, hook(`{"n":1}`))
	h.next(t)
	arrive(t, j, "k", capture.Hook, hook(`{"n":2}`))
	h.next(t)
	if got := []string{a.next(t).Body, a.next(t).Body}; !slices.Equal(got, []string{`{"n":1}`, `{"n":2}`}) {
		t.Errorf("delivered %q", got)
	}
}

func TestJobsOfOneKeyKeepTheirOrderAndOthersDoNotWait(t *testing.T) {
	j := openJournal(t)
	first := make(chan struct{})
	var failures sync.Map
	a := startApp(t, func(w http.ResponseWriter, r *http.Request) {
		body := readAll(r)
		if body == `{"key":"a","n":0}` {
			<-first // until the other key is through
		}
		if _, again := failures.LoadOrStore(body, true); !again {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	const each = 5
	for n := range each {
		for _, key := range []string{"a", "b"} {
			arrive(t, j, key, capture.Hook, hook(fmt.Sprintf(`{"key":"%s","n":%d}`, key, n)))
		}
	}
	h, _ := run(t, j, a, nil)
	got := map[string][]string{}
	for range 2 * each { // of each job one failure and one success; "a" waits
		e := h.next(t)
		body := string(e.Request.Body)
		if !strings.Contains(body, `"b"`) {
			t.Fatalf("%s came although its key waits", body)
		}
		got["b"] = append(got["b"], fmt.Sprint(body, e.Status))
	}
	close(first)
	for range 2 * each {
		e := h.next(t)
		got["a"] = append(got["a"], fmt.Sprint(string(e.Request.Body), e.Status))
	}
	for key, list := range got {
		var want []string
		for n := range each {
			body := fmt.Sprintf(`{"key":"%s","n":%d}`, key, n)
			want = append(want, body+"500", body+"200")
		}
		if diff := cmp.Diff(want, list); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	if n := waiting(t, j); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

func TestAFailureIsRetriedAndFixed(t *testing.T) {
	j := openJournal(t)
	tries := 0
	a := startApp(t, func(w http.ResponseWriter, _ *http.Request) {
		if tries++; tries <= 3 {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	arrive(t, j, "k", capture.Hook, hook(`{}`))
	h, _ := run(t, j, a, func(o *deliver.Options) { o.Parallel = 1 })
	first, last := h.next(t), h.next(t)
	if first.Verdict != deliver.Failing || first.Status != http.StatusBadGateway {
		t.Errorf("first %d, %s", first.Status, first.Verdict)
	}
	if last.Verdict != deliver.Fixed || last.Status != http.StatusOK || last.Attempt != 4 {
		t.Errorf("last %d, %s, attempt %d: a failure like the one before is kept again", last.Status, last.Verdict, last.Attempt)
	}
}

func TestWhatTheAppRefusesIsDelivered(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, status(http.StatusUnprocessableEntity))
	arrive(t, j, "k", capture.Hook, hook(`{}`))
	h, _ := run(t, j, a, nil)
	if e := h.next(t); e.Status != http.StatusUnprocessableEntity || e.Verdict != deliver.Failing {
		t.Errorf("told %d, %s", e.Status, e.Verdict)
	}
	if n := waiting(t, j); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

func TestAQueueSurvivesARestartAndDeliversNothingTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "journal.db")
	j := openJournalAt(t, path)
	a := startApp(t, nil)
	for i := range 20 {
		arrive(t, j, fmt.Sprint("k", i%3), capture.Hook, hook(fmt.Sprintf(`{"n":%d}`, i)))
	}
	h, stop := run(t, j, a, func(o *deliver.Options) { o.Parallel = 1 })
	for range 5 {
		h.next(t)
	}
	stop()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openJournalAt(t, path)
	rest := waiting(t, j)
	h, _ = run(t, j, a, nil)
	for range rest {
		h.next(t)
	}
	seen := map[string]int{}
	for range 20 {
		seen[a.next(t).Body]++
	}
	a.none(t)
	for body, times := range seen {
		if times != 1 {
			t.Errorf("%s came %d times", body, times)
		}
	}
	if n := waiting(t, j); n != 0 || len(seen) != 20 {
		t.Errorf("%d wait, %d came", n, len(seen))
	}
}

func TestAnAppThatTakesTooLongIsAskedAgain(t *testing.T) {
	j := openJournal(t)
	hang := true
	a := startApp(t, func(_ http.ResponseWriter, r *http.Request) {
		if hang {
			hang = false
			<-r.Context().Done()
		}
	})
	arrive(t, j, "k", capture.Hook, hook(`{}`))
	h, _ := run(t, j, a, func(o *deliver.Options) { o.Timeout = 50 * time.Millisecond })
	if e := h.next(t); e.Status != 0 || !strings.Contains(e.Err, "in time") {
		t.Errorf("told %d, %q", e.Status, e.Err)
	}
	if e := h.next(t); e.Status != http.StatusOK || e.Verdict != deliver.Fixed {
		t.Errorf("told %d, %s", e.Status, e.Verdict)
	}
}

func TestAfterTwoDaysADeliveryIsGivenUp(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, status(http.StatusInternalServerError))
	arrive(t, j, "k", capture.Hook, hook(`{}`))
	later := time.Now().Add(49 * time.Hour)
	h, _ := run(t, j, a, func(o *deliver.Options) { o.Now = func() time.Time { return later } })
	if e := h.next(t); !slices.Contains(e.Marks, "gave-up") || e.Hint == "" {
		t.Errorf("told %+v", e)
	}
	if n := waiting(t, j); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

func TestABodyThatWasNotKeptWholeIsSaidAndNotSent(t *testing.T) {
	j, err := capture.Open("", capture.Options{BodyLimit: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	a := startApp(t, nil)
	arrive(t, j, "k", capture.Hook, hook(strings.Repeat("a", 100)))
	h, stop := run(t, j, a, nil)
	if e := h.next(t); !strings.Contains(e.Err, "not kept whole") {
		t.Errorf("told %+v", e)
	}
	stop()
	a.none(t)
}

func TestThousandsWaitingAreDeliveredOnceEach(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a second")
	}
	j := openJournal(t)
	a := startApp(t, nil)
	const n = 1200 // more than two pages of the queue
	for i := range n {
		arrive(t, j, fmt.Sprint("k", i), capture.Hook, hook(fmt.Sprintf(`{"n":%d}`, i)))
	}
	h, _ := run(t, j, a, nil)
	for range n {
		h.next(t)
	}
	seen := map[string]bool{}
	for range n {
		seen[a.next(t).Body] = true
	}
	a.none(t)
	if len(seen) != n || waiting(t, j) != 0 {
		t.Errorf("%d came, %d wait", len(seen), waiting(t, j))
	}
}

func TestAQueueNeedsAJournal(t *testing.T) {
	if err := deliver.New(deliver.Options{}).Run(t.Context()); err == nil {
		t.Error("it runs")
	}
}
