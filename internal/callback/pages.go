package callback

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"bcdev/internal/bigcommerce"
)

//go:embed page/page.html
var pageSource string

//go:embed page/style.css
var pageStyle string

// pages renders what a merchant's browser sees. BigCommerce shows it in an iframe of the control
// panel, so nothing here forbids framing (BigCommerce docs, Apps > User interface).
type pages struct {
	page   *template.Template
	policy string
}

// view is one page. Everything in it is text; the template escapes it.
type view struct {
	Tone    string // "good", "bad" or "plain"
	Title   string
	Lead    string
	Store   string
	Problem *Problem
	Facts   []fact
	Scopes  []scope
	Missing []scope
	Extra   []scope
	Try     []string
	Links   []link
	Style   template.CSS
}

type fact struct{ Name, Value string }

type scope struct{ ID, Name, Level, About string }

type link struct{ Text, URL string }

func newPages() *pages {
	sum := sha256.Sum256([]byte(pageStyle))
	return &pages{
		page: template.Must(template.New("page").Funcs(template.FuncMap{"plain": plain}).Parse(pageSource)),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; base-uri 'none'; form-action 'none'; frame-ancestors *",
	}
}

func (p *pages) show(w http.ResponseWriter, status int, v view) {
	v.Style = template.CSS(pageStyle)
	var b bytes.Buffer
	if err := p.page.Execute(&b, v); err != nil {
		http.Error(w, v.Title, status)
		return
	}
	guardHeaders(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", p.policy)
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// guardHeaders keeps an answer out of caches, and its address, which holds the code or a signed
// payload, out of the Referer of whatever is opened from it.
func guardHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}

func (p *pages) installed(w http.ResponseWriter, o Options, in bigcommerce.Install, g bigcommerce.Grant, d InstallDetail) {
	v := view{
		Tone:    "good",
		Title:   "Installed",
		Lead:    "The app is installed on store",
		Store:   in.Store,
		Scopes:  scopesOf(in.Scopes),
		Missing: scopesOf(d.Missing),
		Extra:   scopesOf(d.Extra),
	}
	if g.Store == "" {
		v.Tone, v.Title = "plain", "Caught"
		v.Lead = "The install was caught and is kept. It is finished when the app spends the code, at store"
	} else {
		v.Scopes = scopesOf(g.Scopes)
		v.Facts = people(g.User, g.Owner)
	}
	if o.TryNext != nil {
		v.Try = o.TryNext(in.Store)
	}
	if in.External && g.Store != "" {
		v.Links = append(v.Links, link{"Finish at BigCommerce", outcome(o, "succeeded")})
	}
	p.show(w, http.StatusOK, v)
}

func (p *pages) refused(w http.ResponseWriter, o Options, in bigcommerce.Install, err error) {
	v := view{
		Tone:    "bad",
		Title:   "Not installed",
		Lead:    "The callback arrived and is kept, but its code could not be exchanged for a token, at store",
		Store:   in.Store,
		Problem: problemOf(err),
		Scopes:  scopesOf(in.Scopes),
	}
	if o.DraftApps != "" {
		v.Links = append(v.Links, link{"Install again from My Draft Apps", o.DraftApps})
	}
	if in.External {
		v.Links = append(v.Links, link{"Back to BigCommerce", outcome(o, "failed")})
	}
	w.Header().Set("Bcdev-Error", v.Problem.Code)
	p.show(w, http.StatusBadGateway, v)
}

// outcome is where an install that began at an external link ends
// (BigCommerce docs, Apps > Install button).
func outcome(o Options, how string) string {
	return strings.TrimSuffix(o.LoginURL, "/") + "/app/" + url.PathEscape(o.App.ClientID) + "/install/" + how
}

func (p *pages) malformed(w http.ResponseWriter, err error) {
	problem := problemOf(err)
	w.Header().Set("Bcdev-Error", problem.Code)
	p.show(w, http.StatusBadRequest, view{
		Tone:    "bad",
		Title:   "Not an install",
		Lead:    "This is the auth callback of an app. BigCommerce opens it with code, context and scope when a merchant installs the app; this request does not have them in order.",
		Problem: problem,
	})
}

func (p *pages) loaded(w http.ResponseWriter, o Options, l bigcommerce.Payload) {
	v := view{
		Tone:  "good",
		Title: "Opened",
		Lead:  "The app was opened, with a valid signature, at store",
		Store: l.Store,
		Facts: people(l.User, l.Owner),
	}
	if to := deepLink(l.URL); to != "" && to != "/" {
		v.Facts = append(v.Facts, fact{"Deep link", to})
	}
	if o.TryNext != nil {
		v.Try = o.TryNext(l.Store)
	}
	p.show(w, http.StatusOK, v)
}

func (p *pages) unverified(w http.ResponseWriter, err error) {
	problem := problemOf(err)
	w.Header().Set("Bcdev-Error", problem.Code)
	p.show(w, http.StatusUnauthorized, view{
		Tone:    "bad",
		Title:   "Not believed",
		Lead:    "This request says that BigCommerce opens the app, but its signed payload does not hold.",
		Problem: problem,
	})
}

func (p *pages) tooLong(w http.ResponseWriter) {
	p.show(w, http.StatusRequestURITooLong, view{
		Tone: "bad", Title: "Too long", Lead: "The query is longer than any callback of BigCommerce.",
	})
}

func (p *pages) notFound(w http.ResponseWriter) {
	p.show(w, http.StatusNotFound, view{
		Tone: "plain", Title: "Nothing here", Lead: "Only the callbacks of the app are behind this address.",
	})
}

// notAllowed refuses a method and says which ones are served.
func notAllowed(w http.ResponseWriter, allowed string) {
	guardHeaders(w.Header())
	w.Header().Set("Allow", allowed)
	http.Error(w, "method not allowed; this callback takes "+allowed, http.StatusMethodNotAllowed)
}

func people(user, owner bigcommerce.User) []fact {
	var facts []fact
	if user.Email != "" {
		facts = append(facts, fact{"User", user.Email})
	}
	if owner.Email != "" && owner.Email != user.Email {
		facts = append(facts, fact{"Owner", owner.Email})
	}
	return facts
}

// scopesOf gives scopes the names the Developer Portal shows.
func scopesOf(ids []string) []scope {
	const most = 200 // a stranger can name as many as fit into a query
	var named []scope
	for _, id := range ids[:min(len(ids), most)] {
		name, level, about := bigcommerce.ScopeName(id)
		named = append(named, scope{ID: id, Name: name, Level: level, About: about})
	}
	return named
}

// plain makes a stranger's text safe to read: what is invisible, or reorders what stands around
// it, becomes a visible mark, and no text goes on for ever.
func plain(s string) string {
	const most = 500
	var b strings.Builder
	for i, r := range s {
		if i >= most {
			b.WriteString("…")
			break
		}
		if !unicode.IsPrint(r) {
			r = '\uFFFD'
		}
		b.WriteRune(r)
	}
	return b.String()
}
