package inspect

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/redact"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

var errorPage = template.Must(template.New("error").ParseFS(templateFiles, "templates/error.html")).Lookup("error")

// pages are the templates, parsed once.
type pages struct{ t *template.Template }

func newPages() (*pages, error) {
	t, err := template.New("").Funcs(template.FuncMap{
		"stamp": func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") },
		"clock": func(at time.Time) string { return at.UTC().Format("15:04:05") },
		"full":  func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05.000 UTC") },
	}).ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("reading the window's templates: %w", err)
	}
	return &pages{t}, nil
}

// fragment is one template as text; a template of ours that fails is a mistake of ours, and shows.
func (p *pages) fragment(name string, data any) string {
	var b bytes.Buffer
	if err := p.t.ExecuteTemplate(&b, name, data); err != nil {
		return "<!-- " + template.HTMLEscapeString(err.Error()) + " -->"
	}
	return b.String()
}

func (p *pages) row(r row) string { return p.fragment("row", r) }

// page is what the templates show.
type page struct {
	Title, View string
	Status      Status
	LinkWords   string
	QueueWords  string

	Filter      string
	FilterError string
	FilterHint  string
	Suffix      template.URL // the filter as further parameters
	Quick       []quick
	Rows        []row
	Before      int64
	Callbacks   []pair
	One         *onePage
	Diff        *diffPage

	History []asked
	Events  []bigcommerce.Event
	Paths   []string
	Path    string // to begin with
	To      string // where the last delivery went, when there is no local app
}

// quick is a filter that is one click away.
type quick struct {
	Words, Link string
	Current     bool
}

type diffPage struct {
	A, B row
	Diff Diff
}

func (w *window) page(view, title string) *page {
	p := &page{View: view, Title: title, Status: w.status()}
	p.LinkWords = linkWords(p.Status.Link)
	p.QueueWords = queueWords(p.Status.Waiting)
	return p
}

func linkWords(l Link) string {
	switch {
	case l.State == "":
		return "no tunnel"
	case l.Provider == "none":
		return "own tunnel, listening"
	}
	return "tunnel " + l.State
}

func queueWords(q Waiting) string {
	if q.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%d waiting for the local app; BigCommerce has its 200 already", q.Count)
}

// show writes a page, or only its changing part for the page's own script.
func (w *window) show(rw http.ResponseWriter, name string, data any) {
	var b bytes.Buffer
	if err := w.pages.t.ExecuteTemplate(&b, name, data); err != nil {
		w.o.Logger.Error("a page of the window cannot be made", "page", name, "error", err)
		http.Error(rw, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = rw.Write(b.Bytes())
}

// isFragment reports that the page's own script asks for the part that changes.
func isFragment(r *http.Request) bool { return r.Header.Get("Bcdev-Fragment") != "" }

func (w *window) servePageList(rw http.ResponseWriter, r *http.Request) {
	if wantsJSON(r) {
		w.serveList(rw, r)
		return
	}
	p := w.page("list", "Exchanges")
	w.fillList(p, r, 0)
	if isFragment(r) {
		w.show(rw, "welcome", p)
		return
	}
	w.show(rw, "page", p)
}

// fillList puts the list beside whatever else the page shows. A filter that cannot be read shows
// why, above an empty list.
func (w *window) fillList(p *page, r *http.Request, current int64) {
	p.Filter = r.URL.Query().Get("q")
	p.Quick = quickFilters(p.Filter)
	if p.Filter != "" {
		p.Suffix = template.URL("&q=" + queryEscape(p.Filter)) // escaped
	}
	for _, name := range []string{"auth", "load", "uninstall", "remove_user", "webhooks"} {
		if u := p.Status.Callbacks[name]; u != "" {
			p.Callbacks = append(p.Callbacks, pair{map[string]string{"remove_user": "remove user"}[name], u})
			if last := &p.Callbacks[len(p.Callbacks)-1]; last.Name == "" {
				last.Name = name
			}
		}
	}
	q, found, err := w.find(r)
	if err != nil {
		problem := problemOf(err)
		p.FilterError, p.FilterHint = redact.Terminal(problem.Message), problem.Next
		return
	}
	p.Before = next(found, q.Limit)
	for _, e := range found {
		row := rowOf(e, p.Filter)
		row.Current = e.ID == current
		p.Rows = append(p.Rows, row)
	}
}

func quickFilters(filter string) []quick {
	list := []quick{
		{Words: "all", Link: ""}, {Words: "installs", Link: "kind:install"}, {Words: "webhooks", Link: "kind:webhook door:public"},
		{Words: "API", Link: "kind:api"}, {Words: "replays", Link: "kind:replay"}, {Words: "failures", Link: "status:>=400"},
	}
	for i, f := range list {
		list[i].Current = f.Link == strings.TrimSpace(filter)
		list[i].Link = "/"
		if f.Link != "" {
			list[i].Link = "/?q=" + url.QueryEscape(f.Link)
		}
	}
	return list
}

func (w *window) servePageOne(rw http.ResponseWriter, r *http.Request) {
	id, err := idOf(r, "id")
	if err != nil {
		fail(rw, r, err)
		return
	}
	if wantsJSON(r) {
		w.serveOne(rw, r)
		return
	}
	e, err := w.original(r.Context(), id)
	if err != nil {
		fail(rw, r, err)
		return
	}
	p := w.page("list", fmt.Sprintf("#%d %s", e.ID, wordOf(e.Kind)))
	p.One = w.onePage(r.Context(), e, r.URL.Query().Get("q"), p.Status)
	if isFragment(r) {
		w.show(rw, "one", p.One)
		return
	}
	w.fillList(p, r, e.ID)
	w.show(rw, "page", p)
}

func (w *window) servePageDiff(rw http.ResponseWriter, r *http.Request) {
	if wantsJSON(r) {
		w.serveDiff(rw, r)
		return
	}
	a, b, err := w.both(r)
	if err != nil {
		fail(rw, r, err)
		return
	}
	p := w.page("list", fmt.Sprintf("#%d and #%d", a.ID, b.ID))
	p.Diff = &diffPage{rowOf(a, ""), rowOf(b, ""), diffOf(a, b)}
	if isFragment(r) {
		w.show(rw, "diff", p.Diff)
		return
	}
	w.fillList(p, r, 0)
	w.show(rw, "page", p)
}

func (w *window) servePageGraphQL(rw http.ResponseWriter, r *http.Request) {
	p := w.page("graphql", "GraphQL")
	history, err := w.history(r)
	if err != nil {
		fail(rw, r, err)
		return
	}
	p.History = history
	w.show(rw, "page", p)
}

func (w *window) servePageCall(rw http.ResponseWriter, r *http.Request) {
	p := w.page("call", "Try it")
	p.Paths = w.recentPaths(r)
	p.Path = redact.Terminal(clipText(firstOf(r.URL.Query().Get("path"), "/v3/catalog/products"), longestFilter))
	for i := range p.Status.Stores {
		p.Status.Stores[i].Chosen = p.Status.Stores[i].Store == r.URL.Query().Get("store")
	}
	w.show(rw, "page", p)
}

func (w *window) servePageTrigger(rw http.ResponseWriter, r *http.Request) {
	p := w.page("trigger", "Trigger")
	if p.Status.App == "" {
		p.To = w.lastTarget(r.Context())
	}
	p.Events = bigcommerce.Events()
	w.show(rw, "page", p)
}

// recentPaths are what was called lately, and what most begin with.
func (w *window) recentPaths(r *http.Request) []string {
	paths := []string{"/v2/store", "/v3/catalog/products", "/v3/catalog/summary", "/v3/customers", "/v2/orders", "/v3/hooks"}
	found, err := w.o.Journal.Find(r.Context(), capture.Query{Kinds: []capture.Kind{capture.Call}, Limit: 50})
	if err != nil {
		return paths
	}
	known := map[string]bool{}
	for _, p := range paths {
		known[p] = true
	}
	for _, e := range found {
		if path := rowOf(e, "").Path; !known[path] && apiPath(path) {
			known[path] = true
			paths = append(paths, path)
		}
	}
	return paths
}

// serveStatic hands out what belongs to the pages. It is ours and holds no data.
func (w *window) serveStatic(rw http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if name == "" {
		name = "icon.svg"
	}
	kind := map[string]string{
		"window.css": "text/css; charset=utf-8", "window.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
	}[name]
	content, err := staticFiles.ReadFile("static/" + name)
	if err != nil || kind == "" {
		fail(rw, r, refuse(http.StatusNotFound, "unknown_route", "there is no such file", "start at /"))
		return
	}
	rw.Header().Set("Content-Type", kind)
	rw.Header().Set("Cache-Control", "no-cache")
	_, _ = rw.Write(content)
}
