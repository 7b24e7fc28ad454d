package sandbox

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestTheAPIRefusesInBigCommercesWords(t *testing.T) {
	w := newWorld(t, nil)
	narrow, _ := w.sandbox.grants.mint(w.sandbox.Store(), []string{"store_v2_orders_read_only"})
	for name, c := range map[string]struct {
		method, path, body, token, accept, kind string
		status                                  int
		want                                    string
	}{
		"no token":                   {path: "/v3/catalog/products", token: "-", status: 401, want: wordsUnauthorized},
		"a token nobody made":        {path: "/v3/catalog/products", token: "x", status: 401, want: wordsUnauthorized},
		"a missing scope":            {path: "/v3/catalog/products", token: narrow, status: 403, want: `"errors":{}`},
		"writing with read-only":     {method: "POST", path: "/v2/orders", body: "{}", token: narrow, status: 403, want: wordsNoScope},
		"a trailing slash":           {path: "/v3/catalog/products/", status: 403, want: "Authentication Required"},
		"a path that is none":        {path: "/v3/catalog/prodcts", status: 404, want: wordsNotFound},
		"a product that is none":     {path: "/v3/catalog/products/999", status: 404, want: wordsNotFound},
		"an id that is no number":    {path: "/v3/catalog/products/abc", status: 404, want: wordsNotFound},
		"an order that is none":      {path: "/v2/orders/999", status: 404, want: `[{"status":404,"message":"The requested resource was not found."}]`},
		"a method that is none":      {method: "PATCH", path: "/v3/catalog/products/77", body: "{}", status: 405, want: "Method Not Allowed"},
		"an Accept without JSON":     {path: "/v2/store", accept: "text/csv", status: 406, want: "Not Acceptable"},
		"a body that is a form":      {method: "POST", path: "/v3/catalog/products", body: "name=x", kind: "application/x-www-form-urlencoded", status: 415, want: "Unsupported"},
		"a limit that is too high":   {path: "/v3/catalog/products?limit=251", status: 413, want: "250"},
		"a limit that is no number":  {path: "/v3/catalog/products?limit=ten", status: 422, want: `"limit"`},
		"an unknown sub-resource":    {path: "/v3/catalog/products?include=imagines", status: 422, want: `"include"`},
		"broken JSON":                {method: "POST", path: "/v3/catalog/products", body: "{", status: 400, want: wordsBadInput},
		"missing fields":             {method: "POST", path: "/v3/catalog/products", body: `{"name":"x"}`, status: 422, want: `"price":"error.path.missing"`},
		"a field of the wrong kind":  {method: "PUT", path: "/v3/catalog/products/77", body: `{"price":"dear"}`, status: 422, want: `"price":"error.expected.jsnumber"`},
		"a name that is taken":       {method: "PUT", path: "/v3/catalog/products/77", body: `{"name":"genmaicha"}`, status: 409, want: "The product name is a duplicate"},
		"a category that is none":    {method: "PUT", path: "/v3/catalog/products/77", body: `{"categories":[9]}`, status: 422, want: `"categories"`},
		"deleting without a filter":  {method: "DELETE", path: "/v3/catalog/products", status: 422, want: "filter"},
		"a batch of eleven":          {method: "PUT", path: "/v3/catalog/products", body: "[{},{},{},{},{},{},{},{},{},{},{}]", status: 422, want: "between 1 and 10"},
		"an order without address":   {method: "POST", path: "/v2/orders", body: "{}", status: 400, want: "billing_address"},
		"null where a product is":    {method: "PUT", path: "/v3/catalog/products/77", body: `{"name":null,"price":-1}`, status: 422, want: `"price"`},
		"a store that is not theirs": {path: "/../other1/v3/catalog/products", status: 401, want: wordsUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			if c.method == "" {
				c.method = "GET"
			}
			req := w.request(c.method, "/stores/"+w.sandbox.Store()+c.path, c.body)
			if rest, ok := strings.CutPrefix(c.path, "/../"); ok {
				req = w.request(c.method, "/stores/"+rest, "")
			}
			switch c.token {
			case "":
				req.Header.Set("X-Auth-Token", w.token)
			case "-":
			default:
				req.Header.Set("X-Auth-Token", c.token)
			}
			if c.accept != "" {
				req.Header.Set("Accept", c.accept)
			}
			if c.kind != "" {
				req.Header.Set("Content-Type", c.kind)
			}
			a := w.send(req)
			if a.StatusCode != c.status || !strings.Contains(a.body, c.want) {
				t.Errorf("got %d %s, want %d with %q", a.StatusCode, a.body, c.status, c.want)
			}
		})
		w.works("/quota", `{"left":150}`)
	}
}

func TestHooksNeedNoSelectableScope(t *testing.T) {
	w := newWorld(t, nil)
	w.token, _ = w.sandbox.grants.mint(w.sandbox.Store(), []string{"store_v2_orders"})
	if a := w.api("GET", "/v3/hooks", ""); a.StatusCode != http.StatusOK {
		t.Errorf("got %d %s", a.StatusCode, a.body)
	}
}

func TestProductsComeWithImagesAndVariantsWhenAsked(t *testing.T) {
	w := newWorld(t, nil)
	plain := w.api("GET", "/v3/catalog/products?limit=1", "")
	if strings.Contains(plain.body, `"variants"`) || strings.Contains(plain.body, `"images"`) {
		t.Errorf("sub-resources come unasked: %s", plain.body)
	}
	full := w.api("GET", "/v3/catalog/products?include=images,variants&id:in=77,78", "")
	if full.at(t, "data.0.id") != float64(77) || full.at(t, "data.0.variants.0.id") != float64(345) ||
		full.at(t, "data.0.images.0.product_id") != float64(77) || full.at(t, "meta.pagination.total") != float64(2) {
		t.Errorf("got %s", full.body)
	}
}

func TestListsArePagedWithLinksThatAreQueryStrings(t *testing.T) {
	w := newWorld(t, nil)
	a := w.api("GET", "/v3/catalog/products?limit=7&page=2&is_visible=true", "")
	next, prev := a.at(t, "meta.pagination.links.next"), a.at(t, "meta.pagination.links.previous")
	if next != "?page=3&limit=7&is_visible=true" || prev != "?page=1&limit=7&is_visible=true" {
		t.Errorf("links: %v and %v", prev, next)
	}
	seen := map[float64]bool{}
	link := "?limit=7"
	for link != "" {
		var page struct {
			Data []struct{ ID float64 }
			Meta struct {
				Pagination struct{ Links struct{ Next *string } }
			}
		}
		w.api("GET", "/v3/catalog/products"+link, "").json(t, &page)
		for _, p := range page.Data {
			if seen[p.ID] {
				t.Errorf("product %v comes twice", p.ID)
			}
			seen[p.ID] = true
		}
		link = ""
		if page.Meta.Pagination.Links.Next != nil {
			link = *page.Meta.Pagination.Links.Next
		}
	}
	if len(seen) != 30 {
		t.Errorf("%d products over all pages, want 30", len(seen))
	}
	if far := w.api("GET", "/v3/catalog/products?page=999999999", ""); far.at(t, "meta.pagination.count") != float64(0) {
		t.Errorf("beyond the end: %s", far.body)
	}
}

func TestFiltersAndSorting(t *testing.T) {
	w := newWorld(t, nil)
	for query, want := range map[string]float64{
		"sku=HL-MINT": 1, "name=genmaicha": 1, "name:like=espresso": 2, "keyword=matcha": 1,
		"is_visible=false": 1, "price:min=60": 2, "categories:in=29": 3, "id:not_in=77": 29,
		"type=digital": 1, "brand_id=36": 2, "sku:in=HL-MINT,HL-ROOI": 2,
	} {
		if got := w.api("GET", "/v3/catalog/products?"+query, "").at(t, "meta.pagination.total"); got != want {
			t.Errorf("%s: %v products, want %v", query, got, want)
		}
	}
	if got := w.api("GET", "/v3/catalog/products?sort=price&direction=desc&limit=1", "").at(t, "data.0.name"); got != "Hand Grinder M9" {
		t.Errorf("the dearest is %v", got)
	}
	if got := w.api("GET", "/v3/catalog/products/77?include_fields=name", "").body; !strings.HasPrefix(got, `{"data":{"id":77,"name":"Lighthouse Espresso"}`) {
		t.Errorf("trimmed: %s", got)
	}
}

func TestAProductLives(t *testing.T) {
	w := newWorld(t, nil)
	made := w.api("POST", "/v3/catalog/products",
		`{"name":"Box","type":"physical","weight":1,"price":5,"sku":"BOX","variants":[{"sku":"BOX-1","price":6,"option_values":[{"label":"One","option_display_name":"Size"}]}],"images":[{"image_url":"https://x.example/box.jpg"}]}`)
	path := fmt.Sprintf("/v3/catalog/products/%v", made.at(t, "data.id"))
	if made.at(t, "data.variants.0.calculated_price") != float64(6) || made.at(t, "data.custom_url.url") != "/box/" {
		t.Errorf("made: %s", made.body)
	}
	changed := w.api("PUT", path+"?include=variants", `{"price":7,"sale_price":4,"id":1,"date_created":"never"}`)
	if changed.at(t, "data.calculated_price") != float64(4) || changed.at(t, "data.id") != made.at(t, "data.id") ||
		changed.at(t, "data.date_created") != made.at(t, "data.date_created") || changed.at(t, "data.name") != "Box" {
		t.Errorf("changed: %s", changed.body)
	}
	variant := w.api("POST", path+"/variants", `{"sku":"BOX-2","option_values":[{"label":"Two","option_display_name":"Size"}]}`)
	one := fmt.Sprintf("%s/variants/%v", path, variant.at(t, "data.id"))
	if got := w.api("PUT", one, `{"price":9}`).at(t, "data.calculated_price"); got != float64(9) {
		t.Errorf("variant price: %v", got)
	}
	if got := w.api("POST", path+"/variants", `{"sku":"box-2","option_values":[{"label":"3"}]}`).StatusCode; got != http.StatusConflict {
		t.Errorf("a variant sku that is taken: %d", got)
	}
	if got := w.api("DELETE", one, "").StatusCode; got != http.StatusNoContent {
		t.Errorf("deleting a variant: %d", got)
	}
	image := w.api("POST", path+"/images", `{"image_url":"https://x.example/2.jpg","description":"Side"}`)
	if got := w.api("DELETE", fmt.Sprintf("%s/images/%v", path, image.at(t, "data.id")), "").StatusCode; got != http.StatusNoContent {
		t.Errorf("deleting an image: %d", got)
	}
	if got := w.api("DELETE", path, "").StatusCode; got != http.StatusNoContent {
		t.Errorf("deleting: %d", got)
	}
	if got := w.api("GET", path, "").StatusCode; got != http.StatusNotFound {
		t.Errorf("after that: %d", got)
	}
}

func TestBatchesAreAllOrNothing(t *testing.T) {
	w := newWorld(t, nil)
	if a := w.api("PUT", "/v3/catalog/products", `[{"id":77,"price":1},{"id":9999,"price":1}]`); a.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("got %d", a.StatusCode)
	}
	if got := w.api("GET", "/v3/catalog/products/77", "").at(t, "data.price"); got != 11.5 {
		t.Errorf("half of a refused batch was written: %v", got)
	}
	if a := w.api("PUT", "/v3/catalog/products", `[{"id":77,"price":1},{"id":78,"price":2}]`); a.at(t, "data.1.price") != float64(2) {
		t.Errorf("got %s", a.body)
	}
}

func TestStoresShareTheSeedButNotTheWrites(t *testing.T) {
	w := newWorld(t, nil)
	w.api("PUT", "/v3/catalog/products/77", `{"name":"Changed","categories":[24]}`)
	w.api("PUT", "/v3/catalog/products/77/variants/345", `{"price":1}`)
	second := w.works("/token", `{"store":"other1"}`)
	req := w.request("GET", "/stores/other1/v3/catalog/products/77?include=variants", "")
	req.Header.Set("X-Auth-Token", second.at(t, "access_token").(string))
	a := w.send(req)
	if a.at(t, "data.name") != "Lighthouse Espresso" || a.at(t, "data.variants.0.price") != nil {
		t.Errorf("the other store has %s", a.body)
	}
}

func TestV2AnswersBareListsAnd204ForEmptyOnes(t *testing.T) {
	w := newWorld(t, nil)
	if a := w.api("GET", "/v2/orders?limit=2", ""); a.at(t, "1.id") != float64(102) {
		t.Errorf("orders: %s", a.body)
	}
	if a := w.api("GET", "/v2/orders?customer_id=1", ""); a.StatusCode != http.StatusNoContent || a.body != "" {
		t.Errorf("no orders: %d %q", a.StatusCode, a.body)
	}
	if a := w.api("GET", "/v2/orders/118", ""); a.at(t, "status") != "Awaiting Fulfillment" || a.at(t, "total_inc_tax") == "0.0000" {
		t.Errorf("order 118: %s", a.body)
	}
	if a := w.api("GET", "/v2/customers/count.json", ""); a.at(t, "count") != float64(6) {
		t.Errorf("count: %s", a.body)
	}
}

func TestAnOrderLives(t *testing.T) {
	w := newWorld(t, nil)
	made := w.api("POST", "/v2/orders", `{"customer_id":1501,"billing_address":{"first_name":"Ines"},"products":[{"product_id":77,"quantity":2}]}`)
	if made.StatusCode != http.StatusCreated || made.at(t, "subtotal_inc_tax") != "23.0000" || made.Header.Get("Location") == "" {
		t.Fatalf("made: %d %s", made.StatusCode, made.body)
	}
	path := fmt.Sprintf("/v2/orders/%v", made.at(t, "id"))
	if a := w.api("PUT", path, `{"status_id":2}`); a.at(t, "status") != "Shipped" || a.at(t, "items_shipped") != float64(2) {
		t.Errorf("shipped: %s", a.body)
	}
	if a := w.api("PUT", path, `{"status_id":99}`); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a status that is none: %d", a.StatusCode)
	}
	if a := w.api("GET", path+"/products", ""); a.at(t, "0.variant_id") != float64(345) {
		t.Errorf("lines: %s", a.body)
	}
	if a := w.api("DELETE", path, ""); a.StatusCode != http.StatusNoContent {
		t.Errorf("archive: %d", a.StatusCode)
	}
	if a := w.api("GET", "/v2/orders?min_id=119", ""); a.StatusCode != http.StatusNoContent {
		t.Errorf("an archived order is listed: %s", a.body)
	}
}

func TestCustomersLive(t *testing.T) {
	w := newWorld(t, nil)
	made := w.api("POST", "/v3/customers", `[{"email":"new@example.com","first_name":"N","last_name":"E"}]`)
	if made.at(t, "data.0.id") != float64(1507) {
		t.Fatalf("made: %s", made.body)
	}
	if a := w.api("POST", "/v3/customers", `[{"email":"NEW@example.com","first_name":"N","last_name":"E"}]`); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an email that is taken: %d", a.StatusCode)
	}
	if a := w.api("PUT", "/v3/customers", `[{"id":1507,"notes":"kind"}]`); a.at(t, "data.0.notes") != "kind" {
		t.Errorf("changed: %s", a.body)
	}
	if a := w.api("GET", "/v3/customers?email:in=new@example.com", ""); a.at(t, "meta.pagination.total") != float64(1) {
		t.Errorf("found: %s", a.body)
	}
	if a := w.api("DELETE", "/v3/customers?id:in=1507", ""); a.StatusCode != http.StatusNoContent {
		t.Errorf("deleted: %d", a.StatusCode)
	}
}

func TestTheStoreObjectHasEveryDocumentedKey(t *testing.T) {
	w := newWorld(t, nil)
	var store map[string]json.RawMessage
	w.api("GET", "/v2/store", "").json(t, &store)
	for _, key := range strings.Fields(`id account_uuid domain secure_url control_panel_base_url status name first_name
		last_name address country country_code infrastructure_region phone admin_email order_email favicon_url timezone
		language currency currency_symbol decimal_separator thousands_separator decimal_places currency_symbol_location
		weight_units dimension_units dimension_decimal_places dimension_decimal_token dimension_thousands_token plan_name
		plan_level plan_is_trial industry logo is_price_entered_with_tax store_id default_channel_id default_site_id
		active_comparison_modules features`) {
		if _, ok := store[key]; !ok {
			t.Errorf("the store has no %s", key)
		}
	}
	if got := w.api("GET", "/v2/time", "").at(t, "time"); got != float64(w.sandbox.clock.Now().Unix()) {
		t.Errorf("time: %v", got)
	}
	for path, key := range map[string]string{
		"/v3/catalog/categories": "data.0.name", "/v3/catalog/categories/23": "data.name", "/v3/catalog/brands": "data.0.name",
		"/v3/catalog/brands/35": "data.name", "/v3/catalog/summary": "data.variant_count", "/v3/catalog/variants?sku=HL-MINT": "data.0.id",
		"/v3/catalog/products/77/variants": "data.0.sku", "/v3/catalog/products/77/images/377": "data.id",
		"/v2/order_statuses": "0.name", "/v2/orders/count": "count",
	} {
		if got := w.api("GET", path, "").at(t, key); got == nil || got == "" {
			t.Errorf("%s has no %s", path, key)
		}
	}
}

func TestAnswersAreCompressedForWhoTakesThat(t *testing.T) {
	w := newWorld(t, nil)
	req := w.request("GET", "/stores/"+w.sandbox.Store()+"/v3/catalog/products", "")
	req.Header.Set("X-Auth-Token", w.token)
	req.Header.Set("Accept-Encoding", "gzip")
	res := w.send(req)
	if res.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("headers: %v", res.Header)
	}
	z, err := gzip.NewReader(strings.NewReader(res.body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil || !json.Valid(plain) {
		t.Errorf("%v in %.100s", err, plain)
	}
}

func TestTheQuotaIsSharedCountedAndRenewed(t *testing.T) {
	w := newWorld(t, nil)
	w.works("/quota", `{"left":2}`)
	for _, want := range []string{"1", "0"} {
		a := w.api("GET", "/v2/time", "")
		if a.StatusCode != http.StatusOK || a.Header.Get("X-Rate-Limit-Requests-Left") != want || a.Header.Get("X-Rate-Limit-Time-Window-Ms") != "30000" {
			t.Errorf("got %d, left %s, want %s", a.StatusCode, a.Header.Get("X-Rate-Limit-Requests-Left"), want)
		}
	}
	a := w.api("POST", "/v3/catalog/products", `{}`)
	if a.StatusCode != http.StatusTooManyRequests || a.Header.Get("X-Retry-After") != "30" || a.Header.Get("X-Rate-Limit-Time-Reset-Ms") != "30000" {
		t.Errorf("spent: %d %v", a.StatusCode, a.Header)
	}
	w.works("/clock", `{"advance":"30s"}`)
	if a := w.api("GET", "/v2/time", ""); a.StatusCode != http.StatusOK || a.Header.Get("X-Rate-Limit-Requests-Left") != "149" {
		t.Errorf("renewed: %d %v", a.StatusCode, a.Header)
	}
}
