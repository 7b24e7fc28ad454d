package bigcommerce

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryEventIsCompleteAndFindsItself(t *testing.T) {
	events := Events()
	if len(events) != 175 {
		t.Fatalf("there are %d events", len(events))
	}
	seen := map[string]bool{}
	for _, e := range events {
		if seen[e.Scope] {
			t.Errorf("%s is there twice", e.Scope)
		}
		seen[e.Scope] = true
		if !strings.HasPrefix(e.Scope, "store/") || !json.Valid(e.Example) || !strings.HasSuffix(e.About, ".") {
			t.Errorf("incomplete: %+v", e)
		}
		concrete := strings.Replace(e.Scope, "{channel_id}", "2", 1)
		for _, name := range []string{e.Scope, concrete, concrete + "/"} {
			if got, _, ok := FindEvent(name); !ok || got.Scope != e.Scope {
				t.Errorf("%s finds %s", name, got.Scope)
			}
		}
		if near, ok := ValidHookScope(concrete); !ok {
			t.Errorf("%s cannot be registered: %v", concrete, near)
		}
	}
	events[0].Scope = "changed"
	if Events()[0].Scope == "changed" {
		t.Error("the list can be changed from outside")
	}
}

func TestFindEvent(t *testing.T) {
	for scope, want := range map[string]string{
		"store/channel/12/cart/lineItems/created":          "store/channel/{channel_id}/cart/lineItem/created",
		"store/channel/3/inventory/product/stock_changed":  "store/channel/*/inventory/product/stock_changed",
		"store/channel/metafield/created":                  "store/channel/metafield/created",
		" store/priceLists/deleted/ ":                      "store/priceLists/deleted",
		"store/channel/{channel_id}/settings/site/updated": "store/channel/{channel_id}/settings/site/updated",
	} {
		if got, _, ok := FindEvent(scope); !ok || got.Scope != want {
			t.Errorf("%s finds %q, %v", scope, got.Scope, ok)
		}
	}
	for scope, want := range map[string]string{
		"store/order/create":         "store/order/created",
		"store/orders/created":       "store/order/created",
		"order/statusUpdated":        "store/order/statusUpdated",
		"store/app/uninstall":        "store/app/uninstalled",
		"STORE/ORDER/STATUSUPDATED":  "store/order/statusUpdated",
		"store/channel/x/cart/creat": "store/channel/{channel_id}/cart/created",
	} {
		_, near, ok := FindEvent(scope)
		if ok || len(near) == 0 || len(near) > 3 || near[0] != want {
			t.Errorf("%s: near %v, %v", scope, near, ok)
		}
	}
	if _, near, ok := FindEvent(strings.Repeat("z", 1<<20)); ok || len(near) > 0 {
		t.Errorf("a megabyte is near %v", near)
	}
	if _, near, ok := FindEvent(""); ok || len(near) > 0 {
		t.Errorf("nothing is near %v", near)
	}
}

func TestValidHookScope(t *testing.T) {
	for _, scope := range []string{
		"store/order/*", "store/cart/lineItem/*", "store/channel/*", "store/channel/2/cart/*", "store/metafield/*", "store/priceList/records/*",
		"store/channel/*/inventory/product/*", "store/channel/*/inventory/product/low_stock_reached", "store/product/variant/metafield/*",
	} {
		if near, ok := ValidHookScope(scope); !ok {
			t.Errorf("%s is refused; near %v", scope, near)
		}
	}
	for scope, want := range map[string][]string{
		"store/ordr/*": {"store/order/*"},
		"store/channel/{channel_id}/cart/created":         {"store/channel/1/cart/created"},
		"store/channel/3/inventory/product/stock_changed": {"store/channel/*/inventory/product/stock_changed"},
		"store/order/created/":                            {"store/order/created"},
		"store/*":                                         nil,
		"*":                                               nil,
		"":                                                nil,
		"store/order/creatd":                              {"store/order/created"},
		"store/channel/*/cart/created":                    {"store/channel/{channel_id}/cart/created"},
	} {
		near, ok := ValidHookScope(scope)
		if ok {
			t.Errorf("%q is accepted", scope)
		}
		if want != nil && (len(near) == 0 || near[0] != want[0]) {
			t.Errorf("%q: near %v, want %v", scope, near, want)
		}
	}
}

func TestEveryEventHasASampleThatIsADelivery(t *testing.T) {
	for _, e := range Events() {
		body, err := SampleWebhook(e.Scope, "abc123xyz", issued, nil)
		if err != nil {
			t.Fatalf("%s: %v", e.Scope, err)
		}
		w, err := ParseWebhook(body)
		if err != nil {
			t.Fatalf("%s: %v", e.Scope, err)
		}
		if found, _, ok := FindEvent(w.Scope); !ok || found.Scope != e.Scope || strings.Contains(w.Scope, "{") {
			t.Errorf("%s is delivered as %s", e.Scope, w.Scope)
		}
		if w.Store != "abc123xyz" || !w.CreatedAt.Equal(issued) || string(w.Data) != string(e.Example) {
			t.Errorf("%s: %s", e.Scope, body)
		}
		if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(w.Hash) || !regexp.MustCompile(`^[0-9]{7}$`).MatchString(w.StoreID) {
			t.Errorf("%s: hash %q, store id %q", e.Scope, w.Hash, w.StoreID)
		}
	}
}

func TestSampleWebhook(t *testing.T) {
	body, err := SampleWebhook("store/channel/7/cart/created", "abc123xyz", issued, map[string]string{
		"data.cart_id": "a&b", "data.extra.list": "[1,2]", "data.extra.on": "true", "data.n": "118", "hash": "h", "store_id": "1009876",
	})
	want := `{"scope":"store/channel/7/cart/created","store_id":"1009876","data":{"cart_id":"a&b","extra":{"list":[1,2],"on":true},"n":118},"hash":"h","created_at":1795000005,"producer":"stores/abc123xyz"}`
	if err != nil || string(body) != want {
		t.Errorf("got  %s, %v\nwant %s", body, err, want)
	}
	body, err = SampleWebhook("store/channel/{channel_id}/cart/created", "abc123xyz", issued, map[string]string{"channel_id": "9"})
	if w, _ := ParseWebhook(body); err != nil || w.Scope != "store/channel/9/cart/created" {
		t.Errorf("got %s, %v", body, err)
	}
	one, _ := SampleWebhook("store/order/created", "abc123xyz", issued, nil)
	two, _ := SampleWebhook("store/order/created", "abc123xyz", issued, map[string]string{"data.id": "119"})
	if a, b := mustHash(t, one), mustHash(t, two); a == b {
		t.Error("two events have one hash")
	}
}

func mustHash(t *testing.T, body []byte) string {
	t.Helper()
	w, err := ParseWebhook(body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Hash
}

func TestSampleWebhookRefuses(t *testing.T) {
	_, err := SampleWebhook("store/order/create", "abc123xyz", issued, nil)
	var unknown *UnknownEventError
	if !errors.As(err, &unknown) || !strings.Contains(unknown.Hint(), "store/order/created") {
		t.Errorf("got %v", err)
	}
	if unknown.Error() != `there is no webhook event "store/order/create"` {
		t.Error(unknown)
	}
	_, err = SampleWebhook("zzz", "abc123xyz", issued, nil)
	if !errors.As(err, &unknown) || !strings.Contains(unknown.Hint(), "--list") {
		t.Errorf("got %v", err)
	}
	for name, c := range map[string]struct {
		scope, store string
		set          map[string]string
	}{
		"a family":                 {"store/order/*", "abc", nil},
		"a store that climbs":      {"store/order/created", "../x", nil},
		"an unknown field":         {"store/order/created", "abc", map[string]string{"id": "1"}},
		"another scope":            {"store/order/created", "abc", map[string]string{"scope": "x"}},
		"a path through a number":  {"store/order/created", "abc", map[string]string{"data.id.x": "1"}},
		"a path without an end":    {"store/order/created", "abc", map[string]string{"data." + strings.Repeat("a.", 20) + "b": "1"}},
		"a channel that is a word": {"store/channel/{channel_id}/cart/created", "abc", map[string]string{"channel_id": "x/y"}},
	} {
		if body, err := SampleWebhook(c.scope, c.store, issued, c.set); err == nil {
			t.Errorf("%s: got %s", name, body)
		}
	}
}

func TestSetJSON(t *testing.T) {
	for name, c := range map[string]struct{ doc, path, value, want string }{
		"a number":                        {`{"b":1,"a":{"id":118,"z":1.50}}`, "a.id", "119", `{"b":1,"a":{"id":119,"z":1.50}}`},
		"a string stays a string":         {`{"id":"118"}`, "id", "120", `{"id":"120"}`},
		"a string becomes null":           {`{"id":"118"}`, "id", "null", `{"id":null}`},
		"a string, quoted by hand":        {`{"id":118}`, "id", `"120"`, `{"id":"120"}`},
		"words":                           {`{}`, "a.b", `x "y" <z>`, `{"a":{"b":"x \"y\" <z>"}}`},
		"nothing":                         {`{"a":1}`, "a", "", `{"a":""}`},
		"an object":                       {`{"a":1}`, "a", `{"b": [1]}`, `{"a":{"b": [1]}}`},
		"an item":                         {`[{"a":1},{"a":2}]`, "1.a", "3", `[{"a":1},{"a":3}]`},
		"an item more":                    {`{"a":[]}`, "a.0", "3", `{"a":[3]}`},
		"through null":                    {`{"a":null}`, "a.b", "1", `{"a":{"b":1}}`},
		"a leading zero is not JSON":      {`{"a":1}`, "a", "007", `{"a":"007"}`},
		"a list in the place of a string": {`{"a":"x"}`, "a", "[1]", `{"a":[1]}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := SetJSON([]byte(c.doc), c.path, c.value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	for name, c := range map[string][2]string{
		"no path": {"{}", ""}, "an item far off": {"[]", "5"}, "an item by a word": {"[]", "x"}, "through a number": {`{"a":1}`, "a.b"},
		"through a broken document": {`{"a":`, "a"}, "through a broken list": {`[1`, "0"},
	} {
		if got, err := SetJSON([]byte(c[0]), c[1], "1"); err == nil {
			t.Errorf("%s: got %s", name, got)
		}
	}
}
