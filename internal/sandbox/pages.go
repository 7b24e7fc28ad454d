package sandbox

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"bcdev/internal/bigcommerce"
)

//go:embed pages/*.html
var pageFiles embed.FS

// pages are what a person sees: consent, the end of an install, and the control panel.
func (s *Sandbox) pages() http.Handler {
	looks := template.Must(template.ParseFS(pageFiles, "pages/*.html")) // a test renders each
	show := func(w http.ResponseWriter, status int, name string, view any) {
		var b bytes.Buffer
		if err := looks.ExecuteTemplate(&b, name, view); err != nil {
			http.Error(w, "the page could not be made", http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy",
			"default-src 'none'; style-src 'self'; frame-src *; frame-ancestors 'self'; base-uri 'none'")
		w.WriteHeader(status)
		_, _ = b.WriteTo(w)
	}
	p := &pageSet{sandbox: s, show: show}
	mux := http.NewServeMux()
	mux.HandleFunc("/oauth2/token", s.serveToken)
	mux.HandleFunc("GET /oauth2/authorize", p.authorize)
	mux.HandleFunc("GET /app/{client}/install", p.consent)
	mux.Handle("POST /app/{client}/install", http.NewCrossOriginProtection().Handler(http.HandlerFunc(p.confirm)))
	mux.HandleFunc("GET /app/{client}/install/succeeded", p.succeeded)
	mux.HandleFunc("GET /app/{client}/install/failed", p.failed)
	mux.HandleFunc("GET /login", p.login)
	mux.HandleFunc("GET /manage/app", p.panel)
	mux.HandleFunc("GET /manage/app/open", p.open)
	mux.HandleFunc("GET /style.css", serveStyle)
	mux.HandleFunc("GET /{$}", p.front)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		show(w, http.StatusNotFound, "message.html", message{"Not found", "There is nothing at this address.", "/"})
	})
	return mux
}

//go:embed pages/style.css
var styleSheet []byte

func serveStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(styleSheet)
}

type pageSet struct {
	sandbox *Sandbox
	show    func(w http.ResponseWriter, status int, name string, view any)
}

// message is a page with one thing to say.
type message struct{ Title, Text, Back string }

// consentView is what the merchant is asked.
type consentView struct {
	Store, ClientID, Callback string
	External                  bool
	Scopes                    []scopeView
}

type scopeView struct{ ID, Name, Level, About string }

// known refuses a page for another app.
func (p *pageSet) known(w http.ResponseWriter, client string) bool {
	if client == p.sandbox.app.ClientID {
		return true
	}
	p.show(w, http.StatusNotFound, "message.html",
		message{"Unknown app", "No app with this client id is registered here.", "/"})
	return false
}

// consent is the install link: GET /app/{client_id}/install.
func (p *pageSet) consent(w http.ResponseWriter, r *http.Request) {
	if !p.known(w, r.PathValue("client")) {
		return
	}
	p.ask(w, r.URL.Query().Get("store"), r.URL.Query().Get("panel") == "")
}

func (p *pageSet) ask(w http.ResponseWriter, store string, external bool) {
	s := p.sandbox
	if store == "" {
		store = s.options.Store
	}
	callback := s.Callbacks().Auth
	switch {
	case !bigcommerce.ValidStoreHash(store):
		p.show(w, http.StatusBadRequest, "message.html", message{"Unknown store", badStore(store).Error(), "/"})
		return
	case callback == "":
		p.show(w, http.StatusConflict, "message.html", message{"No auth callback",
			"The app has no auth callback URL registered. POST it to /_control/callbacks.", "/"})
		return
	}
	view := consentView{Store: store, ClientID: s.app.ClientID, Callback: hostOf(callback), External: external}
	for _, scope := range s.options.Scopes {
		name, level, about := bigcommerce.ScopeName(scope)
		view.Scopes = append(view.Scopes, scopeView{scope, name, level, about})
	}
	p.show(w, http.StatusOK, "consent.html", view)
}

// authorize is the older way to ask, GET /oauth2/authorize with client_id and redirect_uri.
func (p *pageSet) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if !p.known(w, q.Get("client_id")) {
		return
	}
	if q.Get("response_type") != "code" {
		p.show(w, http.StatusBadRequest, "message.html",
			message{"Bad request", "The response_type must be code.", "/"})
		return
	}
	if given := q.Get("redirect_uri"); given != "" && given != p.sandbox.Callbacks().Auth && !p.sandbox.options.LooseRedirect {
		p.show(w, http.StatusBadRequest, "message.html",
			message{"Bad request", "Parameter redirect_uri does not match registered URI", "/"})
		return
	}
	p.ask(w, strings.TrimPrefix(q.Get("context"), "stores/"), false)
}

// confirm is the merchant's yes: his browser is sent to the app with a code.
func (p *pageSet) confirm(w http.ResponseWriter, r *http.Request) {
	if !p.known(w, r.PathValue("client")) {
		return
	}
	order, err := p.sandbox.prepare(InstallRequest{
		Store: r.PostFormValue("store"), External: r.PostFormValue("external") == "true",
	})
	if err != nil {
		p.show(w, http.StatusConflict, "message.html", message{"Not installed", err.Error(), "/"})
		return
	}
	target, err := callbackURL(order.callback, order.query())
	if err != nil {
		p.show(w, http.StatusConflict, "message.html", message{"Not installed", err.Error(), "/"})
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "origin")
	http.Redirect(w, r, target, http.StatusFound)
}

func (p *pageSet) succeeded(w http.ResponseWriter, r *http.Request) {
	if p.known(w, r.PathValue("client")) {
		p.show(w, http.StatusOK, "message.html",
			message{"Installed", "The app was installed. You may close this window.", "/manage/app"})
	}
}

func (p *pageSet) failed(w http.ResponseWriter, r *http.Request) {
	if p.known(w, r.PathValue("client")) {
		p.show(w, http.StatusOK, "message.html",
			message{"Not installed", "The app could not be installed. Try again from its page.", "/manage/app"})
	}
}

func (p *pageSet) login(w http.ResponseWriter, _ *http.Request) {
	p.show(w, http.StatusOK, "message.html", message{"Log in",
		"BigCommerce sends who did not come from an install here. In the sandbox there is nobody to log in.", "/"})
}

// panelView is the control panel of one store.
type panelView struct {
	Store, ClientID string
	Installed       bool
	Stores          []string
}

func (p *pageSet) view(r *http.Request) (panelView, bool) {
	s := p.sandbox
	v := panelView{Store: r.URL.Query().Get("store"), ClientID: s.app.ClientID}
	if v.Store == "" {
		v.Store = s.options.Store
	}
	if s.findShop(v.Store) == nil {
		return v, false
	}
	v.Installed = s.grants.installed(v.Store)
	s.mu.Lock()
	defer s.mu.Unlock()
	for hash := range s.shops {
		v.Stores = append(v.Stores, hash)
	}
	slices.Sort(v.Stores)
	return v, true
}

func (p *pageSet) front(w http.ResponseWriter, r *http.Request) {
	v, _ := p.view(r)
	p.show(w, http.StatusOK, "front.html", v)
}

// panel frames the app as the merchant's control panel does, from another site than the app's.
func (p *pageSet) panel(w http.ResponseWriter, r *http.Request) {
	v, ok := p.view(r)
	if !ok {
		p.show(w, http.StatusNotFound, "message.html", message{"Unknown store", "There is no such store here.", "/"})
		return
	}
	p.show(w, http.StatusOK, "panel.html", v)
}

// open is the frame's address: on to the app with a signed payload, or to the consent page. It
// hands out what only the merchant may have, so it answers loopback names only.
func (p *pageSet) open(w http.ResponseWriter, r *http.Request) {
	s := p.sandbox
	v, ok := p.view(r)
	switch {
	case !isLoopbackHost(r.Host):
		p.show(w, http.StatusForbidden, "message.html", message{"Refused", "This page answers to localhost only.", "/"})
		return
	case !ok:
		p.show(w, http.StatusNotFound, "message.html", message{"Unknown store", "There is no such store here.", "/"})
		return
	case !v.Installed:
		next := url.URL{Path: "/app/" + v.ClientID + "/install", RawQuery: url.Values{"store": {v.Store}, "panel": {"1"}}.Encode()}
		http.Redirect(w, r, next.String(), http.StatusFound)
		return
	}
	me := owner()
	query, err := s.signedQuery(lifecycle{Store: v.Store, User: &me, Owner: &me, URL: "/"})
	if err == nil {
		var target string
		if target, err = callbackURL(s.registered().Load, query); err == nil {
			w.Header().Set("Cache-Control", "no-store")
			http.Redirect(w, r, target, http.StatusFound)
			return
		}
	}
	p.show(w, http.StatusConflict, "message.html", message{"Cannot open the app", err.Error(), "/"})
}
