package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// demo is "bcdev demo" with the window open in a browser.
type demo struct {
	*tab
	program *program
	ready   event
	state   string
}

// openDemo waits until the demo has made its journey, so that its exchanges are there.
func openDemo(t *testing.T) *demo {
	t.Helper()
	state := t.TempDir()
	p := run(t, []string{"BCDEV_STATE_DIR=" + state}, bcdev, "demo", "--json", "--port", "0")
	d := &demo{program: p, ready: p.next("ready"), state: state}
	p.next("next")
	d.tab = openTab(t)
	return d
}

// enter opens the window by the address that was shown.
func (d *demo) enter() {
	d.t.Helper()
	d.open(d.ready.text("inspector_url"))
	d.until("the list", `document.querySelectorAll('#rows li').length > 3`)
}

func (d *demo) base() string {
	base, _, _ := strings.Cut(d.ready.text("inspector_url"), "/?key=")
	return base
}

// far is the control face of the demo's far side.
func (d *demo) far() *farSide { return &farSide{d.t, d.ready} }

// view is the rest of the window's address.
func (d *demo) view(path string) {
	d.t.Helper()
	d.open(d.base() + path)
}

// row finds a row of the list by what it shows.
func row(has string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('#rows a.row')].find(a => a.innerText.includes(%s))`, quote(has))
}

// press clicks what an expression finds, as a person does: by the mouse, where it is.
func (b *tab) press(what, expression string) {
	b.t.Helper()
	b.until(what, expression)
	evaluate[bool](b, expression+`.scrollIntoView({block: 'nearest'}), true`)
	b.do(chromedp.Click(chromedp.JSPath(expression), chromedp.NodeVisible))
}

// button finds a button or link by its words.
func button(words string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('button, a, summary, [role=tab]')].find(e => e.innerText.trim().startsWith(%s) && e.offsetParent)`, quote(words))
}

// fill types into a field, over what is in it.
func (b *tab) fill(field, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(field)))
	evaluate[bool](b, fmt.Sprintf(`document.querySelector(%s).value = '', true`, quote(field)))
	b.do(chromedp.SendKeys(chromedp.CSS(field), text))
}

// choose takes an option of a list.
func (b *tab) choose(field, value string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(field)))
	evaluate[bool](b, fmt.Sprintf(`(list => { list.value = %s; return list.dispatchEvent(new Event('change', {bubbles: true})) })(document.querySelector(%s))`, quote(value), quote(field)))
}

func TestTheWindowAsAPersonUsesIt(t *testing.T) {
	t.Parallel()
	d := openDemo(t)
	d.enter()
	d.far().control("/install", map[string]any{"store": "second0shop"}, nil)
	d.step(t, "an install arrives live", installArrives)
	d.step(t, "filter", filterList)
	d.step(t, "open, and look at every side", openOne)
	d.step(t, "marks of what is not in order", lookAtTrouble)
	d.step(t, "keys", useKeys)
	d.step(t, "diff", compareTwo)
	d.step(t, "edit and replay", editAndReplay)
	d.step(t, "try a call", tryCall)
	d.step(t, "a GraphQL query", runGraphQL)
	d.step(t, "trigger an event", triggerEvent)
	d.step(t, "export and reopen the HAR", exportAndImport)
	d.step(t, "a hostile body", hostileBody)
}

// step is one subtest on the same window.
func (d *demo) step(t *testing.T, name string, f func(*demo)) {
	t.Run(name, func(t *testing.T) {
		at := *d
		at.tab = &tab{t, d.ctx}
		f(&at)
	})
}

func installArrives(d *demo) {
	d.view("/")
	evaluate[int](d.tab, `window.before = 1`)
	d.far().control("/install", map[string]any{"store": "live0shop"}, nil)
	d.until("the install's row", row("live0shop"))
	if !evaluate[bool](d.tab, `window.before === 1`) {
		d.t.Error("the page was loaded anew for it")
	}
	if first := evaluate[string](d.tab, `[...document.querySelectorAll('#rows a.row')].slice(0, 4).map(a => a.innerText).join('\n')`); !strings.Contains(first, "live0shop") {
		d.t.Errorf("the newest rows are\n%s", first)
	}
	d.checkAccess("list")
}

func filterList(d *demo) {
	d.view("/")
	d.fill("#q", "kind:webhook\r")
	d.until("webhooks only", `(rows => rows.length > 0 && rows.every(k => k.innerText.includes('webhook')))([...document.querySelectorAll('#rows .kind')])`)
	d.far().control("/webhook", map[string]any{"scope": "store/order/created", "data": map[string]any{"type": "order", "id": 4711}, "destination": d.ready.callback("webhooks")}, nil)
	d.fill("#q", "kind:nonsense\r")
	d.until("a word about the filter", `document.querySelector('#q-error').innerText.includes('nonsense')`)
	d.checkAccess("bad-filter")
	d.fill("#q", "path:/never/there\r")
	d.until("an empty list that says what next", `document.querySelector('#empty').innerText.length > 20`)
	d.checkAccess("nothing-matches")
}

func openOne(d *demo) {
	d.view("/?q=kind:install")
	d.press("the install", row("second0shop"))
	d.until("it is open", `document.querySelector('#pane article.one') && location.pathname.startsWith('/exchanges/')`)
	d.until("it is decoded", `/second0shop/.test(document.querySelector('#panel-decoded').innerText) && /store_v2_products/.test(document.querySelector('#panel-decoded').innerText)`)
	for _, side := range []string{"decoded", "headers", "body", "raw", "timing", "replay"} {
		d.press("the tab "+side, fmt.Sprintf(`document.querySelector('#tab-%s')`, side))
		d.until("its panel", fmt.Sprintf(`document.querySelector('#panel-%s').offsetParent && document.querySelector('#tab-%s').ariaSelected === 'true'`, side, side))
		d.checkAccess("install-" + side)
	}
	d.view("/?q=kind:api")
	d.press("an API call", `document.querySelector('#rows a.row')`)
	d.until("it is open", `document.querySelector('#pane article.one')`)
	d.press("its body", `document.querySelector('#tab-body')`)
	d.checkAccess("call-body")
	d.view("/?q=kind:webhook door:public")
	d.press("a webhook", `document.querySelector('#rows a.row')`)
	d.until("it is open", `document.querySelector('#pane article.one')`)
	d.checkAccess("webhook-decoded")
}

// lookAtTrouble has a load, a webhook with a wrong signature, a call that fails and a spent quota
// in the list, and opens each.
func lookAtTrouble(d *demo) {
	far, door := d.far(), d.ready.text("proxy_url")
	far.control("/load", map[string]any{"url": "/orders/118"}, nil)
	far.browse(d.ready.callback("load") + "?signed_payload_jwt=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzIn0.c2lnbmF0dXJl")
	far.post(d.ready.callback("webhooks"), `{"scope":"store/order/created","store_id":"1","data":{"type":"order","id":1},"hash":"x","created_at":1795400000,"producer":"stores/sbx7demo1"}`)
	call(d.t, http.MethodGet, door+"/stores/sbx7demo1/v3/catalog/products/999999", "")
	call(d.t, http.MethodGet, door+"/stores/sbx7demo1/v3/pricelists", "")
	far.control("/quota", map[string]any{"left": 4, "store": "sbx7demo1"}, nil)
	call(d.t, http.MethodGet, door+"/stores/sbx7demo1/v2/time", "")

	d.view("/")
	d.until("a quota that is low", `document.querySelector('.quota.low')`)
	d.checkAccess("troubles")
	for name, of := range map[string]string{"load": "kind:load status:2xx", "bad-load": "kind:load status:4xx", "bad-webhook": "kind:webhook", "failed-call": "kind:api status:4xx"} {
		d.view("/?q=" + url.QueryEscape(of))
		d.press(name, `document.querySelector('#rows a.row')`)
		d.until("it is open", `document.querySelector('#pane article.one')`)
		d.checkAccess(name)
	}
	far.control("/quota", map[string]any{"left": 150, "store": "sbx7demo1"}, nil)
}

func useKeys(d *demo) {
	d.view("/")
	d.do(chromedp.KeyEvent("j"), chromedp.KeyEvent("j"), chromedp.KeyEvent("k"), chromedp.KeyEvent("\r"))
	d.until("an exchange opened by keys", `document.querySelector('#pane article.one')`)
	d.do(chromedp.KeyEvent("r"))
	d.until("the replay sheet by r", `document.querySelector('form[data-replay]').offsetParent`)
	d.view("/")
	d.do(chromedp.KeyEvent("/"))
	d.until("the filter by /", `document.activeElement.id === 'q'`)
	d.do(chromedp.KeyEvent("\x1b"), chromedp.KeyEvent("?"))
	d.until("the list of keys by ?", `document.querySelector('#keys').open`)
	d.checkAccess("keys")
}

func compareTwo(d *demo) {
	ids := evaluate[[]int](d.tab, `fetch('/api/exchanges?q=kind:install+door:public').then(r => r.json()).then(l => l.exchanges.map(e => e.id))`)
	if len(ids) < 2 {
		d.t.Fatalf("there are %d installs", len(ids))
	}
	d.view(fmt.Sprintf("/exchanges/%d", ids[0]))
	d.fill("#with", fmt.Sprint(ids[1]))
	d.press("compare", button("Compare"))
	d.until("the diff", `location.pathname.includes('/diff/') && document.querySelector('.diffs')`)
	if text := d.text(); !strings.Contains(text, "What differs") && !strings.Contains(text, "Headers") {
		d.t.Errorf("the diff shows\n%s", text)
	}
	d.checkAccess("diff")
}
