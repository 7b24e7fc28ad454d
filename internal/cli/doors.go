package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/callback"
	"bcdev/internal/config"
	"bcdev/internal/console"
	"bcdev/internal/deliver"
	"bcdev/internal/serve"
	"bcdev/internal/vault"
)

const (
	exchangeLimit = 30 * time.Second // for one token exchange, whoever waits for it
	arrivalLimit  = 10 * time.Second // for a stranger's whole body at the public door
)

// build makes the rooms that need no address of the tunnel yet.
func (s *session) build(ctx context.Context) (err error) {
	if err = s.buildDoor(); err != nil {
		return err
	}
	if err = s.buildCourier(); err != nil {
		return err
	}
	if err = s.openHookBook(ctx); err != nil {
		return err
	}
	return s.buildCallbacks()
}

func (s *session) buildCallbacks() error {
	login, err := url.Parse(s.cfg.BigCommerce.LoginURL)
	if err != nil {
		return fmt.Errorf("bigcommerce.login_url: %w", err)
	}
	client := bigcommerce.Client{
		Login: login, App: s.app(),
		HTTP: noRedirects(s.upstreamTransport(), exchangeLimit),
	}
	o := callback.Options{
		App: s.app(),
		Paths: callback.Paths{
			Auth: s.cfg.App.Callbacks.Auth, Load: s.cfg.App.Callbacks.Load,
			Uninstall: s.cfg.App.Callbacks.Uninstall, RemoveUser: s.cfg.App.Callbacks.RemoveUser,
			Webhooks: s.cfg.App.Webhooks, MoreWebhooks: s.webhookPaths(),
		},
		Wanted:      s.cfg.App.Scopes,
		RedirectURI: func() string { return s.callbackURL(s.cfg.App.Callbacks.Auth) },
		Keep:        s.vault.PutFor,
		Spent:       s.vault.Spent,
		Forget:      s.vault.Forget,
		Recent:      s.journal.Find,
		LoginURL:    s.cfg.BigCommerce.LoginURL,
		Told:        told{con: s.con, vault: s.vault, wanted: s.cfg.App.Scopes, codes: s.codes, event: s.noteEvent, installed: s.noteInstall},
		TryNext:     s.tryNext,
		DraftApps:   console.DraftApps,
		Logger:      s.log,
	}
	if s.cfg.App.Exchange != "app" {
		o.Exchange = client.Exchange
	}
	if s.courier != nil {
		o.Forward, o.Queued = s.courier.Forward, s.courier.Takes
	}
	if s.flags.passthrough {
		if s.courier == nil {
			return misused("give --forward-to http://localhost:3000", "--passthrough needs a local app to answer webhooks")
		}
		o.Passthrough = s.courier.Forward
	}
	s.callbacks = callback.New(o)
	return nil
}

// tryNext is what the page in the merchant's browser proposes. That page is public: the door's key
// is left out of it.
func (s *session) tryNext(store string) []string {
	door := localURL(s.listeners.api.Addr())
	if s.doorKey != "" {
		door += "/k/KEY"
	}
	return []string{
		"curl " + door + "/v2/store",
		"curl '" + door + "/stores/" + store + "/v3/catalog/products?include=images,variants'",
	}
}

func (s *session) buildCourier() error {
	app, routes, err := destinations(s.cfg)
	if err != nil || app == nil && len(routes) == 0 {
		return err
	}
	o := deliverTo(s.cfg, app, routes)
	o.Journal, o.Logger, o.Health, o.Parallel = s.journal, s.log, s.tellHealth, s.flags.parallel
	o.Public = func() *url.URL { u, _ := url.Parse(s.tunnel.URL()); return u }
	o.Code = func(store string, _ []string) string { return freshCode(s.vault, store) }
	s.courier = deliver.New(o)
	return nil
}

// route brings the webhooks of a scope to a place of their own.
type route struct {
	scope string
	to    *url.URL
}

// destinations are the local app, if there is one, and the routes beside it.
func destinations(cfg *config.Config) (app *url.URL, routes []route, err error) {
	if cfg.App.ForwardTo != "" {
		if app, err = url.Parse(cfg.App.ForwardTo); err != nil {
			return nil, nil, fmt.Errorf("app.forward_to: %w", err)
		}
	}
	for _, r := range cfg.App.Routes {
		u, err := url.Parse(r.To)
		if err != nil {
			return nil, nil, fmt.Errorf("app.routes: %w", err)
		}
		routes = append(routes, route{r.Scope, u})
	}
	return app, routes, nil
}

// deliverTo decides where an exchange goes: the first route whose scope matches, else the app.
func deliverTo(cfg *config.Config, app *url.URL, routes []route) deliver.Options {
	return deliver.Options{
		App: appOf(cfg),
		To:  func(capture.Exchange) (*url.URL, bool) { return app, app != nil },
		Route: func(e capture.Exchange) (*url.URL, bool) {
			for _, r := range routes {
				if e.Kind == capture.Hook && scopeMatches(r.scope, e.Topic) {
					return r.to, true
				}
			}
			return nil, false
		},
	}
}

// freshCode makes an authorization code that the API door's /oauth2/token honours with the grant
// of store; nobody honours it when there is none.
func freshCode(v *vault.Vault, store string) string {
	code := strings.ToLower(rand.Text())
	if g, ok := v.Grant(store); ok {
		if err := v.Remember(code, g); err != nil {
			return code
		}
	}
	return code
}

// scopeMatches compares a webhook scope with a pattern in which * stands for any rest.
func scopeMatches(pattern, scope string) bool {
	head, tail, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == scope
	}
	return len(scope) >= len(head)+len(tail) && strings.HasPrefix(scope, head) && strings.HasSuffix(scope, tail)
}

func (s *session) tellHealth(up bool, waiting int, err error) {
	switch {
	case up && waiting > 0:
		s.con.Notef("the local app is back, delivering %d in order", waiting)
	case up:
		s.con.Notef("the local app is back")
	default:
		s.con.Notef("the local app cannot be reached (%v): BigCommerce still gets its 200, %d waiting", err, waiting)
	}
}

func (s *session) publicServer() *http.Server {
	return serve.New(s.journal.Handler(capture.Public, s.callbacks), serve.Limits{Body: arrivalLimit, Logger: s.log})
}

func (s *session) apiServer() *http.Server {
	h := s.named(s.door.Reverse())
	return serve.New(serve.LocalOnly(s.guard(s.listeners.api), h), serve.Limits{Logger: s.log})
}

// guard holds what the API door asks of whoever connects.
func (s *session) guard(l net.Listener) serve.Guard {
	return serve.Guard{
		Addr: l.Addr(), AllowOrigins: s.cfg.Proxy.AllowOrigins,
		Key: s.doorKey, KeyRequired: s.cfg.Proxy.Key == "required",
		Refused: s.refused,
	}
}

// named puts the request target as the client sent it where the journal finds it.
func (s *session) named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(capture.WithTarget(r.Context(), r.RequestURI, r.RemoteAddr)))
	})
}

// refused tells what a door turned away, in the words of the door's own answer.
func (s *session) refused(r *http.Request, code, message, hint string) {
	s.con.Problem(code, &exitError{err: fmt.Errorf("refused %s %s from %s: %s", r.Method, r.URL.Path, r.RemoteAddr, message), next: hint})
}

// token answers an app's own exchange from what the vault keeps; false sends it upstream.
func (s *session) token(w http.ResponseWriter, r *http.Request, body []byte) bool {
	t, err := bigcommerce.ParseTokenRequest(r.Header.Get("Content-Type"), body)
	if err != nil {
		return false
	}
	grant, spent := s.vault.Spent(t.Code)
	if !spent {
		return false
	}
	if refusal := t.Check(s.app(), s.callbackURL(s.cfg.App.Callbacks.Auth)); refusal != nil {
		s.con.Problem("exchange_refused", ownExchangeRefused(t, refusal, s.callbackURL(s.cfg.App.Callbacks.Auth)))
		refuseToken(w, refusal)
		return true
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, grant.Answer.Reveal())
	return true
}

// ownExchangeRefused says why the app's own exchange failed: the app alone gets the answer, and few
// show it.
func ownExchangeRefused(t bigcommerce.TokenRequest, refusal *bigcommerce.OAuthError, registered string) error {
	next := "compare the form that your app sends with the docs (Apps > Single-click OAuth flow)"
	switch refusal.Code {
	case "redirect_uri_mismatch":
		next = fmt.Sprintf("your app sent redirect_uri %q; it has to be %q, byte for byte", t.RedirectURI, registered)
	case "invalid_client":
		next = "your app has another client id or secret than bcdev: \"bcdev env\" prints those that fit"
	}
	return failed(next, "the app's own exchange is refused, as BigCommerce would: %w", refusal)
}

// learned keeps the grant of an exchange that the app made itself.
func (s *session) learned(request, response []byte) {
	g, err := bigcommerce.ParseGrant(response, time.Now())
	if err != nil {
		s.con.Problem("grant_unreadable", fmt.Errorf("reading the answer to the app's own exchange: %w", err))
		return
	}
	kind := "application/x-www-form-urlencoded" // BigCommerce took it, so it is one of the two
	if bytes.HasPrefix(bytes.TrimSpace(request), []byte("{")) {
		kind = "application/json"
	}
	t, err := bigcommerce.ParseTokenRequest(kind, request)
	if err != nil {
		s.log.Debug("reading the app's own exchange", "error", err)
	}
	if err := s.vault.PutFor(t.Code, g); err != nil {
		s.con.Problem("vault", fmt.Errorf("keeping the grant: %w", err))
		return
	}
	e := capture.Exchange{ID: s.codes.id(t.Code), Kind: capture.Auth, Store: g.Store}
	s.con.Granted(e, g, s.vault.Where(), false)
}

// refuseToken answers as BigCommerce's token endpoint does.
func refuseToken(w http.ResponseWriter, refusal *bigcommerce.OAuthError) {
	body, err := json.Marshal(refusal)
	if err != nil {
		http.Error(w, "the refusal could not be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(body)
}
