package deliver_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/deliver"
	"bcdev/internal/redact"
)

const (
	clientID     = "bcdev0clientid0example0000000001"
	clientSecret = "bcdev0secret0example000000000000000000000000000000000000000000aa"
)

var (
	app   = bigcommerce.App{ClientID: clientID, ClientSecret: redact.Secret(clientSecret)}
	today = time.Unix(1795000010, 0).UTC()
)

// localApp is the developer's app on a real port. It writes down what it receives.
type localApp struct {
	*httptest.Server
	got chan received

	mu     sync.Mutex
	answer http.HandlerFunc
}

type received struct {
	Method, Target, Host string
	Header               http.Header
	Body                 string
}

func startApp(t *testing.T, answer http.HandlerFunc) *localApp {
	t.Helper()
	a := &localApp{got: make(chan received, 10_000), answer: answer}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *localApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.got <- received{r.Method, r.RequestURI, r.Host, r.Header, string(body)}
	r.Body = io.NopCloser(bytes.NewReader(body))
	a.mu.Lock()
	answer := a.answer
	a.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}

func (a *localApp) answers(answer http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

func (a *localApp) url(t *testing.T) *url.URL { return parse(t, a.URL) }

// next is what the app received, in order.
func (a *localApp) next(t *testing.T) received {
	t.Helper()
	select {
	case r := <-a.got:
		return r
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		return received{}
	}
}

// none fails when the app received something.
func (a *localApp) none(t *testing.T) {
	t.Helper()
	select {
	case r := <-a.got:
		t.Errorf("the app received %s %s", r.Method, r.Target)
	default:
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func says(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func parse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// openJournal opens a journal in memory whose seal is reversible, as the vault's is.
func openJournal(t *testing.T) *capture.Journal {
	t.Helper()
	return openJournalAt(t, "")
}

func openJournalAt(t *testing.T, path string) *capture.Journal {
	t.Helper()
	flip := func(b []byte) ([]byte, error) {
		out := slices.Clone(b)
		for i := range out {
			out[i] ^= 0x5a
		}
		return out, nil
	}
	j, err := capture.Open(path, capture.Options{Seal: flip, Unseal: flip})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// deliverer brings everything to a.
func deliverer(t *testing.T, j *capture.Journal, a *localApp, change func(*deliver.Options)) *deliver.Deliverer {
	t.Helper()
	o := deliver.Options{
		Journal: j,
		App:     app,
		To:      func(capture.Exchange) (*url.URL, bool) { return a.url(t), true },
		Now:     func() time.Time { return today },
		Backoff: func(int) time.Duration { return time.Millisecond },
	}
	if change != nil {
		change(&o)
	}
	return deliver.New(o)
}

// arrive sends a request through a public door that stores it, queued under key when there is
// one, and returns its ID.
func arrive(t *testing.T, j *capture.Journal, key string, kind capture.Kind, r *http.Request) int64 {
	t.Helper()
	var id int64
	door := j.Handler(capture.Public, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		note := capture.NoteOf(r.Context())
		note.Set(func(e *capture.Exchange) { e.Kind, e.Store = kind, "abc123xyz" })
		var err error
		if id, err = note.Commit(r.Context(), key); err != nil {
			t.Error(err)
		}
	}))
	door.ServeHTTP(httptest.NewRecorder(), r)
	if err := j.Flush(context.Background()); err != nil {
		t.Error(err)
	}
	return id
}

func hook(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://dev.example.com/webhooks", strings.NewReader(body))
	for name, values := range app.SignWebhook("msg_1", today, []byte(body)) {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}

func browse(target string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = "dev.example.com"
	r.Header.Set("User-Agent", "Mozilla/5.0")
	return r
}

// deliveries are what the journal holds of attempts, oldest first.
func deliveries(t *testing.T, j *capture.Journal) []capture.Exchange {
	t.Helper()
	found, err := j.Find(t.Context(), capture.Query{Door: capture.Local, Limit: 1000, Bodies: true})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(found)
	return found
}

func reveal(t *testing.T, j *capture.Journal, ref string) capture.Exchange {
	t.Helper()
	e, err := j.Reveal(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func readAll(r *http.Request) string {
	b, _ := io.ReadAll(r.Body)
	return string(b)
}

// dialWhen dials while up says so, and refuses as a closed port does otherwise.
func dialWhen(up func() bool) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if !up() {
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
}

// discard is a browser that looks at nothing.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
