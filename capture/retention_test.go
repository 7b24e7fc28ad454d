package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"
)

func tempJournal(t *testing.T, o Options) *Journal {
	t.Helper()
	j, err := Open(filepath.Join(t.TempDir(), "j.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func usage(t *testing.T, j *Journal) Usage {
	t.Helper()
	u, err := j.Usage(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// prune waits for the retention in the background by asking for it, too.
func prune(t *testing.T, j *Journal, q *Query) int64 {
	t.Helper()
	n, err := j.Prune(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheOldestGoWhenThereAreTooMany(t *testing.T) {
	j := tempJournal(t, Options{KeepExchanges: 10, KeepFor: 1 << 62})
	fill(t, j, 1000)
	prune(t, j, nil)
	u := usage(t, j)
	es, err := j.Find(context.Background(), Query{Limit: 100})
	if err != nil || u.Exchanges != 10 || len(es) != 10 || es[0].ID != 1000 || es[9].ID != 991 {
		t.Errorf("usage %+v, %d found, %v", u, len(es), err)
	}
	for _, table := range []string{"message", "exchange"} {
		if n := count(t, j, "SELECT count(*) FROM "+table); n != 10 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
	if n := count(t, j, "SELECT count(*) FROM target"); n != 10 {
		t.Errorf("%d targets are left", n)
	}
	if n := count(t, j, "SELECT count(*) - (SELECT exchanges FROM stat) + sum(kept) - (SELECT bytes FROM stat) FROM exchange"); n != 0 {
		t.Errorf("the count is off by %d", n)
	}
}

func count(t *testing.T, j *Journal, query string) (n int64) {
	t.Helper()
	if err := j.readers.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheOldestGoWhenTheyAreTooLarge(t *testing.T) {
	j := tempJournal(t, Options{KeepBytes: 1 << 20})
	for range 100 {
		if _, err := j.Add(context.Background(), Exchange{Response: Message{Body: make([]byte, 100<<10)}, Status: 200}); err != nil {
			t.Fatal(err)
		}
	}
	prune(t, j, nil)
	if u := usage(t, j); u.Bytes > 1<<20 || u.Exchanges < 9 {
		t.Errorf("usage %+v", u)
	}
}

func TestTheOldGo(t *testing.T) {
	j := tempJournal(t, Options{KeepFor: time.Hour})
	now := time.Now()
	for _, age := range []time.Duration{3 * time.Hour, 2 * time.Hour, time.Minute} {
		if _, err := j.Add(context.Background(), Exchange{At: now.Add(-age)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := prune(t, j, nil); n > 2 {
		t.Errorf("removed %d", n)
	}
	if u := usage(t, j); u.Exchanges != 1 || now.Sub(u.Oldest) > time.Hour {
		t.Errorf("usage %+v", u)
	}
}

func TestWhatWaitsForItsDeliveryIsSpared(t *testing.T) {
	j := tempJournal(t, Options{KeepExchanges: 5})
	h := j.Handler(Public, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if _, err := NoteOf(r.Context()).Commit(r.Context(), "key"); err != nil {
			t.Error(err)
		}
	}))
	for range 8 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/webhooks", nil))
	}
	for range 20 {
		if _, err := j.Add(context.Background(), Exchange{Target: "/other"}); err != nil {
			t.Fatal(err)
		}
	}
	prune(t, j, nil)
	if n := count(t, j, "SELECT count(*) FROM job JOIN exchange ON exchange.id = job.exchange"); n != 8 {
		t.Errorf("%d of 8 are left", n)
	}
	if n := prune(t, j, &Query{}); n != 8 {
		t.Errorf("asked for, %d went", n)
	}
	if n := count(t, j, "SELECT count(*) FROM job"); n != 0 {
		t.Errorf("%d jobs without an exchange", n)
	}
}

func TestPruneTakesWhatTheQuerySelects(t *testing.T) {
	j := tempJournal(t, Options{KeepFor: 1 << 62})
	fill(t, j, 2000)
	if n := prune(t, j, &Query{Kinds: []Kind{Hook}, Limit: 1}); n != 40 {
		t.Errorf("removed %d", n)
	}
	if u := usage(t, j); u.Exchanges != 1960 {
		t.Errorf("usage %+v", u)
	}
}

func TestAFullDiskStopsTheRecordAndNotTheTraffic(t *testing.T) {
	notices := make(chan error, 10)
	j := tempJournal(t, Options{Notice: func(err error) { notices <- err }})
	if err := j.do(context.Background(), op{run: func(t *txn) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	limitPages(t, j, 60)
	rt := j.RoundTripper(API, canned{bytes.Repeat([]byte("x"), 100_000)})
	for i := range 20 {
		req := httptest.NewRequest(http.MethodGet, fmt.Sprintf("https://api.bigcommerce.com/stores/abc/v3/%d", i), nil)
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); len(body) != 100_000 || err != nil {
			t.Errorf("answer %d has %d bytes, %v", i, len(body), err)
		}
		resp.Body.Close()
	}
	if _, err := j.Add(context.Background(), Exchange{Request: Message{Body: make([]byte, 1<<20)}}); err == nil {
		t.Error("a callback was acknowledged")
	}
	var re *RecordError
	if err := <-notices; !errors.As(err, &re) || re.Hint() == "" || err.Error() != "recording is off: the disk is full" {
		t.Errorf("told %v", err)
	}
	if u := usage(t, j); u.Failed == 0 {
		t.Errorf("usage %+v", u)
	}
	limitPages(t, j, 1<<20)
	if _, err := j.Add(context.Background(), Exchange{Target: "/after"}); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if len(notices) != 0 {
		t.Errorf("told again: %v", <-notices)
	}
}

// limitPages makes the file fill up early.
func limitPages(t *testing.T, j *Journal, n int) {
	t.Helper()
	err := j.do(context.Background(), op{run: func(t *txn) error { return t.link.script(fmt.Sprintf("PRAGMA max_page_count=%d", n)) }})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOverItsBudgetTheRecorderKeepsTheFactsAndDropsBodies(t *testing.T) {
	j := tempJournal(t, Options{})
	j.buffers.max = 64 << 10
	rt := j.RoundTripper(API, canned{bytes.Repeat([]byte("x"), 100_000)})
	resp, err := rt.RoundTrip(httptest.NewRequest(http.MethodGet, "https://api.bigcommerce.com/v3/x", nil))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); len(body) != 100_000 || err != nil {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if err := j.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	e, err := j.Get(context.Background(), "1")
	if err != nil || !e.Response.Dropped || e.Response.Size != 100_000 || e.Response.Body != nil || len(e.Response.SHA256) != 64 {
		t.Errorf("got %+v, %v", e, err)
	}
	if u := usage(t, j); u.Dropped != 1 || u.Failed != 0 {
		t.Errorf("usage %+v", u)
	}
	if out := j.buffers.out.Load(); out != 0 {
		t.Errorf("%d bytes were not given back", out)
	}
}

func TestFreeSpaceGoesBackToTheFileSystem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.db")
	j, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 40 {
		if _, err := j.Add(context.Background(), Exchange{Request: Message{Body: make([]byte, 100<<10)}}); err != nil {
			t.Fatal(err)
		}
	}
	prune(t, j, &Query{})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := dial(address(path, true))
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	w := &writer{j: &Journal{queue: newQueue()}, t: &txn{link: l}}
	w.shrink()
	if pages, err := l.number("PRAGMA page_count"); err != nil || pages > 600 {
		t.Errorf("%d pages are left, %v", pages, err)
	}
}

func TestASlowWatcherHoldsNobodyUp(t *testing.T) {
	j := tempJournal(t, Options{})
	c := j.Watch(t.Context())
	fill(t, j, 3*watchBuffer)
	if len(c) != watchBuffer {
		t.Errorf("%d wait for the watcher", len(c))
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for range c {
		n++
	}
	if n != watchBuffer {
		t.Errorf("%d came", n)
	}
}

func TestALookThatFindsNothingTooManyDoesNotPutOffTheNext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.db")
	o := Options{KeepExchanges: 10, KeepFor: 1 << 62}
	j, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, j, 5)
	if n := prune(t, j, nil); n != 0 {
		t.Errorf("%d of five were removed", n)
	}
	fill(t, j, 50)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if j, err = Open(path, o); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if u := usage(t, j); u.Exchanges > 10 {
		t.Errorf("%d are kept", u.Exchanges)
	}
}
