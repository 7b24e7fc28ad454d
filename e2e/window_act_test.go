package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

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
	d.choose("#graphql [name=api]", "storefront")
	d.fill("#graphql textarea[name=query]", "query Shop($first: Int) { site { settings { storeName } products(first: $first) { edges { node { name } } } } }")
	d.fill("#graphql textarea[name=variables]", `{"first": 2}`)
	d.press("run", button("Run"))
	d.until("the storefront's answer", `/storeName/.test(document.querySelector('.result').innerText) && /edges/.test(document.querySelector('.result').innerText)`)
	d.view("/graphql")
	d.press("the query in the history", `[...document.querySelectorAll('.history button')].find(b => b.innerText.includes('Shop'))`)
	d.until("the query again, with its variables", `(f => f.query.value.includes('storeName') && f.variables.value.includes('2') && f.api.value === 'storefront')(document.querySelector('#graphql').elements)`)
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
	checkHoldNoToken(d.t, d.far(), []string{har})
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
