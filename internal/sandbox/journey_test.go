package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// The whole life of an app, over real connections: a merchant's browser, the app's server, and
// what BigCommerce sends by itself.
func TestTheWholeJourneyOfAnApp(t *testing.T) {
	w := newWorld(t, nil)
	page := w.send(w.request("GET", "/app/"+testApp().ClientID+"/install", ""))
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, "store_v2_products") {
		t.Fatalf("consent page: %d %s", page.StatusCode, page.body)
	}
	confirm := w.request("POST", "/app/"+testApp().ClientID+"/install", "store="+w.sandbox.Store())
	confirm.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sent := w.send(confirm)
	target, err := url.Parse(sent.Header.Get("Location"))
	if err != nil || sent.StatusCode != http.StatusFound || !strings.HasPrefix(target.String(), w.app.URL+"/auth?") {
		t.Fatalf("confirm: %d to %q", sent.StatusCode, sent.Header.Get("Location"))
	}
	q := target.Query()
	if q.Get("context") != "stores/"+w.sandbox.Store() || !slices.Contains(strings.Fields(q.Get("scope")), "store_v2_products") {
		t.Errorf("the callback carries %v", q)
	}

	grant := w.exchange(map[string]string{"code": q.Get("code"), "scope": q.Get("scope")})
	if grant.StatusCode != http.StatusOK {
		t.Fatalf("exchange: %d %s", grant.StatusCode, grant.body)
	}
	w.token = grant.at(t, "access_token").(string)
	if grant.at(t, "scope") != q.Get("scope") || grant.at(t, "owner.email") != "owner@example.com" {
		t.Errorf("the grant is %s", grant.body)
	}

	made := w.api("POST", "/v3/hooks", `{"scope":"store/product/*","destination":"`+w.app.URL+`/hook","headers":{"X-Mine":"yes"}}`)
	if made.StatusCode != http.StatusOK {
		t.Fatalf("hook: %d %s", made.StatusCode, made.body)
	}
	product := w.api("POST", "/v3/catalog/products", `{"name":"New Harvest","type":"physical","weight":0.2,"price":9.5}`)
	if product.StatusCode != http.StatusOK {
		t.Fatalf("product: %d %s", product.StatusCode, product.body)
	}
	hook := w.app.next(t)
	if hook.Method != "POST" || hook.RequestURI != "/hook" || hook.Header.Get("X-Mine") != "yes" {
		t.Errorf("delivered: %s %s %v", hook.Method, hook.RequestURI, hook.Header)
	}
	if err := testApp().VerifyWebhook(hook.Header, hook.body, w.sandbox.clock.Now()); err != nil {
		t.Errorf("the signature: %v", err)
	}

	w.works("/load", "")
	opened := w.app.next(t)
	payload, err := testApp().VerifyPayload(opened.URL.Query().Get("signed_payload_jwt"), w.sandbox.clock.Now())
	if err != nil || payload.Store != w.sandbox.Store() || payload.User.ID != 1000 {
		t.Errorf("the load payload is %+v, %v", payload, err)
	}

	w.works("/uninstall", "")
	if gone := w.app.next(t); gone.URL.Path != "/uninstall" {
		t.Errorf("uninstall came to %s", gone.URL.Path)
	}
	if dead := w.api("GET", "/v2/time", ""); dead.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the uninstall the token still gets %d", dead.StatusCode)
	}
	if left := w.sandbox.hooks.list(w.sandbox.Store(), testApp().ClientID, time.Now()); len(left) != 0 {
		t.Errorf("hooks survive the uninstall: %+v", left)
	}
}

func TestControlInstallOpensTheCallbackAsABrowserDoes(t *testing.T) {
	w := newWorld(t, nil)
	w.app.answers(func(rw http.ResponseWriter, r *http.Request) {
		http.SetCookie(rw, &http.Cookie{Name: "session", Value: "1"})
		http.Redirect(rw, r, "/home", http.StatusFound)
	})
	a := w.works("/install", `{"store":"abc123","scope":["store_v2_orders"]}`)
	came := w.app.next(t)
	w.app.quiet(t) // the redirect is not followed
	if came.Header.Get("Referer") != "https://login.bigcommerce.com/" || !strings.HasPrefix(came.Header.Get("Accept"), "text/html") {
		t.Errorf("headers: %v", came.Header)
	}
	q := came.URL.Query()
	if q.Get("code") != a.at(t, "code") || q.Get("context") != "stores/abc123" || q.Get("scope") != "store_v2_orders" || q.Get("account_uuid") == "" {
		t.Errorf("query: %v", q)
	}
	if a.at(t, "status") != float64(302) || a.at(t, "installed") != false || a.at(t, "headers.Location.0") != "/home" {
		t.Errorf("answer: %s", a.body)
	}
}

func TestALaterInstallEndsTheEarlierToken(t *testing.T) {
	w := newWorld(t, nil)
	var tokens []string
	for range 2 {
		code := w.works("/install", "").at(t, "code").(string)
		tokens = append(tokens, w.exchange(map[string]string{"code": code}).at(t, "access_token").(string))
	}
	for i, want := range []int{http.StatusUnauthorized, http.StatusOK} {
		w.token = tokens[i]
		if got := w.api("GET", "/v2/time", "").StatusCode; got != want {
			t.Errorf("token %d gets %d, want %d", i+1, got, want)
		}
	}
}

func TestLoadSendsBothPayloadsUnlessOneIsAskedFor(t *testing.T) {
	for body, want := range map[string][2]bool{
		``:                  {true, true},
		`{"only":"jwt"}`:    {true, false},
		`{"only":"legacy"}`: {false, true},
	} {
		w := newWorld(t, nil)
		w.works("/load", body)
		q := w.app.next(t).URL.Query()
		if got := [2]bool{q.Has("signed_payload_jwt"), q.Has("signed_payload")}; got != want {
			t.Errorf("%s sends %v, want %v", body, got, want)
		}
		if q.Has("signed_payload") {
			if _, err := testApp().VerifyLegacy(q.Get("signed_payload")); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestALoadCarriesWhoAndWhere(t *testing.T) {
	w := newWorld(t, nil)
	w.works("/load", `{"user":{"id":7,"email":"clerk@example.com"},"url":"/orders/118","channel_id":2}`)
	p, err := testApp().VerifyPayload(w.app.next(t).URL.Query().Get("signed_payload_jwt"), w.sandbox.clock.Now())
	if err != nil || p.User.ID != 7 || p.Owner.ID != 1000 || p.URL != "/orders/118" || p.ChannelID == nil || *p.ChannelID != 2 {
		t.Errorf("payload: %+v, %v", p, err)
	}
}

func TestWithoutALoadCallbackTheOneBesideTheAuthCallbackIsOpened(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Callbacks = Callbacks{} })
	w.works("/install", `{"callback":"`+w.app.URL+`/auth"}`)
	w.app.next(t)
	w.works("/load", "")
	if came := w.app.next(t); came.URL.Path != "/load" {
		t.Errorf("load opened %s", came.URL.Path)
	}
}

func TestThePanelFramesTheAppOnlyForLoopbackNames(t *testing.T) {
	w := newWorld(t, nil)
	open := w.send(w.request("GET", "/manage/app/open", ""))
	if !strings.HasPrefix(open.Header.Get("Location"), "/app/"+testApp().ClientID+"/install") {
		t.Errorf("before the install the frame goes to %q", open.Header.Get("Location"))
	}
	w.exchange(map[string]string{"code": w.works("/install", "").at(t, "code").(string)})
	open = w.send(w.request("GET", "/manage/app/open", ""))
	if !strings.HasPrefix(open.Header.Get("Location"), w.app.URL+"/load?") {
		t.Errorf("after the install the frame goes to %q", open.Header.Get("Location"))
	}
	rebound := w.request("GET", "/manage/app/open", "")
	rebound.Host = "evil.example"
	if a := w.send(rebound); a.StatusCode != http.StatusForbidden || a.Header.Get("Location") != "" {
		t.Errorf("a rebound name gets %d %q", a.StatusCode, a.Header.Get("Location"))
	}
}

func TestAPageOfAnotherSiteCannotConfirmAnInstall(t *testing.T) {
	w := newWorld(t, nil)
	for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
		req := w.request("POST", "/app/"+testApp().ClientID+"/install", "")
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set(name, value)
		if a := w.send(req); a.StatusCode != http.StatusForbidden || a.Header.Get("Location") != "" {
			t.Errorf("%s: %s gets %d", name, value, a.StatusCode)
		}
	}
}

func TestEveryPageIsMade(t *testing.T) {
	w := newWorld(t, nil)
	app := "/app/" + testApp().ClientID
	for path, want := range map[string]int{
		"/": 200, app + "/install": 200, app + "/install/succeeded": 200, app + "/install/failed": 200,
		"/login": 200, "/manage/app": 200, "/style.css": 200, "/nowhere": 404, "/app/other/install": 404,
		"/app/" + "x%3Cscript%3E" + "/install": 404, app + "/install?store=../x": 400,
		"/oauth2/authorize?client_id=" + testApp().ClientID + "&response_type=code":                                    200,
		"/oauth2/authorize?client_id=" + testApp().ClientID + "&response_type=code&redirect_uri=https://evil.example/": 400,
		"/manage/app?store=nobody": 404,
	} {
		a := w.send(w.request("GET", path, ""))
		if a.StatusCode != want || strings.Contains(a.body, "<script>") {
			t.Errorf("%s: %d, want %d", path, a.StatusCode, want)
		}
	}
}
