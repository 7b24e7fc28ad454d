// Package callback answers what BigCommerce asks of an app on the public door: the install, load,
// uninstall and remove_user callbacks, and webhooks. Everything else is a 404.
//
// A request is on disk before it is told, and told before the network is touched, so that a
// developer sees code, context and scope even when everything after fails.
package callback

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
)

// Limits of what a stranger may send, and of what we wait for.
const (
	defaultBodyLimit = 1 << 20          // bytes of a webhook
	queryLimit       = 32 << 10         // bytes of a callback's query
	plainBodyLimit   = 64 << 10         // bytes of a GET's body, which nobody should send
	bodyTimeout      = 10 * time.Second // for a whole body to arrive
	commitTimeout    = 10 * time.Second // for the journal to have it on disk
	exchangeTimeout  = 30 * time.Second // for the token endpoint to answer
)

// Paths are the addresses of the callbacks on the public door, each starting with "/". An empty
// one is not served.
type Paths struct {
	Auth, Load, Uninstall, RemoveUser, Webhooks string

	MoreWebhooks []string // further paths at which webhooks arrive
}

// Pass brings a callback to the local app and writes the app's answer, or reports false and has
// written nothing.
type Pass func(w http.ResponseWriter, r *http.Request, e capture.Exchange) bool

// Options of a Handler. App, Paths and Told are needed; every func may be nil.
type Options struct {
	App    bigcommerce.App
	Paths  Paths
	Wanted []string // scopes the developer expects, for comparison; empty compares nothing

	// RedirectURI is the registered auth callback URL. It never comes from a request: whoever
	// sends Host or X-Forwarded-Host could otherwise choose it.
	RedirectURI func() string
	// Exchange spends a code; nil leaves that to the local app.
	Exchange func(ctx context.Context, in bigcommerce.Install, redirectURI string) (bigcommerce.Grant, error)
	// Keep puts a fresh grant in the vault, under the code that bought it.
	Keep func(code string, g bigcommerce.Grant) error
	// Spent finds the grant of a code that was spent before, also before a restart.
	Spent func(code string) (bigcommerce.Grant, bool)
	// Forget removes the grant of a store.
	Forget func(store string) error

	// Forward brings a browser's callback to the local app; nil means there is no app.
	Forward Pass
	// Queued says whether a delivery waits for the local app; nil means whenever Forward is set.
	Queued func(e capture.Exchange) bool
	// Passthrough returns the app's own answer to a webhook, instead of 200 at once.
	Passthrough Pass
	// Recent looks back for duplicates that arrived before a restart (capture's Journal.Find).
	Recent func(ctx context.Context, q capture.Query) ([]capture.Exchange, error)

	Told      Told
	Now       func() time.Time // nil means time.Now
	Logger    *slog.Logger     // nil logs nothing
	LoginURL  string           // "" means https://login.bigcommerce.com
	DraftApps string           // URL of the control panel's page with the install button, if known
	TryNext   func(store string) []string
	BodyLimit int64 // bytes of a webhook; 0 means 1 MiB
	// BodyTimeout is how long a body may take to arrive; 0 means 10 s.
	BodyTimeout time.Duration
}

// Told hears what happens, in order. Its methods are called from several goroutines.
type Told interface {
	// Callback is an install callback: it is on disk, and nothing else has happened yet.
	Callback(e capture.Exchange, in bigcommerce.Install)
	// Lifecycle is a load, uninstall or remove_user; err says why it is not to be believed.
	Lifecycle(e capture.Exchange, p bigcommerce.Payload, err error)
	// Webhook is an event; signature says why its signature is not to be believed.
	Webhook(e capture.Exchange, w bigcommerce.Webhook, signature error)
	// Granted is a grant bought with a code; again when the code had been spent before.
	Granted(e capture.Exchange, g bigcommerce.Grant, again bool)
	// Refused is an exchange that failed, or a callback that says nothing (e.ID is 0: not stored).
	Refused(e capture.Exchange, err error)
}

// Handler answers the public door. It is made by New.
type Handler struct {
	o      Options
	routes map[string]http.HandlerFunc
	pages  *pages
	seen   *arrivals

	mu      sync.Mutex
	flights map[string]*flight // by code
	landed  []string           // codes whose flight is over, oldest first
}

// New returns the handler of the public door. It panics on a path that two callbacks share,
// which configuration refuses before.
func New(o Options) *Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.BodyLimit <= 0 {
		o.BodyLimit = defaultBodyLimit
	}
	if o.BodyTimeout <= 0 {
		o.BodyTimeout = bodyTimeout
	}
	if o.LoginURL == "" {
		o.LoginURL = "https://login.bigcommerce.com"
	}
	h := &Handler{
		o:       o,
		routes:  map[string]http.HandlerFunc{},
		pages:   newPages(),
		seen:    newArrivals(o.Recent),
		flights: map[string]*flight{},
	}
	h.route(o.Paths.Auth, browser(h.auth))
	h.route(o.Paths.Load, browser(h.load))
	h.route(o.Paths.Uninstall, browser(h.uninstall))
	h.route(o.Paths.RemoveUser, browser(h.removeUser))
	h.route(o.Paths.Webhooks, h.webhook)
	for _, path := range o.Paths.MoreWebhooks {
		h.route(path, h.webhook)
	}
	return h
}

func (h *Handler) route(path string, f http.HandlerFunc) {
	if path == "" {
		return
	}
	if _, taken := h.routes[path]; taken {
		panic("callback: two callbacks share the path " + path)
	}
	h.routes[path] = f
}

// ServeHTTP answers the callbacks, and 404 for everything else: nothing but them is behind the
// public door.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve, ok := h.routes[r.URL.Path]
	if !ok || r.Method == http.MethodConnect {
		h.pages.notFound(w)
		return
	}
	serve(w, r)
}

// browser lets GET through and answers HEAD without a side effect: link previews and virus
// scanners ask with HEAD, and must not spend a code or end an install.
func browser(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet:
			next(w, r)
		case http.MethodHead:
			guardHeaders(w.Header())
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusOK)
		default:
			notAllowed(w, "GET, HEAD")
		}
	}
}

// Wait returns when no exchange of a code is under way, or with the error of ctx.
func (h *Handler) Wait(ctx context.Context) error {
	for {
		f := h.underWay()
		if f == nil {
			return nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
