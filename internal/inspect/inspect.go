// Package inspect is the window: a local web page over the journal, and the small JSON API behind
// it. It knows the journal; everything that acts is handed in as a func.
package inspect

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"bcdev/capture"
)

// Options of a window. Journal and Key are required; what is nil is answered with 501.
type Options struct {
	Journal *capture.Journal
	Key     string // opens a session; at least 16 characters
	Status  func() Status

	// Replay brings an exchange to the local app again, once. It is not called for API calls.
	Replay func(ctx context.Context, e capture.Exchange, r ReplayRequest) (Replayed, error)
	// Export writes exchanges, oldest first, in one of their forms: har, postman, curl, ….
	Export func(es []capture.Exchange, as string) ([]File, error)
	// Import stores what an HTTP Archive holds and returns the IDs.
	Import func(ctx context.Context, har []byte) ([]int64, error)
	// Call makes an API call through the API door, which adds the credentials.
	Call func(ctx context.Context, c CallRequest) (Called, error)
	// Trigger makes a callback or webhook out of nothing and brings it to the local app.
	Trigger func(ctx context.Context, t TriggerRequest) (Replayed, error)
	// ReadOnly reports whether calls that could change a store are refused; "" is the current one.
	ReadOnly func(store string) bool

	Now       func() time.Time // nil means time.Now
	Heartbeat time.Duration    // between signs of life of an event stream; 0 means 10 s
	Logger    *slog.Logger     // nil logs nothing
}

// window answers at the window's address.
type window struct {
	o       Options
	session string // value of the session cookie
	cookie  string // its name
	pages   *pages
	streams chan struct{} // a place for every event stream
	acts    chan struct{} // a place for everything that acts
}

// maxStreams and maxActs bound what one window does at a time.
const (
	maxStreams = 64
	maxActs    = 16
)

// New returns the handler of the window. It expects a handler in front that has checked Host and
// where the request comes from.
func New(o Options) (http.Handler, error) {
	if o.Journal == nil || len(o.Key) < 16 {
		return nil, errors.New("the window needs a journal and a key of at least 16 characters")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Status == nil {
		o.Status = func() Status { return Status{} }
	}
	pages, err := newPages()
	if err != nil {
		return nil, err
	}
	value := derive(o.Key, "value")
	w := &window{
		o: o, session: value, cookie: "bcdev-" + derive(o.Key, "name")[:8], pages: pages,
		streams: make(chan struct{}, maxStreams), acts: make(chan struct{}, maxActs),
	}
	return w.guarded(w.routes()), nil
}

// derive makes a name or value from the key that does not give the key away. Browsers send a
// cookie to every port of a host, so the key itself is not put in one, and two windows on two
// ports must not overwrite each other's.
func derive(key, purpose string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("bcdev window session " + purpose))
	return hex.EncodeToString(mac.Sum(nil))
}

// methods are the handlers of one path.
type methods map[string]http.HandlerFunc

func (w *window) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, m := range map[string]methods{
		"/{$}":                        {"GET": w.servePageList},
		"/exchanges/{id}":             {"GET": w.servePageOne},
		"/exchanges/{a}/diff/{b}":     {"GET": w.servePageDiff},
		"/graphql":                    {"GET": w.servePageGraphQL},
		"/call":                       {"GET": w.servePageCall},
		"/trigger":                    {"GET": w.servePageTrigger},
		"/static/{name}":              {"GET": w.serveStatic},
		"/favicon.ico":                {"GET": w.serveStatic},
		"/api/exchanges":              {"GET": w.serveList},
		"/api/exchanges/{id}":         {"GET": w.serveOne},
		"/api/events":                 {"GET": w.serveEvents},
		"/api/status":                 {"GET": w.serveStatus},
		"/api/export":                 {"GET": w.serveExportMany},
		"/api/import":                 {"POST": w.serveImport},
		"/api/call":                   {"POST": w.serveCall},
		"/api/trigger":                {"POST": w.serveTrigger},
		"/api/graphql":                {"POST": w.serveGraphQL},
		"/api/graphql/history":        {"GET": w.serveHistory},
		"/api/exchanges/{id}/body":    {"GET": w.serveBody},
		"/api/exchanges/{id}/export":  {"GET": w.serveExportOne},
		"/api/exchanges/{id}/replay":  {"POST": w.serveReplay},
		"/api/exchanges/{a}/diff/{b}": {"GET": w.serveDiff},
	} {
		mux.Handle(pattern, m)
	}
	mux.HandleFunc("/", w.serveNothing)
	return mux
}

// ServeHTTP dispatches by method; what is not there is 405, as JSON.
func (m methods) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h, ok := m[method]; ok {
		h(rw, r)
		return
	}
	allow := http.MethodGet
	if _, ok := m[http.MethodPost]; ok {
		allow = http.MethodPost
	}
	rw.Header().Set("Allow", allow)
	fail(rw, r, refuse(http.StatusMethodNotAllowed, "method_not_allowed", "this address takes "+allow+" only", "send a "+allow+" request"))
}

func (w *window) serveNothing(rw http.ResponseWriter, r *http.Request) {
	fail(rw, r, refuse(http.StatusNotFound, "unknown_route", "there is no such page", "start at /"))
}
