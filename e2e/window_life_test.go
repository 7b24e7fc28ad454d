package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// openWindow is "bcdev up" on a far side of its own, with its window in a browser.
func openWindow(t *testing.T) (*tab, *farSide, *nearSide) {
	t.Helper()
	far := openFarSide(t)
	near := openNearSide(t, far)
	near.install()
	b := openTab(t, "host-resolver-rules", "MAP evil.example 127.0.0.1")
	b.open(near.ready.text("inspector_url"))
	b.until("the list", row("install"))
	return b, far, near
}

func TestTheWindowSaysThatBcdevStoppedAndComesBackByItself(t *testing.T) {
	t.Parallel()
	b, far, near := openWindow(t)
	evaluate[int](b, `window.before = 1`)
	near.stop()
	b.until("a plain word that bcdev stopped", `(p => !p.hidden && p.offsetParent && /stopped|reach/i.test(p.innerText))(document.querySelector('#stopped'))`)
	b.checkAccess("stopped")

	again := startNearSide(t, far, near.env)
	b.until("that it is back", `document.querySelector('#stopped').hidden`)
	far.control("/install", map[string]any{"store": "back0again"}, nil)
	again.next("grant")
	b.until("what arrived since", row("back0again"))
	if !evaluate[bool](b, `window.before === 1`) {
		t.Error("the reader's page was lost")
	}
}

func TestTheWindowOpensByItsKeyAlone(t *testing.T) {
	t.Parallel()
	near := openNearSide(t, openFarSide(t))
	base, _, _ := strings.Cut(near.ready.text("inspector_url"), "/?key=")
	b := openTab(t)
	for _, page := range []string{"/", "/?key=", "/?key=wrong0wrong0wrong0wrong0", "/exchanges/1", "/graphql"} {
		res, err := chromedp.Run(b.ctx, chromedp.NavigateResponse(base+page))
		if err != nil || res.Status != http.StatusUnauthorized {
			t.Errorf("%s without the key: %v %v", page, res, err)
		}
	}
	if text := b.text(); !strings.Contains(text, "needs its key") || strings.Contains(text, "Exchanges") {
		t.Errorf("the page says %q", text)
	}
	b.checkAccess("missing-key")

	b.open(near.ready.text("inspector_url"))
	b.until("the window", `document.querySelector('#rows')`)
	if at := evaluate[string](b, `location.href`); strings.Contains(at, "key") {
		t.Errorf("the key stays in the address: %s", at)
	}
	if seen := evaluate[string](b, `document.cookie`); seen != "" {
		t.Errorf("scripts see the session: %q", seen)
	}
}

func TestAnEmptyWindowSaysWhatToDoNext(t *testing.T) {
	t.Parallel()
	near := openNearSide(t, openFarSide(t))
	b := openTab(t)
	b.open(near.ready.text("inspector_url"))
	b.until("the empty list", `document.querySelector('#empty')`)
	if text := b.text(); !strings.Contains(text, "Developer Portal") || !strings.Contains(text, near.ready.callback("auth")) || !strings.Contains(text, near.door()) {
		t.Errorf("it shows\n%s", text)
	}
	b.checkAccess("empty")
}

func TestTheWindowShowsWhatWaitsForTheApp(t *testing.T) {
	t.Parallel()
	far, app := openFarSide(t), newApp(t)
	near := openNearSide(t, far, "--forward-to", app.url())
	b := openTab(t)
	b.open(near.ready.text("inspector_url"))
	far.control("/uninstall", map[string]any{}, nil)
	b.until("word of what waits", `(q => !q.hidden && /1 waiting/.test(q.innerText))(document.querySelector('#queue'))`)
	b.checkAccess("waiting")

	app.start(near)
	b.until("that it was brought", `document.querySelector('#queue').hidden`)
	b.until("the delivery", `[...document.querySelectorAll('#rows a.row')].some(a => a.innerText.includes('/uninstall') && a.innerText.includes('200') && !a.innerText.startsWith('uninstall'))`)
}

func TestAPageOfAnotherOriginNeitherReadsNorUsesTheWindow(t *testing.T) {
	b, _, near := openWindow(t) // the browser has a session
	port := pageServer(t)
	window, _, _ := strings.Cut(near.ready.text("inspector_url"), "/?key=")
	windowPort := portOf(t, window)
	before := must(t, near.env, bcdev, "list", "--json")
	for _, from := range []struct{ page, window string }{
		{"http://evil.localhost:" + port, window},
		{"http://127.0.0.1:" + port, window},
		{"http://evil.example:" + port, window},
		{"http://evil.example:" + windowPort, "http://evil.example:" + windowPort},
	} {
		t.Run(from.page, func(t *testing.T) {
			at := &tab{t, b.ctx}
			at.open(from.page + "/")
			for way, read := range attacked(at, from.window, "/api/exchanges", "/api/exchanges/1/replay") {
				if strings.Contains(read, "exchanges") || strings.Contains(read, "replays") || way == "image" && read != "" {
					t.Errorf("%s: it read %s", way, brief(read))
				}
			}
		})
	}
	if after := must(t, near.env, bcdev, "list", "--json"); after != before {
		t.Errorf("the journal has changed:\n%s\nwas\n%s", after, before)
	}
	b.open(window + "/")
	if n := evaluate[int](b, `fetch('/api/exchanges').then(r => r.json()).then(l => l.exchanges.length)`); n == 0 {
		t.Error("the window's own page reads nothing, so the rest proves nothing")
	}
}
