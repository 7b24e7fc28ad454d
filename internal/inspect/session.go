package inspect

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
)

// csrfHeader must come with every request that changes something and is let in by the cookie. A
// page of another site cannot send it without asking first, and is never answered yes.
const csrfHeader = "Bcdev-Window"

// policy is what our pages may do: run our one script, use our one style sheet, talk to us. Inline
// script and style, frames, plugins and other sites are out, whatever a stranger's bytes say.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"frame-ancestors 'none'; form-action 'self'; base-uri 'none'"

// guarded is in front of every route: headers, paths that hide something, the session.
func (w *window) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if odd(r) {
			fail(rw, r, refuse(http.StatusNotFound, "unknown_route", "there is no such page", "start at /"))
			return
		}
		if err := w.admit(rw, r); err != nil {
			fail(rw, r, err)
			return
		}
		if !r.URL.Query().Has("key") || strings.HasPrefix(r.URL.Path, "/api/") {
			next.ServeHTTP(rw, r)
			return
		}
		w.enter(rw, r)
	})
}

// odd reports a path that means another one, or that no route of ours has. The router would
// clean it and redirect.
func odd(r *http.Request) bool {
	path := r.URL.EscapedPath()
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, `%\`) || strings.Contains(path, "//") {
		return true
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

// admit lets a request in that has the key, or a session made with it.
func (w *window) admit(rw http.ResponseWriter, r *http.Request) error {
	if crossSite(r) {
		return refuse(http.StatusForbidden, "cross_site", "another site's page may not call the window", "open the window by the address that was shown at start")
	}
	if strings.HasPrefix(r.URL.Path, "/static/") {
		return nil // the style sheet of the page that says how to get in
	}
	given, byKey := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case byKey && same(given, w.o.Key):
		return nil
	case !byKey && r.Method == http.MethodGet && same(r.URL.Query().Get("key"), w.o.Key):
		return nil
	case byKey || !w.hasSession(r):
		rw.Header().Set("WWW-Authenticate", `Bearer realm="bcdev window"`)
		return refuse(http.StatusUnauthorized, "missing_key", "the window needs its key",
			"open the address that bcdev showed at start: it ends with ?key=…; scripts send Authorization: Bearer <key>")
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get(csrfHeader) == "":
		return refuse(http.StatusForbidden, "missing_header", "a change needs the header "+csrfHeader, "send "+csrfHeader+": 1 with the request")
	}
	return nil
}

// crossSite is the second look at where a request comes from; the first is in front of us.
func crossSite(r *http.Request) bool {
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site != "same-origin" && site != "none" {
			return true
		}
	}
	for _, origin := range r.Header["Origin"] {
		if !strings.EqualFold(origin, "http://"+r.Host) {
			return true
		}
	}
	return false
}

func (w *window) hasSession(r *http.Request) bool {
	for _, c := range r.CookiesNamed(w.cookie) {
		if same(c.Value, w.session) {
			return true
		}
	}
	return false
}

// enter turns a key in the address into a session and takes it out of the address, so that it
// stays neither in the history nor in a screenshot.
func (w *window) enter(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if same(q.Get("key"), w.o.Key) {
		http.SetCookie(rw, &http.Cookie{
			Name: w.cookie, Value: w.session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		})
	}
	q.Del("key")
	to := url.URL{Path: r.URL.Path, RawQuery: q.Encode()}
	rw.Header().Set("Location", to.String())
	rw.WriteHeader(http.StatusSeeOther)
}

func same(given, want string) bool {
	return given != "" && subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 1
}
