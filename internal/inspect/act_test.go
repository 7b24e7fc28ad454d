package inspect

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bcdev/capture"
)

func TestAReplayIsAskedForAsItWasWritten(t *testing.T) {
	w := newWorld(t)
	w.add(hook("store/order/created"))
	a := w.post("/api/exchanges/1/replay", `{"to":"http://localhost:3000","resign":false,"set":{"body.data.id":"9","header.X-Debug":"1"},"times":3}`)
	if a.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	no := false
	want := ReplayRequest{To: "http://localhost:3000", Resign: &no, Set: map[string]string{"body.data.id": "9", "header.X-Debug": "1"}, Times: 3}
	if len(w.replays) != 3 {
		t.Fatalf("%d replays", len(w.replays))
	}
	if diff := cmp.Diff(want, w.replays[2]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var out replays
	if err := json.Unmarshal([]byte(a.text), &out); err != nil || out.Of != 1 || len(out.Replays) != 3 || out.Replays[0].Verdict != "fixed" {
		t.Errorf("the answer: %s", a.text)
	}
}

func TestAReplayThatMakesNoSenseIsRefused(t *testing.T) {
	w := newWorld(t)
	w.add(hook("store/order/created"))
	for body, want := range map[string]string{
		`{"too":"x"}`:                           "unknown_field",
		`{"times":1000}`:                        "bad_times",
		`{"times":-1}`:                          "bad_times",
		`{"times":"1"}`:                         "bad_json",
		`{`:                                     "bad_json",
		``:                                      "bad_json",
		`{} {}`:                                 "bad_json",
		`{"set":{"header.x-auth-token":"I11"}}`: "bad_header",
	} {
		if a := w.post("/api/exchanges/1/replay", body); a.StatusCode != http.StatusBadRequest || a.code() != want {
			t.Errorf("%s: %d %s", body, a.StatusCode, a.text)
		}
	}
	if a := w.post("/api/exchanges/99/replay", "{}"); a.StatusCode != http.StatusNotFound {
		t.Errorf("what is not there: %d", a.StatusCode)
	}
	if len(w.replays) != 0 {
		t.Errorf("%d replays happened", len(w.replays))
	}
}

func TestI09AWriteIsNotRepeatedWhileReadOnly(t *testing.T) {
	w := newWorld(t)
	e := call("abc123xyz", "/stores/abc123xyz/v3/catalog/products/77", 204)
	e.Method = "DELETE"
	w.add(e)
	w.readOnly = true
	if a := w.post("/api/exchanges/1/replay", `{"confirm":true}`); a.StatusCode != http.StatusForbidden || a.code() != "read_only" {
		t.Errorf("%d %s", a.StatusCode, a.text)
	}
	if len(w.calls) != 0 {
		t.Fatalf("%d calls happened", len(w.calls))
	}
	w.readOnly = false
	if a := w.post("/api/exchanges/1/replay", `{}`); a.StatusCode != http.StatusConflict || a.code() != "confirm" || len(w.calls) != 0 {
		t.Errorf("unconfirmed: %d %s", a.StatusCode, a.text)
	}
	if a := w.post("/api/exchanges/1/replay", `{"confirm":true,"set":{"query":"force=1"}}`); a.StatusCode != http.StatusOK {
		t.Errorf("confirmed: %d %s", a.StatusCode, a.text)
	}
	want := CallRequest{Store: "abc123xyz", Method: "DELETE", Path: "/v3/catalog/products/77", Query: "force=1", Headers: http.Header{"Accept": {"application/json"}}, Confirm: true, Of: 1}
	if diff := cmp.Diff([]CallRequest{want}, w.calls); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestI11CredentialsAreNotSetByHand(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"X-Auth-Token", "x-auth-token", " X-Auth-Token ", "X-Auth-Client", "Host", "Cookie", "Content-Length", "Bad Name", "A\nB"} {
		body, _ := json.Marshal(map[string]any{"method": "GET", "path": "/v3/x", "headers": map[string][]string{name: {"v"}}})
		if a := w.post("/api/call", string(body)); a.StatusCode != http.StatusBadRequest || a.code() != "bad_header" {
			t.Errorf("%q: %d %s", name, a.StatusCode, a.text)
		}
	}
	if a := w.post("/api/call", `{"method":"GET","path":"/v3/x","headers":{"X-Ok":["a\r\nX-Auth-Token: b"]}}`); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a line break in a value: %d", a.StatusCode)
	}
	if len(w.calls) != 0 {
		t.Errorf("%d calls happened", len(w.calls))
	}
}

func TestACallReachesTheDoorOrIsRefused(t *testing.T) {
	w := newWorld(t)
	for body, want := range map[string]string{
		`{"method":"GET","path":"/v3/x"}`:                              "",
		`{"method":"get","path":"/stores/abc/v2/x","query":"a=b%20c"}`: "",
		`{"method":"POST","path":"/v3/x"}`:                             "confirm",
		`{"method":"POST","path":"/v3/x","confirm":true,"body":"{}"}`:  "",
		`{"method":"GET","path":"/oauth2/token"}`:                      "bad_path",
		`{"method":"GET","path":"/v3/../oauth2/token"}`:                "bad_path",
		`{"method":"GET","path":"https://evil.example/v3/x"}`:          "bad_path",
		`{"method":"GET","path":"//evil.example/v3/x"}`:                "bad_path",
		`{"method":"GET","path":"/v3/x y"}`:                            "bad_path",
		`{"method":"GET","path":"/v3/x#y"}`:                            "bad_path",
		`{"method":"GET","path":"/v3/x?a=1"}`:                          "bad_path",
		`{"method":"G T","path":"/v3/x"}`:                              "bad_method",
		`{"method":"","path":"/v3/x"}`:                                 "bad_method",
	} {
		before := len(w.calls)
		a := w.post("/api/call", body)
		if a.code() != want || (want == "") != (a.StatusCode == http.StatusOK) || (want == "") != (len(w.calls) == before+1) {
			t.Errorf("%s: %d %s", body, a.StatusCode, a.text)
		}
	}
	w.answer = Called{Status: 401, Error: "no_grant", Response: []byte(`{"error":{"code":"no_grant","message":"no store","hint":"install it"}}`)}
	if a := w.post("/api/call", `{"method":"GET","path":"/v3/x"}`); a.StatusCode != 401 || a.code() != "no_grant" || !strings.Contains(a.text, "install it") {
		t.Errorf("the door's own refusal: %d %s", a.StatusCode, a.text)
	}
}

func TestGraphQLIsSentAsWrittenAndAMutationIsAskedAbout(t *testing.T) {
	w := newWorld(t)
	a := w.post("/api/graphql", `{"api":"storefront","store":"dev","query":"query A($n: ID!) { a(n: $n) }","variables":{"n":12345678901234567890}}`)
	if a.StatusCode != http.StatusOK || len(w.calls) != 1 {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	if c := w.calls[0]; c.Path != "/storefront/graphql" || c.Store != "dev" || !strings.Contains(c.Body, `"variables":{"n":12345678901234567890}`) {
		t.Errorf("the call: %+v", c)
	}
	for query, asks := range map[string]bool{
		"{ mutation }":                          false,
		"query mutation { a }":                  true, // asked once too often is fine
		"# mutation\n{ a }":                     false,
		`{ a(text: "mutation } mutation") }`:    false,
		`{ a(text: """ } mutation { """) }`:     false,
		"mutation { a }":                        true,
		"query A { a } mutation B { b }":        true,
		"\ufeff,,mutation M($a: Int = 1) { b }": true,
		"fragment f on T { a } mutation{ b }":   true,
		"} mutation { a }":                      true,
	} {
		body, _ := json.Marshal(map[string]string{"query": query})
		if a := w.post("/api/graphql", string(body)); (a.code() == "confirm") != asks {
			t.Errorf("%q: %d %s", query, a.StatusCode, a.text)
		}
	}
	if a := w.post("/api/graphql", `{"api":"other","query":"{a}"}`); a.code() != "bad_api" {
		t.Errorf("another API: %s", a.text)
	}
}

func TestTheHistoryOfQueriesIsReadFromTheJournal(t *testing.T) {
	w := newWorld(t)
	for _, c := range [][2]string{{"/graphql", `{"query":"{ store { name } }"}`}, {"/graphql", `{"query":"{ store { name } }"}`}, {"/storefront/graphql", `{"query":"{ site }","variables":{"a":1}}`}, {"/graphql", "broken"}} {
		e := call("abc123xyz", c[0], 200)
		e.Method, e.Request.Body = "POST", []byte(c[1])
		w.add(e)
	}
	var got struct{ History []asked }
	if err := json.Unmarshal([]byte(w.get("/api/graphql/history").text), &got); err != nil {
		t.Fatal(err)
	}
	want := []asked{{ID: 3, API: "storefront", Store: "abc123xyz", Query: "{ site }", Variables: `{"a":1}`, Status: 200}, {ID: 2, API: "admin", Store: "abc123xyz", Query: "{ store { name } }", Status: 200}}
	if diff := cmp.Diff(want, got.History); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestExportsAreFilesOfWhatWasChosen(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.add(call("abc123xyz", []string{"/v3/a", "/v3/b", "/v3/a"}[i], 200))
	}
	a := w.get("/api/exchanges/2/export?as=curl")
	if a.text != "written as curl" || a.Header.Get("Content-Disposition") != `attachment; filename="exchange-2.curl"` {
		t.Errorf("one: %q %v", a.text, a.Header)
	}
	if a := w.get("/api/export?as=postman&part=environment&q=path:/v3/a"); a.text != "environment" {
		t.Errorf("the environment: %q", a.text)
	}
	w.get("/api/export?as=har&ids=3,1,3")
	var got [][]int64
	for _, es := range w.exported {
		var ids []int64
		for _, e := range es {
			ids = append(ids, e.ID)
			if len(e.Response.Body) == 0 {
				t.Errorf("#%d has no body", e.ID)
			}
		}
		got = append(got, ids)
	}
	if diff := cmp.Diff([][]int64{{2}, {1, 3}, {1, 3}}, got); diff != "" {
		t.Errorf("exported (-want +got):\n%s", diff)
	}
	for path, want := range map[string]string{
		"/api/exchanges/1/export?as=exe": "bad_form", "/api/export?as=curl": "bad_form", "/api/export?as=har&q=path:/none": "nothing", "/api/export?ids=1,x": "bad_parameter",
	} {
		if a := w.get(path); a.code() != want {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.text)
		}
	}
}

func TestImportAndTriggerPassOnWhatWasAsked(t *testing.T) {
	w := newWorld(t)
	if a := w.post("/api/import", "{}"); a.StatusCode != 200 || !strings.Contains(a.text, `"ids":[1,2]`) {
		t.Errorf("import: %d %s", a.StatusCode, a.text)
	}
	if a := w.post("/api/import", "no"); a.StatusCode != 400 || a.code() != "not_har" {
		t.Errorf("no HAR: %d %s", a.StatusCode, a.text)
	}
	if a := w.post("/api/trigger", `{"event":"store/order/created","set":{"data.id":"1"}}`); a.StatusCode != 200 || len(w.triggers) != 1 || w.triggers[0].Set["data.id"] != "1" {
		t.Errorf("trigger: %d %s", a.StatusCode, a.text)
	}
	if a := w.post("/api/trigger", `{}`); a.code() != "no_event" {
		t.Errorf("no event: %s", a.text)
	}
}

func TestWhatTheWindowCannotDoIsSaid(t *testing.T) {
	w := newWorld(t)
	bare, err := New(Options{Journal: w.journal, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	w.add(hook("store/order/created"))
	w.server.Config.Handler = bare
	for path, body := range map[string]string{
		"/api/exchanges/1/replay": "{}", "/api/call": `{"method":"GET","path":"/v3/x"}`, "/api/trigger": `{"event":"auth"}`, "/api/import": "{}", "/api/graphql": `{"query":"{a}"}`,
	} {
		if a := w.post(path, body); a.StatusCode != http.StatusNotImplemented || a.code() != "not_here" {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.text)
		}
	}
	if _, err := New(Options{Journal: w.journal, Key: "short"}); err == nil {
		t.Error("a short key is taken")
	}
}

func TestOneExchangeSaysWhatItMeans(t *testing.T) {
	w := newWorld(t)
	install := capture.Exchange{
		Door: capture.Public, Kind: capture.Auth, Store: "abc123xyz", Target: "/auth?code=x&context=stores/abc123xyz&scope=store_v2_products", Status: 200,
		Detail: []byte(`{"context":"stores/abc123xyz","scope":["store_v2_products"],"missing":["store_v2_orders"],"user":{"id":7,"email":"dev@example.com"}}`),
	}
	w.add(install)
	e := hook("store/order/created", "signature:valid", "duplicate")
	e.Detail = []byte(`{"scope":"store/order/created","producer":"stores/abc123xyz","store":"abc123xyz","data":{"type":"order","id":118},"hash":"h4sh","signature":"valid","retry":2,"duplicate":true}`)
	w.add(e)
	refused := call("abc123xyz", "/stores/abc123xyz/v3/catalog/products?limit=3", 403)
	refused.Hint = "the token lacks a scope"
	refused.Response.Header.Set("X-Rate-Limit-Requests-Left", "12")
	refused.Response.Header.Set("X-Rate-Limit-Requests-Quota", "150")
	refused.Response.Header.Set("X-Rate-Limit-Time-Reset-Ms", "9000")
	refused.Response.Header.Set("X-Rate-Limit-Time-Window-Ms", "30000")
	w.add(refused)
	for path, want := range map[string][]string{
		"/exchanges/1": {"store_v2_products", "Products", "missing", "store_v2_orders", "dev@example.com (7)"},
		"/exchanges/2": {"store/order/created", "order 118", "/v2/orders/118", "h4sh", "repetition 2", "the same event came before"},
		"/exchanges/3": {"12 of 150 calls left", "the token lacks a scope", "opens this path", "store_v2_products_read_only"},
	} {
		page := plainText(w.page(path).text)
		for _, s := range want {
			if !strings.Contains(page, s) {
				t.Errorf("%s does not say %q", path, s)
			}
		}
	}
}

func TestAnExchangeLeadsToWhatBelongsToIt(t *testing.T) {
	w := newWorld(t)
	w.add(call("abc123xyz", "/v3/a?limit=1", 200))
	w.add(call("abc123xyz", "/v3/a/b", 200))
	w.add(call("abc123xyz", "/v3/a?limit=2", 500))
	w.add(hook("store/order/created"))
	delivery := hook("store/order/created")
	delivery.Door, delivery.Of, delivery.Via, delivery.Verdict, delivery.Host = capture.Local, 4, "replay", "fixed", "localhost:3000"
	w.add(delivery)
	for path, want := range map[string]string{
		"/exchanges/3": `href="/exchanges/1/diff/3"`,
		"/exchanges/4": `href="/exchanges/5/diff/4"`,
		"/exchanges/5": `href="/exchanges/4/diff/5"`,
	} {
		if page := w.page(path).text; !strings.Contains(page, want) {
			t.Errorf("%s has no %s", path, want)
		}
	}
	page := w.page("/exchanges/4").text
	for _, want := range []string{`name="to" type="url" value="http://localhost:3000"`, `href="/call?path=%2fv2%2forders%2f118&amp;store=abc123xyz"`} {
		if !strings.Contains(strings.ReplaceAll(page, "%2F", "%2f"), want) {
			t.Errorf("the webhook's page has no %s", want)
		}
	}
	if page := w.page("/call?path=/v2/orders/118&store=abc123xyz").text; !strings.Contains(page, `name="path" value="/v2/orders/118"`) || !strings.Contains(page, `<option value="abc123xyz" selected>`) {
		t.Error("the form is not filled in")
	}
}
