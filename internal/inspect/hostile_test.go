package inspect

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"bcdev/capture"
)

const attack = `"><script>alert(1)</script><img src=x onerror=alert(2)>'` + "`${7}{{7}}"

func TestNothingOfAStrangerIsMarkup(t *testing.T) {
	w := newWorld(t)
	hostile := capture.Exchange{
		Door: capture.Public, Kind: capture.Hook, Topic: "store/" + attack, Store: attack, Method: "POST", Target: "/webhooks?" + attack, Host: attack,
		Proto: attack, Remote: attack, Status: 200, Err: attack, Hint: attack, Marks: []string{attack, "retry:" + attack, "signature:invalid"}, Verdict: attack,
		Detail:   []byte(`{"scope":"store/x","hash":"\"><script>alert(3)</script>","data":{"<script>":"</script><script>alert(4)</script>"},"problem":{"text":"<script>","hint":"<script>"}}`),
		Request:  capture.Message{Header: http.Header{"X-<script>alert(5)</script>": {attack}, "Content-Type": {"text/html" + attack}}, Body: []byte("<script>alert(6)</script>")},
		Response: capture.Message{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"<script>alert(7)</script>":"<img src=x onerror=alert(8)>"}`)},
	}
	w.add(hostile)
	api := call("abc123xyz", "/stores/abc123xyz/graphql?"+attack, 403)
	api.Method, api.Request.Body = "POST", []byte(`{"query":"{ a } # </pre><script>alert(9)</script>","variables":{"<script>":1}}`)
	w.add(api)
	load := capture.Exchange{Door: capture.Public, Kind: capture.Load, Target: "/load?url=" + attack, Status: 200,
		Detail: []byte(`{"url":"javascript:alert(1)//<script>","aud":"<script>","claims":{"<script>":"<script>"}}`)}
	w.add(load)
	w.status.PublicURL, w.status.App = "https://"+attack, attack
	w.status.Stores = []Store{{Store: attack, Alias: attack}}
	w.status.Callbacks = map[string]string{"auth": attack}
	for _, path := range []string{"/", "/?q=" + "%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "/exchanges/1", "/exchanges/2", "/exchanges/3", "/exchanges/1/diff/2", "/exchanges/1/diff/3", "/graphql", "/call", "/trigger"} {
		page := strings.Replace(w.page(path).text, `<script type="module" src="/static/window.js"></script>`, "", 1)
		for _, bad := range []string{"<script", "<img src=x", `href="javascript`, "ZgotmplZ"} {
			if i := strings.Index(page, bad); i >= 0 {
				t.Errorf("%s has %q as markup: …%s…", path, bad, page[max(0, i-80):min(len(page), i+80)])
			}
		}
		if path == "/exchanges/1" && !strings.Contains(page, "&lt;script&gt;") {
			t.Error("what came is not shown at all")
		}
	}
	stream := w.events("?rows=1&after=0")
	for range 3 {
		var told struct{ HTML string }
		e := next1(t, stream, "exchange")
		if err := json.Unmarshal([]byte(e.data), &told); err != nil {
			t.Fatal(err)
		}
		if told.HTML == "" || strings.Contains(told.HTML, "<script") || strings.Contains(told.HTML, "<img") || strings.Contains(e.data, "<") {
			t.Errorf("a row of the stream: %s", e.data)
		}
	}
}

func TestWhatHidesIsMadeVisible(t *testing.T) {
	w := newWorld(t)
	e := hook("store/\u202eredro")
	e.Request.Header.Set("X-Odd", "a\u200bb\x1b[31m")
	e.Request.Header.Set("Content-Type", "text/plain")
	e.Request.Body = []byte(strings.Repeat("plain text ", 20) + "nul \x00 bad \xff esc \x1b rtl \u202e end")
	w.add(e)
	page := w.page("/exchanges/1").text
	for _, want := range []string{`\u202eredro`, `a\u200bb\x1b[31m`, `nul \x00 bad \xff esc \x1b rtl \u202e end`} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is not shown", want)
		}
	}
	if strings.ContainsAny(page, "\u202e\u200b\x1b\x00") {
		t.Error("what hides is on the page as it came")
	}
}

var png = append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), make([]byte, 40)...)

func TestI07OnlyVerifiedPicturesAreShownInThePage(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		contentType string
		body        []byte
		shown       string // "" when nothing may be rendered
	}{
		"an SVG with script":          {"image/svg+xml", []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), ""},
		"an SVG that says PNG":        {"image/png", []byte(`<svg onload="alert(1)"/>`), ""},
		"a PDF":                       {"application/pdf", []byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n/JS (app.alert(1))"), ""},
		"HTML that says GIF":          {"image/gif", []byte("<html><script>alert(1)</script>"), ""},
		"a PNG":                       {"image/png", png, "data:image/png;base64,"},
		"a PNG that says HTML":        {"text/html", png, "data:image/png;base64,"},
		"a GIF with script behind it": {"text/html", []byte("GIF89a<script>alert(1)</script>"), "data:image/gif;base64,"},
	} {
		e := call("", "/v3/x", 200)
		e.Response.Header.Set("Content-Type", c.contentType)
		e.Response.Body = c.body
		id := w.add(e)
		page := w.page(fmt.Sprintf("/exchanges/%d", id)).text
		if strings.Contains(page, "data:image/svg") || strings.Contains(page, "<svg onload") || strings.Contains(page, "<script>alert") || strings.Contains(page, "<object") || strings.Contains(page, "<iframe") || strings.Contains(page, "<embed") {
			t.Errorf("%s is rendered", name)
		}
		if got := strings.Contains(page, `<img src="data:`); got != (c.shown != "") || !strings.Contains(page, c.shown) {
			t.Errorf("%s: shown as a picture: %v", name, got)
		}
		a := w.get(fmt.Sprintf("/api/exchanges/%d/body?side=response", id))
		if a.Header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment;") ||
			!strings.Contains(a.Header.Get("Content-Security-Policy"), "sandbox") || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s as a download: %v", name, a.Header)
		}
		if a.text != string(c.body) {
			t.Errorf("%s as a download has other bytes", name)
		}
	}
	if !strings.Contains(w.page("/exchanges/1").text, base64.StdEncoding.EncodeToString(png)[:8]) && strings.Contains(w.page("/exchanges/1").text, "data:image/png") {
		t.Error("the picture's bytes are not the body's")
	}
}

func TestI19OddBodiesAreShownSearchedAndComparedInTime(t *testing.T) {
	j := newWorld(t)
	long := strings.Repeat("x", 1<<20)
	for _, body := range []string{
		"\xff\xfe\x00invalid \x80 utf8", strings.Repeat("\x00", 5000), long, long[:len(long)-1] + "y",
		strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000), "[" + strings.Repeat("1,", 200_000) + "1]", strings.Repeat("line\n", 100_000), strings.Repeat("enil\n", 100_000),
		`{"n":12345678901234567890.10,"e":1E400,"z":1,"a":2,"z":3}`, `{"cut":"of`, "<a><b/><c>text</c></a>", strings.Repeat("<a>", 50_000), "a=1&b=%zz&<c>=d",
	} {
		e := call("", "/v3/odd", 200)
		e.Response.Body = []byte(body)
		j.add(e)
	}
	for id := 1; id <= 13; id++ {
		start := time.Now()
		page := j.page(fmt.Sprintf("/exchanges/%d", id))
		j.get(fmt.Sprintf("/api/exchanges/%d", id))
		j.page(fmt.Sprintf("/exchanges/%d/diff/%d", id, id%13+1))
		if took := time.Since(start); took > 3*time.Second*raceFactor {
			t.Errorf("#%d took %v", id, took)
		}
		if len(page.text) > 2<<20 {
			t.Errorf("#%d makes a page of %d bytes", id, len(page.text))
		}
	}
}

func TestACompressedBodyIsShownUnpackedWithinABound(t *testing.T) {
	w := newWorld(t)
	var small, bomb bytes.Buffer
	zip := gzip.NewWriter(&small)
	fmt.Fprint(zip, `{"unpacked":true}`)
	zip.Close()
	zip = gzip.NewWriter(&bomb)
	for range 50 {
		zip.Write(make([]byte, 1<<20))
	}
	zip.Close()
	for _, body := range [][]byte{small.Bytes(), bomb.Bytes(), []byte("no gzip at all")} {
		e := call("", "/v3/x", 200)
		e.Response.Header.Set("Content-Encoding", "gzip")
		e.Response.Body = body
		w.add(e)
	}
	if page := w.page("/exchanges/1").text; !strings.Contains(page, "unpacked from gzip") || !strings.Contains(page, `<span class="k">unpacked</span>`) {
		t.Error("the body is not unpacked")
	}
	if a := w.get("/api/exchanges/1"); !strings.Contains(a.text, `"body":"{\"unpacked\":true}"`) {
		t.Errorf("the API: %s", a.text)
	}
	if page := w.page("/exchanges/2").text; !strings.Contains(page, "unpacked it is longer than 2.1 MB") || len(page) > 1<<20 {
		t.Errorf("a bomb makes a page of %d bytes", len(page))
	}
	if page := w.page("/exchanges/3").text; !strings.Contains(page, "could not be unpacked") {
		t.Error("a broken body says nothing")
	}
}

func TestTheWindowNeverShowsASecret(t *testing.T) {
	w := newWorld(t)
	e := capture.Exchange{
		Door: capture.Public, Kind: capture.Auth, Method: "GET", Target: "/auth?code=secret0code&context=stores/abc123xyz&scope=store_v2_products", Store: "abc123xyz", Status: 200,
		Request:  capture.Message{Header: http.Header{"Cookie": {"s=secret0cookie"}, "Authorization": {"Bearer secret0bearer"}, "X-Auth-Token": {"secret0token"}}},
		Response: capture.Message{Header: http.Header{"Set-Cookie": {"s=secret0set"}}},
	}
	w.add(e)
	for _, path := range []string{"/", "/exchanges/1", "/api/exchanges", "/api/exchanges/1", "/exchanges/1/diff/1", "/api/exchanges/1/diff/1"} {
		if text := w.get(path).text + w.page(path).text; strings.Contains(text, "secret0") {
			t.Errorf("%s shows a secret", path)
		}
	}
}
