package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/config"
	"bcdev/internal/vault"
	"bcdev/proxy"
)

// buildDoor makes the chain behind both API doors.
func (s *session) buildDoor() error {
	api, err := url.Parse(s.cfg.BigCommerce.APIURL)
	if err != nil {
		return fmt.Errorf("bigcommerce.api_url: %w", err)
	}
	login, err := url.Parse(s.cfg.BigCommerce.LoginURL)
	if err != nil {
		return fmt.Errorf("bigcommerce.login_url: %w", err)
	}
	if s.faults, err = parseFaults(s.flags.faults); err != nil {
		return err
	}
	s.door, err = proxy.New(proxy.Options{
		API: api, Login: login, Storefront: storefronts(s.cfg.BigCommerce.StorefrontURL),
		Resolve:   s.vault.Resolve,
		Current:   func() (string, error) { hash, err := s.vault.Current(); return hash, doorError(err) },
		Known:     s.storeNames,
		Authorize: func(r *http.Request) error { return doorError(s.vault.Authorize(r)) },
		ClientID:  s.cfg.App.ClientID, ClientHeader: s.cfg.Proxy.ClientHeader,
		Headers:  headersOf(s.cfg.Proxy.Headers),
		ReadOnly: s.readOnly,
		Retry:    proxy.RetryPolicy{GET: s.cfg.Proxy.Retry429, Writes: s.cfg.Proxy.RetryWrites},
		Token:    s.token, Learned: s.learned,
		Health: s.health, Explain: s.explain,
		Record: s.record,
		Attempt: func(req *http.Request, res *http.Response, n int, wait time.Duration) {
			capture.NoteOf(req.Context()).Attempt(attempt(req, res, n, wait))
		},
		Quota:   s.tellQuota,
		Prefix:  s.keyPrefix(),
		Refused: s.refused,
		Notice:  func(text string) { s.con.Notef("%s", text) },
		Faults:  s.faults,
		Proxy:   s.upstreamProxy(),
		Logger:  s.log, Verbose: s.p.verbose,
	})
	if err != nil {
		return fmt.Errorf("making the API door: %w", err)
	}
	s.closers = append(s.closers, closerFunc(s.shutDoor))
	return nil
}

// shutDoor ends what runs inside intercepted tunnels, which no server waits for.
func (s *session) shutDoor() {
	ctx, cancel := context.WithTimeout(context.Background(), drainAPI)
	defer cancel()
	if err := s.door.Shutdown(ctx); err != nil {
		s.log.Debug("closing the API door", "error", err)
	}
}

// keyPrefix is what stands before every path where the door asks for its key.
func (s *session) keyPrefix() string {
	if s.doorKey == "" {
		return ""
	}
	return "/k/" + s.doorKey
}

// record puts the journal around the chain, and marks what an injected fault has answered.
func (s *session) record(chain http.RoundTripper) http.RoundTripper {
	return s.journal.RoundTripper(capture.API, roundTrip(func(r *http.Request) (*http.Response, error) {
		res, err := errands{chain}.RoundTrip(r)
		if err == nil && res.Header.Get("Bcdev-Fault") != "" {
			capture.NoteOf(r.Context()).Set(func(e *capture.Exchange) { e.Marks = append(e.Marks, "fault") })
		}
		return res, err
	}))
}

// roundTrip is a function that is an [http.RoundTripper].
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// signedHosts are the hosts that a token may go to.
func signedHosts(cfg *config.Config) ([]string, error) {
	u, err := url.Parse(cfg.BigCommerce.APIURL)
	if err != nil {
		return nil, fmt.Errorf("bigcommerce.api_url: %w", err)
	}
	return []string{u.Host}, nil
}

// storefronts makes the address of a store's storefront from the template of the configuration.
// A channel beside the first has an address of its own (BigCommerce docs, GraphQL Storefront).
func storefronts(template string) func(store string, channel int) *url.URL {
	return func(store string, channel int) *url.URL {
		name := store
		if channel > 1 {
			name += "-" + strconv.Itoa(channel)
		}
		u, err := url.Parse(strings.ReplaceAll(template, "{hash}", name))
		if err != nil {
			return nil
		}
		return u
	}
}

func headersOf(m map[string]string) http.Header {
	h := http.Header{}
	for name, value := range m {
		h.Set(name, value)
	}
	return h
}

func parseFaults(texts []string) (*proxy.Faults, error) {
	faults := &proxy.Faults{}
	for _, text := range texts {
		f, err := proxy.ParseFault(text)
		if err != nil {
			return nil, misused("for example --fault 'path=/v3/catalog status=429 times=3'", "--%w", err)
		}
		faults.Add(f)
	}
	return faults, nil
}

func (s *session) storeNames() []string {
	var names []string
	for _, e := range s.vault.Stores() {
		name := e.Hash
		if e.Alias != "" {
			name = e.Alias + " (" + e.Hash + ")"
		}
		names = append(names, name)
	}
	return names
}

// readOnly reports whether calls that could change a store are refused. It holds when in doubt.
func (s *session) readOnly(store string) bool {
	if s.cfg.Proxy.ReadOnly {
		return true
	}
	for _, e := range s.vault.Stores() {
		if e.Hash == store {
			return e.ReadOnly
		}
	}
	return false
}

// quota is a store's rate limit as it was last told, for programs.
type quota struct {
	Limit    int       `json:"limit"`
	Left     int       `json:"left"`
	WindowMs int64     `json:"window_ms"`
	ResetMs  int64     `json:"reset_ms"`
	At       time.Time `json:"at"`
}

// health is what GET /_bcdev/health answers.
func (s *session) health() any {
	type store struct {
		Store string `json:"store"`
		Alias string `json:"alias,omitempty"`
		Quota *quota `json:"quota,omitempty"`
	}
	state, since := s.tunnel.State()
	quotas := s.door.Quotas()
	stores := []store{}
	for _, e := range s.vault.Stores() {
		row := store{Store: e.Hash, Alias: e.Alias}
		if q, ok := quotas[e.Hash]; ok {
			row.Quota = &quota{q.Limit, q.Left, q.Window.Milliseconds(), q.Reset.Milliseconds(), q.At.UTC()}
		}
		stores = append(stores, row)
	}
	return struct {
		Status string    `json:"status"`
		Tunnel string    `json:"tunnel"`
		Since  time.Time `json:"tunnel_since"`
		Stores []store   `json:"stores"`
		Queue  queueLine `json:"queue"`
	}{"ok", string(state), since.UTC(), stores, s.queueLine()}
}

// queueLine is what waits for the local app.
type queueLine struct {
	Waiting int        `json:"waiting"`
	Oldest  *time.Time `json:"oldest,omitempty"`
}

func (s *session) queueLine() queueLine {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	waiting, oldest, err := s.journal.Waiting(ctx)
	if err != nil {
		s.log.Debug("counting the queue", "error", err)
	}
	return queueLine{waiting, timeOrNone(oldest)}
}

// explain says what an answer of the API means, by what the store's grant allows.
func (s *session) explain(req *http.Request, res *http.Response, head []byte) string {
	return bigcommerce.Explain(bigcommerce.Answer{
		Method: req.Method, Path: req.URL.EscapedPath(), Status: res.StatusCode,
		Header: res.Header, Body: head, Granted: s.vault.Granted(storeOf(req.URL.Path)),
	})
}

// storeOf is the store hash of an API path, or nothing.
func storeOf(path string) string {
	rest, ok := strings.CutPrefix(path, "/stores/")
	if !ok {
		return ""
	}
	hash, _, _ := strings.Cut(rest, "/")
	return hash
}

// attempt is a call that was answered 429 and is about to be repeated, for the journal.
func attempt(req *http.Request, res *http.Response, n int, wait time.Duration) capture.Exchange {
	e := capture.Exchange{
		Door: capture.API, Kind: capture.Call, Store: storeOf(req.URL.Path), At: time.Now(),
		Method: req.Method, Target: req.URL.RequestURI(), Host: req.URL.Host, Proto: req.Proto,
		Via: "retry", Attempt: n, Hint: fmt.Sprintf("repeated after %s", wait.Round(time.Millisecond)),
		Request: capture.Message{Header: req.Header.Clone()},
	}
	if res != nil {
		e.Status, e.Response.Header = res.StatusCode, res.Header.Clone()
	}
	return e
}

// quotaLow is the share of a store's window below which the terminal speaks up.
const quotaLow = 5 // one fifth

func (s *session) tellQuota(store string, h http.Header) {
	q, ok := bigcommerce.ParseQuota(h)
	if ok && q.Limit > 0 && q.Left*quotaLow < q.Limit && s.lowQuota.first(store, q.Reset) {
		s.con.Quota(store, q.Left, q.Limit, q.Reset)
	}
}

// doorError puts the vault's words into those the door has an answer for.
func doorError(err error) error {
	switch {
	case errors.Is(err, vault.ErrWhichStore):
		return fmt.Errorf("%w: %w", proxy.ErrWhichStore, err)
	case errors.Is(err, vault.ErrNoGrant):
		return fmt.Errorf("%w: %w", proxy.ErrNoGrant, err)
	}
	return err
}
