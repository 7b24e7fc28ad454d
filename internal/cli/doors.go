package cli

import (
	"context"
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
	"bcdev/internal/console"
	"bcdev/internal/deliver"
	"bcdev/internal/serve"
)

// exchangeLimit bounds one token exchange, whoever waits for it.
const exchangeLimit = 30 * time.Second

// build makes the rooms that need no address of the tunnel yet.
func (s *session) build(context.Context) (err error) {
	if err = s.buildDoor(); err != nil {
		return err
	}
	if err = s.buildCourier(); err != nil {
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
			Webhooks: s.cfg.App.Webhooks,
		},
		Wanted:      s.cfg.App.Scopes,
		RedirectURI: func() string { return s.callbackURL(s.cfg.App.Callbacks.Auth) },
		Keep:        s.keep,
		Spent:       s.vault.Spent,
		Forget:      s.vault.Forget,
		Recent:      s.journal.Find,
		LoginURL:    s.cfg.BigCommerce.LoginURL,
		Told:        told{con: s.con, vault: s.vault, wanted: s.cfg.App.Scopes, codes: s.codes},
		TryNext:     s.tryNext,
		DraftApps:   console.DraftApps,
		Logger:      s.log,
	}
	if s.cfg.App.Exchange != "app" {
		o.Exchange = client.Exchange
	}
	if s.courier != nil {
		o.Forward = s.courier.Forward
	}
	s.callbacks = callback.New(o)
	return nil
}

// keep stores a grant under the code that bought it.
func (s *session) keep(code string, g bigcommerce.Grant) error {
	if err := s.vault.Put(g); err != nil {
		return err
	}
	return s.vault.Remember(code, g)
}

func (s *session) tryNext(store string) []string {
	return []string{
		"curl " + s.doorURL() + "/v2/store",
		"curl '" + s.doorURL() + "/stores/" + store + "/v3/catalog/products?include=images,variants'",
	}
}

func (s *session) buildCourier() error {
	to, err := s.destinations()
	if err != nil || to == nil {
		return err
	}
	s.courier = deliver.New(deliver.Options{
		Journal: s.journal, App: s.app(), To: to,
		PublicHost: func() string { return hostOf(s.tunnel.URL()) },
		Health:     s.tellHealth, Logger: s.log,
	})
	return nil
}

// destinations decides where an exchange goes: the first route whose scope matches, else the app.
func (s *session) destinations() (func(capture.Exchange) (*url.URL, bool), error) {
	if s.cfg.App.ForwardTo == "" && len(s.cfg.App.Routes) == 0 {
		return nil, nil
	}
	var app *url.URL
	if s.cfg.App.ForwardTo != "" {
		u, err := url.Parse(s.cfg.App.ForwardTo)
		if err != nil {
			return nil, fmt.Errorf("app.forward_to: %w", err)
		}
		app = u
	}
	type route struct {
		scope string
		to    *url.URL
	}
	var routes []route
	for _, r := range s.cfg.App.Routes {
		u, err := url.Parse(r.To)
		if err != nil {
			return nil, fmt.Errorf("app.routes: %w", err)
		}
		routes = append(routes, route{r.Scope, u})
	}
	return func(e capture.Exchange) (*url.URL, bool) {
		for _, r := range routes {
			if e.Kind == capture.Hook && scopeMatches(r.scope, e.Topic) {
				return r.to, true
			}
		}
		return app, app != nil
	}, nil
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
	return serve.New(s.journal.Handler(capture.Public, s.callbacks), serve.Limits{Logger: s.log})
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
		Refused: func(r *http.Request, code string) { s.refused(r, code, "") },
	}
}

// named puts the request target as the client sent it where the journal finds it.
func (s *session) named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(capture.WithTarget(r.Context(), r.RequestURI, r.RemoteAddr)))
	})
}

func (s *session) refused(r *http.Request, code, message string) {
	s.con.Problem(code, fmt.Errorf("refused %s %s from %s%s", r.Method, r.URL.Path, r.RemoteAddr, prefixed(": ", message)))
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
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
		writeJSON(w, http.StatusBadRequest, refusal)
		return true
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, grant.Answer.Reveal())
	return true
}

// learned keeps the grant of an exchange that the app made itself.
func (s *session) learned(request, response []byte) {
	g, err := bigcommerce.ParseGrant(response, time.Now())
	if err != nil {
		s.con.Problem("grant_unreadable", fmt.Errorf("reading the answer to the app's own exchange: %w", err))
		return
	}
	t, err := bigcommerce.ParseTokenRequest("", request)
	if err != nil {
		s.log.Debug("reading the app's own exchange", "error", err)
	}
	if err := s.keep(t.Code, g); err != nil {
		s.con.Problem("vault", fmt.Errorf("keeping the grant: %w", err))
		return
	}
	e := capture.Exchange{ID: s.codes.id(t.Code), Kind: capture.Auth, Store: g.Store}
	s.con.Granted(e, g, s.vault.Where(), false)
}
