package inspect

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bcdev/capture"
)

func TestTheFilterLanguageMeansWhatItSays(t *testing.T) {
	resolve := func(s string) string { return map[string]string{"dev": "abc123xyz"}[s] + strings.TrimPrefix(s, "dev") }
	for text, want := range map[string]capture.Query{
		"":                    {},
		"kind:webhook":        {Kinds: []capture.Kind{capture.Hook}},
		"kind:install,load":   {Kinds: []capture.Kind{capture.Auth, capture.Load}},
		"KIND:API Status:5XX": {Kinds: []capture.Kind{capture.Call}, Status: "5XX"},
		"kind:replay":         {Door: capture.Local},
		"kind:hook status:5xx path:/v3/orders store:dev since:1h text": {
			Kinds: []capture.Kind{capture.Hook}, Status: "5xx", Path: "/v3/orders", Store: "abc123xyz", Since: testNow.Add(-time.Hour), Text: "text"},
		"since:7d":                      {Since: testNow.AddDate(0, 0, -7)},
		"until:2026-11-22T20:00:00Z":    {Until: testNow.Add(-time.Hour)},
		"of:17 method:post door:public": {Of: 17, Method: "POST", Door: capture.Public},
		"topic:store/order/*":           {Topic: "store/order/*"},
		`"kind:webhook" two  words`:     {Text: "kind:webhook two words"},
		`path:"/v3/a b"`:                {Path: "/v3/a b"},
		"https://example.com a:b":       {Text: "https://example.com a:b"},
		"[":                             {Text: "["},
		"(a+)+$":                        {Text: "(a+)+$"},
		"100%_":                         {Text: "100%_"},
	} {
		got, err := parseFilter(text, testNow, resolve)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(capture.Query{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestAFilterThatCannotBeReadSaysWhy(t *testing.T) {
	w := newWorld(t)
	for text, want := range map[string]string{
		"kind:foo": "kind:foo", "status:abc": "status:abc", "since:yesterday": "since:yesterday", "of:x": "of:x", "door:back": "door:back",
		`"open`: "a quote is not closed", "kind:": "kind: has no value", "a\x00b": "not text", "\xff": "not text",
	} {
		a := w.get("/api/exchanges?q=" + url.QueryEscape(text))
		if a.StatusCode != 400 || a.code() != "bad_filter" || !strings.Contains(a.text, want) {
			t.Errorf("%q: %d %s", text, a.StatusCode, a.text)
		}
	}
	page := w.page("/?q=" + url.QueryEscape("kind:<b>")).text
	if !strings.Contains(page, "kind:&lt;b&gt; is not known") || strings.Contains(page, "<b>") && !strings.Contains(page, "&lt;b&gt;") {
		t.Errorf("the page does not say what is wrong:\n%s", page)
	}
	for _, query := range []string{"kind=foo", "status=9z", "limit=-1", "limit=2000", "before=x", "nonsense=1"} {
		if a := w.get("/api/exchanges?" + query); a.StatusCode != 400 {
			t.Errorf("%s: %d", query, a.StatusCode)
		}
	}
}

func TestI13PatternsNeverTakeLong(t *testing.T) {
	w := newWorld(t)
	e := call("", "/v3/x?q="+strings.Repeat("a", 60<<10), 200)
	e.Hint = strings.Repeat("a", 1900)
	w.add(e)
	start := time.Now()
	if got := w.list("/api/exchanges?q=" + url.QueryEscape("(a+)+$")); len(got) != 0 {
		t.Errorf("a pattern is no pattern here, and found %v", got)
	}
	if took := time.Since(start); took > 200*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	if a := w.get("/api/exchanges?q=" + strings.Repeat("a", 200<<10)); a.StatusCode != 400 || a.code() != "too_long" {
		t.Errorf("a very long filter: %d %s", a.StatusCode, a.text)
	}
	if got := w.list("/api/exchanges?q=%5B"); len(got) != 0 {
		t.Errorf("[ found %v", got)
	}
}

func TestTheListIsNewestFirstAndPaged(t *testing.T) {
	w := newWorld(t)
	for i := range 7 {
		w.add(call("abc123xyz", fmt.Sprintf("/v3/n%d", i), 200))
	}
	a := w.get("/api/exchanges?limit=3")
	var l listing
	if err := json.Unmarshal([]byte(a.text), &l); err != nil {
		t.Fatal(err)
	}
	var pages [][]int64
	for before := int64(0); ; {
		ids := w.list(fmt.Sprintf("/api/exchanges?limit=3&before=%d", before))
		if len(ids) == 0 {
			break
		}
		pages = append(pages, ids)
		before = ids[len(ids)-1]
	}
	if diff := cmp.Diff([][]int64{{7, 6, 5}, {4, 3, 2}, {1}}, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	if l.Before != 5 || l.Exchanges[0].Path != "/v3/n6" || l.Exchanges[0].Took != 12 {
		t.Errorf("the first page: before %d, %+v", l.Before, l.Exchanges[0])
	}
	if got := w.list("/api/exchanges?kind=api&store=dev&status=2xx&path=/v3/n3"); !slices.Equal(got, []int64{4}) {
		t.Errorf("filtered: %v", got)
	}
	if a := w.do("GET", "/", "", "Authorization", "Bearer "+testKey, "Accept", "application/json"); !strings.Contains(a.text, `"exchanges":[`) {
		t.Errorf("the page's address does not answer JSON: %s", a.text)
	}
}

// TestALiveRowBelongsToAListWhenTheJournalSaysSo compares the matcher of live rows with the journal's own search
// over random exchanges and filters.
func TestALiveRowBelongsToAListWhenTheJournalSaysSo(t *testing.T) {
	w := newWorld(t)
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	for range 120 {
		e := capture.Exchange{
			Door: capture.Door(pick("public", "api", "app")), Kind: capture.Kind(pick("auth", "webhook", "api", "load")),
			Store: pick("abc123xyz", "other1", ""), Method: pick("GET", "POST"), Target: pick("/v3/orders?a=B", "/v3/catalog", "/auth?q=ORDERS", "/webhooks"),
			Topic: pick("", "", "store/order/created", "store/cart/lineItem/created"), Status: random.IntN(2) * pickInt(random, 200, 404, 503),
			Hint: pick("", "", "An Order is missing"), Err: pick("", "", "refused"), At: testNow.Add(-time.Duration(random.IntN(300)) * time.Minute),
			Of: int64(random.IntN(3)),
		}
		w.add(e)
	}
	for range 300 {
		var parts []string
		for _, part := range []string{
			"kind:" + pick("auth", "webhook", "api,load", "replay"), "status:" + pick("200", "5xx", "<400", ">=404", "0"), "store:" + pick("abc123xyz", "other1", "nobody"),
			"path:" + pick("/v3", "/v3/orders", "orders", "A", "/auth"), "topic:" + pick("store/order/created", "store/*/created", "store/*", "*created", "STORE/order/*"),
			"method:" + pick("get", "POST"), "since:" + pick("1h", "3h"), "until:" + pick("1h", "2h"), "of:" + pick("1", "2"), pick("order", "Refused", "missing", "zzz"), "door:" + pick("api", "app"),
		} {
			if random.IntN(5) == 0 {
				parts = append(parts, part)
			}
		}
		text := strings.Join(parts, " ")
		q, err := parseFilter(text, testNow, func(s string) string { return s })
		if err != nil {
			t.Fatal(err)
		}
		q.Limit = 1000
		want, err := w.journal.Find(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		all, err := w.journal.Find(t.Context(), capture.Query{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		var wanted, got []int64
		for _, e := range want {
			wanted = append(wanted, e.ID)
		}
		for _, e := range all {
			if matches(q, e) {
				got = append(got, e.ID)
			}
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Fatalf("%q (-journal +matches):\n%s", text, diff)
		}
	}
}

func pickInt(r *rand.Rand, list ...int) int { return list[r.IntN(len(list))] }

func TestAnEmptyListSaysWhatToDoNext(t *testing.T) {
	w := newWorld(t)
	if page := w.page("/").text; !strings.Contains(page, "Nothing has crossed a door yet") || !strings.Contains(page, `href="/trigger"`) {
		t.Error("an empty journal says nothing")
	}
	w.add(call("", "/v2/store", 200))
	if page := w.page("/?q=kind:webhook").text; !strings.Contains(page, "Nothing matches") {
		t.Error("an empty search says nothing")
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"", "kind:webhook status:5xx", `"a b" c:d`, "since:1h until:2d", "of:1 \x00", "path:/v3 [(a+)+$", `"`, "kind:,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := parseFilter(text, testNow, func(s string) string { return s })
		if err == nil {
			matches(q, capture.Exchange{ID: 1, Target: text, Topic: text})
		}
	})
}
