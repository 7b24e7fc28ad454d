package capture_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bcdev/capture"
)

func TestAJournalThatCannotBeOpenedSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	noise := write("noise.db", strings.Repeat("this is no database. ", 100))
	folder := filepath.Join(dir, "folder.db")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		o          capture.Options
		want       string
	}{
		{"noise", noise, capture.Options{}, "not a journal"},
		{"noise, to read", noise, capture.Options{ReadOnly: true}, "not a journal"},
		{"nothing, to read", filepath.Join(dir, "missing.db"), capture.Options{ReadOnly: true}, "none yet"},
		{"a folder", folder, capture.Options{ReadOnly: true}, "not a file"},
		{"under a file", filepath.Join(noise, "x.db"), capture.Options{}, "opening the journal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, err := capture.Open(c.path, c.o)
			if err == nil {
				j.Close()
				t.Fatal("it opened")
			}
			var oe *capture.OpenError
			if !errors.As(err, &oe) || oe.Hint() == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := capture.Open(filepath.Join(dir, "missing.db"), capture.Options{ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if raw, err := os.ReadFile(noise); err != nil || !strings.HasPrefix(string(raw), "this is no database") {
		t.Errorf("the file was changed: %v", err)
	}
}

func TestAReaderSeesWhatAWriterStores(t *testing.T) {
	j, path := open(t, capture.Options{})
	r := openAt(t, path, capture.Options{ReadOnly: true})
	add(t, j, capture.Exchange{Kind: capture.Auth, Target: "/auth"})
	if e := get(t, r, "latest auth"); e.Target != "/auth" {
		t.Errorf("got %+v", e)
	}
	if _, err := r.Add(context.Background(), capture.Exchange{}); !errors.Is(err, capture.ErrReadOnly) {
		t.Errorf("adding: %v", err)
	}
	if err := r.Flush(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestAClosedJournalIsReadAgain(t *testing.T) {
	j, path := open(t, capture.Options{})
	add(t, j, capture.Exchange{Target: "/one", Request: capture.Message{Body: []byte("body")}})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for _, o := range []capture.Options{{ReadOnly: true}, {}} {
		again := openAt(t, path, o)
		if e := get(t, again, "1"); string(e.Request.Body) != "body" {
			t.Errorf("got %+v", e)
		}
	}
	if _, err := j.Add(context.Background(), capture.Exchange{}); err == nil {
		t.Error("a closed journal took an exchange")
	}
}

func TestTwoWritersShareOneFile(t *testing.T) {
	a, path := open(t, capture.Options{})
	b := openAt(t, path, capture.Options{})
	for range 20 {
		add(t, a, capture.Exchange{Target: "/shared", Hint: "same words"})
		add(t, b, capture.Exchange{Target: "/shared", Hint: "same words"})
	}
	// b removes what a remembers; a must not refer to it.
	if n, err := b.Prune(context.Background(), &capture.Query{}); n != 40 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	id := add(t, a, capture.Exchange{Target: "/shared", Hint: "same words"})
	if es := find(t, a, capture.Query{Text: "same words"}); len(es) != 1 || es[0].ID != id || es[0].Target != "/shared" || id <= 40 {
		t.Errorf("got %+v", es)
	}
}

// wait receives until ok, and fails when that takes too long.
func wait(t *testing.T, c <-chan capture.Exchange, ok func(capture.Exchange) bool) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case e, open := <-c:
			if !open {
				t.Fatal("the channel was closed")
			}
			if ok(e) {
				return
			}
		case <-late:
			t.Fatal("nothing came")
		}
	}
}

func TestWatchersHearWhatIsStoredAndChangedAnywhere(t *testing.T) {
	a, path := open(t, capture.Options{})
	b := openAt(t, path, capture.Options{})
	r := openAt(t, path, capture.Options{ReadOnly: true})
	add(t, a, capture.Exchange{Target: "/before"})
	ctx, cancel := context.WithCancel(context.Background())
	ca, cr := a.Watch(ctx), r.Watch(ctx)
	id := add(t, a, capture.Exchange{Target: "/own", Request: capture.Message{Body: []byte("body")}})
	wait(t, ca, func(e capture.Exchange) bool {
		if e.Target == "/before" || e.Request.Body != nil {
			t.Errorf("got %+v", e)
		}
		return e.Target == "/own"
	})
	// The first poll sets the reader's mark, so write until it hears of one.
	heard := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-heard:
				return
			default:
				if _, err := b.Add(ctx, capture.Exchange{Target: "/foreign"}); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	foreign := func(e capture.Exchange) bool { return e.Target == "/foreign" }
	wait(t, ca, foreign)
	wait(t, cr, foreign)
	close(heard)
	<-ended
	if err := b.Amend(ctx, id, func(e *capture.Exchange) { e.Verdict = "fixed" }); err != nil {
		t.Fatal(err)
	}
	fixed := func(e capture.Exchange) bool { return e.ID == id && e.Verdict == "fixed" }
	wait(t, ca, fixed)
	wait(t, cr, fixed)
	cancel()
	for range ca {
	}
}

func TestReferences(t *testing.T) {
	j, _ := open(t, capture.Options{})
	add(t, j, capture.Exchange{Door: capture.Public, Kind: capture.Auth})
	add(t, j, capture.Exchange{Door: capture.Public, Kind: capture.Hook, Topic: "store/order/created"})
	add(t, j, capture.Exchange{Door: capture.API, Kind: capture.Call})
	add(t, j, capture.Exchange{Door: capture.Local, Kind: capture.Hook, Topic: "store/order/created", Of: 2})
	for ref, want := range map[string]int64{"1": 1, "4": 4, "latest": 3, "latest auth": 1, "latest webhook": 2,
		"latest store/order/created": 2, "latest store/order/*": 2, " latest  api ": 3} {
		if e, err := j.Get(context.Background(), ref); err != nil || e.ID != want {
			t.Errorf("%q gives %d, %v; want %d", ref, e.ID, err, want)
		}
	}
	for _, ref := range []string{"", "5", "0", "-1", "+1", "latest load", "latest store/none", "latest auth 1", "first",
		"../../../../etc/passwd", "%2e%2e%2f", "1 OR 1=1", "99999999999999999999", "latest store/order/created' --"} {
		if _, err := j.Get(context.Background(), ref); !errors.Is(err, capture.ErrNotFound) {
			t.Errorf("%q gives %v", ref, err)
		}
	}
}

func TestImportIsAllOrNothing(t *testing.T) {
	j, _ := open(t, capture.Options{})
	ids, err := j.Import(context.Background(), []capture.Exchange{{Target: "/a", Via: "import"}, {Target: "/b", Via: "import"}})
	if err != nil || len(ids) != 2 || ids[1] != ids[0]+1 {
		t.Fatalf("got %v, %v", ids, err)
	}
	if e := get(t, j, "2"); e.Via != "import" || e.Target != "/b" {
		t.Errorf("got %+v", e)
	}
}
