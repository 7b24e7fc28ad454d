package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
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

func editAndReplay(d *demo) {
	got := make(chan string, 10)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("X-Edited")
		fmt.Fprint(w, "brought")
	}))
	defer app.Close()
	d.view("/?q=kind:webhook+door:public")
	d.press("a webhook", `document.querySelector('#rows a.row')`)
	d.until("it is open", `document.querySelector('#pane article.one')`)
	d.press("replay", `document.querySelector('#tab-replay')`)
	d.fill("form[data-replay] [name=to]", app.URL)
	d.press("edit", button("Edit before sending"))
	d.fill("form[data-replay] [name=headers]", "X-Edited: by hand")
	d.checkAccess("replay-edited")
	d.press("send", button("Send replay"))
	d.until("the answer beside it", `/200/.test(document.querySelector('form[data-replay] .result').innerText)`)
	d.picture("replayed")
	if len(got) != 1 {
		d.t.Fatalf("the app was asked %d times", len(got))
	}
	if header := <-got; header != "by hand" {
		d.t.Errorf("the app got the header %q", header)
	}
}

func tryCall(d *demo) {
	d.view("/call")
	d.choose("#call [name=store]", "sbx7demo1")
	d.fill("#call [name=path]", "/v2/store")
	d.press("send", button("Send"))
	d.until("the answer", `/200/.test(document.querySelector('.result').innerText)`)
	d.checkAccess("call")

	d.choose("#call [name=method]", "POST")
	d.fill("#call [name=path]", "/v3/catalog/products")
	d.press("headers and body", button("Headers and body"))
	d.fill("#call [name=body]", `{"name":"Made in the window","type":"physical","weight":1,"price":2}`)
	for _, agreed := range []bool{false, true} {
		evaluate[bool](d.tab, fmt.Sprintf(`window.asked = '', window.confirm = question => { window.asked = question; return %t }, true`, agreed))
		d.press("send", button("Send"))
		d.until("a question before a write", `/POST/.test(window.asked) && !document.querySelector('#call button.main').disabled`)
		if made := len(d.far().received("POST", "/stores/")); made > 0 != agreed {
			d.t.Errorf("agreed %t, and %d writes reached BigCommerce", agreed, made)
		}
	}
	if text := d.text(); !strings.Contains(text, "Made in the window") {
		d.t.Errorf("the answer shows\n%s", text)
	}
}

func runGraphQL(d *demo) {
	d.view("/graphql")
	d.choose("#graphql [name=store]", "sbx7demo1")
	d.do(chromedp.Click(chromedp.CSS("#graphql textarea[name=query]")), chromedp.KeyEvent("\r", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	d.until("the answer", `/"?data"?/.test(document.querySelector('.result').innerText) && /name/.test(document.querySelector('.result').innerText)`)
	d.checkAccess("graphql")
	d.view("/graphql")
	d.until("the query in the history", `document.querySelector('.history button')`)
}

func triggerEvent(d *demo) {
	got := make(chan string, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}))
	defer app.Close()
	d.view("/trigger")
	d.fill("#trigger [name=event]", "store/order/created")
	d.choose("#trigger [name=store]", "sbx7demo1")
	d.fill("#trigger [name=to]", app.URL)
	d.press("trigger", `document.querySelector('#trigger button.main')`)
	d.until("what the app said", `/200/.test(document.querySelector('.result').innerText)`)
	if body := <-got; !strings.Contains(body, "store/order/created") {
		d.t.Errorf("the app got %s", body)
	}
	d.checkAccess("trigger")
}

// exportAndImport clicks the download, checks the file with another program, and reads it in again.
func exportAndImport(d *demo) {
	dir := d.t.TempDir()
	_, err := chromedp.CallBrowser(d.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.view("/?q=kind:api")
	before := evaluate[int](d.tab, `fetch('/api/exchanges?q=kind:api&limit=1000').then(r => r.json()).then(l => l.exchanges.length)`)
	d.press("export", button("Export"))
	d.press("HAR", button("HAR 1.2"))
	har := d.download(dir, ".har")
	var archive struct {
		Log struct{ Entries []json.RawMessage }
	}
	content, err := os.ReadFile(har)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := json.Unmarshal(content, &archive); err != nil || len(archive.Log.Entries) == 0 {
		d.t.Fatalf("the HAR holds %d entries: %v", len(archive.Log.Entries), err)
	}
	must(d.t, nil, "node", client(d.t, "har.js"), har)
	d.openInNetworkPanel(string(content), len(archive.Log.Entries))
	d.view("/?q=kind:api")
	d.do(chromedp.SetUploadFiles(chromedp.CSS("#import"), []string{har}))
	d.until("what was read is in the list", fmt.Sprintf(
		`fetch('/api/exchanges?q=kind:api&limit=1000').then(r => r.json()).then(l => l.exchanges.length === %d)`, before+len(archive.Log.Entries)))
}

// openInNetworkPanel loads a HAR as the import button of Chromium's own network panel does.
func (d *demo) openInNetworkPanel(har string, entries int) {
	d.t.Helper()
	const bundled = "devtools://devtools/bundled/"
	d.open(bundled + "devtools_app.html")
	modules := fmt.Sprintf(`Promise.all(['ui/legacy/legacy.js', 'panels/network/network.js', 'models/logs/logs.js'].map(m => import(%s + m)))`, quote(bundled))
	if _, err := tryEvaluate[any](d.tab, modules+`.then(() => true)`); err != nil {
		d.t.Logf("this Chromium has its developer tools in other places, so the network panel is left out: %v", err)
		return
	}
	shown := evaluate[[]string](d.tab, fmt.Sprintf(`%s.then(async ([UI, {NetworkPanel}, {NetworkLog}]) => {
		await UI.ViewManager.ViewManager.instance().showView('network')
		await NetworkPanel.NetworkPanel.instance().networkLogView.onLoadFromFile(new File([%s], 'bcdev.har'))
		return NetworkLog.NetworkLog.instance().requests().map(r => r.requestMethod + ' ' + r.url() + ' ' + r.statusCode)
	})`, modules, quote(har)))
	if len(shown) != entries || !strings.Contains(strings.Join(shown, "\n"), "/v3/catalog/products") {
		d.t.Errorf("of %d entries the network panel shows %q", entries, shown)
	}
	d.picture("network-panel")
}

// download waits for a file.
func (d *demo) download(dir, ext string) string {
	d.t.Helper()
	var found []string
	d.until("the download", `true`)
	waitFor(d.t, "a file "+ext, func() bool {
		found, _ = filepath.Glob(filepath.Join(dir, "*"+ext))
		return len(found) > 0
	})
	return found[0]
}

// hostileBody has a stranger's bytes in every place of an exchange and looks at all of them.
func hostileBody(d *demo) {
	const evil = `<script>window.pwned=1</script><img src=x onerror="window.pwned=1"><svg onload="window.pwned=1">"'--></textarea></style>`
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("X-Evil", evil)
		w.Header().Set("Refresh", "0;url=javascript:window.pwned=1")
		fmt.Fprint(w, "<!doctype html><body onload='window.pwned=1'>"+evil)
	}))
	defer app.Close()
	d.far().control("/webhook", map[string]any{"scope": "store/order/created", "data": map[string]any{"type": evil, "id": 1, evil: evil}, "destination": d.ready.callback("webhooks")}, nil)
	id := evaluate[int](d.tab, `fetch('/api/exchanges?q=kind:webhook+door:public&limit=1').then(r => r.json()).then(l => l.exchanges[0].id)`)
	replayed := evaluate[int](d.tab, fmt.Sprintf(
		`fetch('/api/exchanges/%d/replay', {method: 'POST', headers: {'Bcdev-Window': '1', 'Content-Type': 'application/json'}, body: JSON.stringify({to: %s})})
		.then(r => r.json()).then(l => l.replays[0].id)`, id, quote(app.URL)))
	for _, id := range []int{id, replayed} {
		d.view(fmt.Sprintf("/exchanges/%d", id))
		d.until("it is open", `document.querySelector('#pane article.one')`)
		for _, side := range []string{"decoded", "headers", "body", "raw"} {
			d.press("the tab "+side, fmt.Sprintf(`document.querySelector('#tab-%s')`, side))
		}
		if evaluate[bool](d.tab, `'pwned' in window || !!document.querySelector('#pane script, #pane img[src=x], #pane svg[onload]')`) {
			d.t.Errorf("#%d ran, or became a part of the page", id)
		}
	}
	d.picture("hostile")
	if !strings.Contains(d.text(), "window.pwned") {
		d.t.Errorf("the body is not shown:\n%s", d.text())
	}
	d.checkRawBody(replayed)
}

// checkRawBody opens the address of a hostile page's bytes: they are a download, and no page.
func (d *demo) checkRawBody(id int) {
	d.t.Helper()
	head := evaluate[map[string]string](d.tab, fmt.Sprintf(
		`fetch('/api/exchanges/%d/body?part=response').then(r => Object.fromEntries(r.headers))`, id))
	if !strings.HasPrefix(head["content-disposition"], "attachment") || strings.Contains(head["content-type"], "html") || head["x-content-type-options"] != "nosniff" {
		d.t.Errorf("the bytes are served with %v", head)
	}
}
