package inspect

import (
	"net/http"
	"strings"
	"testing"
)

func TestTheKeyBuysASessionAndLeavesTheAddress(t *testing.T) {
	w := newWorld(t)
	a := w.do("GET", "/?key="+testKey+"&q=kind%3Awebhook", "")
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/?q=kind%3Awebhook" {
		t.Fatalf("answered %d, Location %q", a.StatusCode, a.Header.Get("Location"))
	}
	set := a.Header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(set, want) {
			t.Errorf("the cookie lacks %s: %s", want, set)
		}
	}
	if strings.Contains(set, testKey) || strings.Contains(set, "Domain") {
		t.Errorf("the cookie gives the key, or a domain: %s", set)
	}
	if a := w.do("GET", "/api/exchanges", "", "Cookie", w.session()); a.StatusCode != http.StatusOK {
		t.Errorf("with the session: %d", a.StatusCode)
	}
}

func TestWhoHasNoKeyLearnsNothing(t *testing.T) {
	w := newWorld(t)
	w.add(call("abc123xyz", "/v3/secret-path", 200))
	for _, path := range []string{"/", "/exchanges/1", "/exchanges/1/diff/1", "/graphql", "/call", "/trigger", "/api/exchanges", "/api/exchanges/1",
		"/api/events", "/api/status", "/api/export", "/api/exchanges/1/body", "/api/exchanges/1/export", "/api/graphql/history", "/nothing"} {
		for name, headers := range map[string][]string{
			"I01 no session":             nil,
			"a wrong key":                {"Authorization", "Bearer wrong"},
			"a wrong cookie":             {"Cookie", "bcdev-00000000=1"},
			"the key as the cookie":      {"Cookie", strings.Split(w.session(), "=")[0] + "=" + testKey},
			"a wrong key beside cookies": {"Authorization", "Bearer wrong", "Cookie", w.session()},
		} {
			a := w.do("GET", path, "", headers...)
			if a.StatusCode != http.StatusUnauthorized || strings.Contains(a.text, "secret-path") {
				t.Errorf("%s, %s: %d", name, path, a.StatusCode)
			}
		}
	}
	a := w.do("GET", "/", "", "Accept", "text/html")
	if a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.text, "the address that bcdev showed at start") || !strings.Contains(a.Header.Get("Content-Type"), "text/html") {
		t.Errorf("a browser without the key sees %d\n%s", a.StatusCode, a.text)
	}
	if a := w.do("GET", "/?key=wrong", "", "Accept", "text/html"); a.StatusCode != http.StatusUnauthorized || a.Header.Get("Set-Cookie") != "" {
		t.Errorf("a wrong key in the address: %d", a.StatusCode)
	}
}

func TestI02I03AnotherSitesPageIsRefusedWithAValidSession(t *testing.T) {
	w := newWorld(t)
	session := w.session()
	for name, headers := range map[string][]string{
		"I02 cross-site fetch": {"Sec-Fetch-Site", "cross-site"},
		"same site only":       {"Sec-Fetch-Site", "same-site"},
		"I03 foreign origin":   {"Origin", "https://evil.example"},
		"null origin":          {"Origin", "null"},
	} {
		for _, path := range []string{"/api/exchanges", "/api/events", "/", "/?key=" + testKey} {
			a := w.do("GET", path, "", append(headers, "Cookie", session)...)
			if a.StatusCode != http.StatusForbidden || a.code() != "cross_site" {
				t.Errorf("%s, %s: %d %s", name, path, a.StatusCode, a.text)
			}
		}
	}
	if a := w.do("GET", "/api/exchanges", "", "Cookie", session, "Origin", w.server.URL, "Sec-Fetch-Site", "same-origin"); a.StatusCode != http.StatusOK {
		t.Errorf("our own page: %d %s", a.StatusCode, a.text)
	}
}

func TestI08OnlyAPostWithItsHeaderReplays(t *testing.T) {
	w := newWorld(t)
	w.add(hook("store/order/created"))
	session := w.session()
	if a := w.do("GET", "/api/exchanges/1/replay", "", "Cookie", session); a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %d, Allow %q", a.StatusCode, a.Header.Get("Allow"))
	}
	if a := w.do("POST", "/api/exchanges/1/replay", "{}", "Cookie", session, "Content-Type", "application/json"); a.StatusCode != http.StatusForbidden || a.code() != "missing_header" {
		t.Errorf("without the header: %d %s", a.StatusCode, a.text)
	}
	if a := w.do("POST", "/api/exchanges/1/replay", "to=x", "Cookie", session, csrfHeader, "1", "Content-Type", "application/x-www-form-urlencoded"); a.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("as a form: %d %s", a.StatusCode, a.text)
	}
	if len(w.replays) != 0 {
		t.Fatalf("%d replays happened", len(w.replays))
	}
	if a := w.do("POST", "/api/exchanges/1/replay", "{}", "Cookie", session, csrfHeader, "1", "Content-Type", "application/json"); a.StatusCode != http.StatusOK || len(w.replays) != 1 {
		t.Errorf("with it: %d %s", a.StatusCode, a.text)
	}
}

func TestI12PathsThatHideSomethingAreNotFound(t *testing.T) {
	w := newWorld(t)
	w.add(call("", "/v2/store", 200))
	for _, path := range []string{
		"/api/exchanges/../../../../etc/passwd", "/api/exchanges/%2e%2e%2f", "/api/exchanges/%2e%2e%2fetc", "/static/../inspect.go", "/static/%2e%2e/inspect.go",
		"/api/exchanges/1%00", "/api//exchanges", "/api/exchanges/+1", "/api/exchanges/0", "/api/exchanges/-1", "/api/exchanges/01x",
		"/api/exchanges/99999999999999999999", "/api/exchanges/latest", "/static/window.go", "/exchanges/1/../1",
	} {
		if a := w.get(path); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.Header.Get("Location"))
		}
	}
}

func TestEveryAnswerForbidsWhatAPageMustNotDo(t *testing.T) {
	w := newWorld(t)
	w.add(call("", "/v2/store", 200))
	for _, path := range []string{"/", "/exchanges/1", "/api/exchanges", "/api/status", "/nothing", "/static/window.js", "/graphql"} {
		a := w.get(path)
		csp := a.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy lacks %q", path, want)
			}
		}
		if strings.Contains(csp, "unsafe") || a.Header.Get("X-Frame-Options") != "DENY" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, a.Header)
		}
		if !strings.HasPrefix(path, "/static/") && a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be kept: %q", path, a.Header.Get("Cache-Control"))
		}
	}
}

func TestNoPageHasInlineScriptOrStyle(t *testing.T) {
	w := newWorld(t)
	w.add(hook("store/order/created", "signature:valid"))
	w.add(call("abc123xyz", "/stores/abc123xyz/v3/catalog/products?limit=1", 403))
	for _, path := range []string{"/", "/exchanges/1", "/exchanges/2", "/exchanges/1/diff/2", "/graphql", "/call", "/trigger"} {
		page := strings.ToLower(w.page(path).text)
		if strings.Contains(page, " style=") || strings.Contains(page, "<style") || strings.Contains(page, "javascript:") ||
			strings.Contains(page, " onclick=") || strings.Count(page, "<script") != 1 || !strings.Contains(page, `<script type="module" src="/static/window.js"></script>`) {
			t.Errorf("%s has inline script or style", path)
		}
		if strings.Contains(page, "zgotmplz") {
			t.Errorf("%s has a value that its template refused", path)
		}
	}
}

func TestThePageWeighsLessThan100KB(t *testing.T) {
	w := newWorld(t)
	for range 100 {
		w.add(hook("store/product/inventory/order/updated", "signature:valid", "duplicate", "retry:2"))
	}
	total := 0
	for _, path := range []string{"/", "/static/window.css", "/static/window.js", "/static/icon.svg"} {
		total += len(w.page(path).text)
	}
	if total > 100_000 {
		t.Errorf("a full list weighs %d bytes", total)
	}
}
