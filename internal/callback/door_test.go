package callback_test

import (
	"context"
	"errors"
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
	"bcdev/internal/bigcommerce"
	"bcdev/internal/callback"
	"bcdev/internal/redact"
)

const (
	clientID     = "bcdev0clientid0example0000000001"
	clientSecret = "bcdev0secret0example000000000000000000000000000000000000000000aa"
	registered   = "https://dev.example.com/auth"
)

var (
	app   = bigcommerce.App{ClientID: clientID, ClientSecret: redact.Secret(clientSecret)}
	today = time.Unix(1795000010, 0).UTC()
	paths = callback.Paths{Auth: "/auth", Load: "/load", Uninstall: "/uninstall", RemoveUser: "/remove_user", Webhooks: "/webhooks"}
)

// door is a public door with everything behind it, on a real port.
type door struct {
	*httptest.Server
	t       *testing.T
	o       callback.Options
	handler *callback.Handler
	journal *capture.Journal
	told    *told
	vault   *vault
	token   *tokenEndpoint
}

func openDoor(t *testing.T, change func(*door)) *door {
	t.Helper()
	journal, err := capture.Open("", capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, journal: journal, vault: &vault{}, token: &tokenEndpoint{}}
	d.told = &told{journal: journal, news: make(chan struct{}, 1000)}
	d.o = callback.Options{
		App:         app,
		Paths:       paths,
		RedirectURI: func() string { return registered },
		Exchange:    d.token.exchange,
		Keep:        d.vault.keep,
		Spent:       d.vault.spent,
		Forget:      d.vault.forget,
		Told:        d.told,
		Now:         func() time.Time { return today },
	}
	if change != nil {
		change(d)
	}
	d.handler = callback.New(d.o)
	d.Server = httptest.NewServer(journal.Handler(capture.Public, d.handler))
	t.Cleanup(func() {
		d.Close()
		if err := journal.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// get asks the door and returns the answer with its body read.
func (d *door) get(target string) (*http.Response, string) {
	d.t.Helper()
	return d.send(http.MethodGet, target, "", nil)
}

func (d *door) send(method, target, body string, header http.Header) (*http.Response, string) {
	d.t.Helper()
	req, err := http.NewRequest(method, d.URL+target, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := d.Client().Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp, string(answer)
}

// stored returns what the journal holds, oldest first.
func (d *door) stored() []capture.Exchange {
	d.t.Helper()
	if err := d.journal.Flush(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	found, err := d.journal.Find(d.t.Context(), capture.Query{Limit: 1000, Bodies: true})
	if err != nil {
		d.t.Fatal(err)
	}
	slices.Reverse(found)
	return found
}

func (d *door) jobs() []capture.Job {
	d.t.Helper()
	jobs, err := d.journal.Jobs(d.t.Context(), 0, 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	return jobs
}

// told writes down what it hears.
type told struct {
	journal *capture.Journal
	news    chan struct{}

	mu     sync.Mutex
	lines  []string
	events []capture.Exchange
	errs   []error
}

func (h *told) hear(e capture.Exchange, err error, format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, fmt.Sprintf(format, args...))
	h.events = append(h.events, e)
	h.errs = append(h.errs, err)
	h.news <- struct{}{}
}

// Callback checks that what is told is on disk.
func (h *told) Callback(e capture.Exchange, in bigcommerce.Install) {
	stored, err := h.journal.Get(context.Background(), fmt.Sprint(e.ID))
	h.hear(e, err, "callback %s %s stored=%t", in.Store, in.Code, err == nil && stored.Kind == capture.Auth)
}

func (h *told) Lifecycle(e capture.Exchange, p bigcommerce.Payload, err error) {
	h.hear(e, err, "%s %s %t", e.Kind, p.Store, err == nil)
}

func (h *told) Webhook(e capture.Exchange, w bigcommerce.Webhook, err error) {
	h.hear(e, err, "webhook %s %t", w.Scope, err == nil)
}

func (h *told) Granted(e capture.Exchange, g bigcommerce.Grant, again bool) {
	h.hear(e, nil, "granted %s again=%t", g.Store, again)
}

func (h *told) Refused(e capture.Exchange, err error) {
	h.hear(e, err, "refused stored=%t", e.ID != 0)
}

func (h *told) heard() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines)
}

func (h *told) lastErr() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.errs[len(h.errs)-1]
}

// vault keeps grants by code.
type vault struct {
	mu        sync.Mutex
	grants    map[string]bigcommerce.Grant
	forgotten []string
	broken    error
}

func (v *vault) keep(code string, g bigcommerce.Grant) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.broken != nil {
		return v.broken
	}
	if v.grants == nil {
		v.grants = map[string]bigcommerce.Grant{}
	}
	v.grants[code] = g
	return nil
}

func (v *vault) spent(code string) (bigcommerce.Grant, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	g, ok := v.grants[code]
	return g, ok
}

func (v *vault) forget(store string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forgotten = append(v.forgotten, store)
	for code, g := range v.grants {
		if g.Store == store {
			delete(v.grants, code)
		}
	}
	return v.broken
}

// tokenEndpoint answers exchanges, and says how often it was asked.
type tokenEndpoint struct {
	mu       sync.Mutex
	asked    []string // code and redirect URI
	answers  []error  // of the first calls; nil after that
	entered  chan struct{}
	release  chan struct{}
	deadline bool
}

func (e *tokenEndpoint) exchange(ctx context.Context, in bigcommerce.Install, redirectURI string) (bigcommerce.Grant, error) {
	e.mu.Lock()
	e.asked = append(e.asked, in.Code+" "+redirectURI)
	_, e.deadline = ctx.Deadline()
	var err error
	if len(e.answers) > 0 {
		err, e.answers = e.answers[0], e.answers[1:]
	}
	e.mu.Unlock()
	if e.entered != nil {
		e.entered <- struct{}{}
		<-e.release
	}
	if ctx.Err() != nil {
		return bigcommerce.Grant{}, ctx.Err()
	}
	if err != nil {
		return bigcommerce.Grant{}, err
	}
	return bigcommerce.Grant{
		Store: in.Store, Context: in.Context, Scopes: in.Scopes,
		User:  bigcommerce.User{ID: 1001, Email: "merchant@example.com"},
		Token: "q7w2e9r4t1y6u3i8o5p0a2s4d6f8g1h",
	}, nil
}

func (e *tokenEndpoint) calls() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.asked)
}

var errDisk = errors.New("the keyring is locked")
