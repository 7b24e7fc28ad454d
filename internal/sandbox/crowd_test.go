package sandbox

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
)

// A crowd reads, writes, installs and moves the clock at once: under the race detector, and
// with every write answered.
func TestACrowdAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.works("/quota", `{"left":100000,"limit":100000}`)
	hookOn(t, w, "store/product/*", "/hook")
	var crowd sync.WaitGroup
	for n := range 6 {
		crowd.Go(func() {
			for i := range 5 {
				name := fmt.Sprintf("Thing %d-%d", n, i)
				made := w.api("POST", "/v3/catalog/products", fmt.Sprintf(`{"name":%q,"type":"physical","weight":1,"price":1}`, name))
				if made.StatusCode != http.StatusOK {
					t.Errorf("%s: %d %s", name, made.StatusCode, made.body)
					continue
				}
				path := fmt.Sprintf("/v3/catalog/products/%v", made.at(t, "data.id"))
				w.api("PUT", path, `{"price":2,"categories":[23]}`)
				w.api("PUT", "/v3/catalog/products/77/variants/345", fmt.Sprintf(`{"price":%d}`, i+1))
				w.api("GET", "/v3/catalog/products?include=variants,images", "")
				w.control("POST", "/clock", `{"advance":"1s"}`)
				w.control("GET", "/received", "")
				w.api("DELETE", path, "")
			}
		})
	}
	crowd.Go(func() {
		for range 5 {
			w.control("POST", "/webhook", `{"scope":"store/product/created"}`)
			w.control("POST", "/install", `{"store":"other1"}`)
		}
	})
	crowd.Wait()
	if got := w.api("GET", "/v3/catalog/products", "").at(t, "meta.pagination.total"); got != float64(30) {
		t.Errorf("%v products are left, want 30", got)
	}
}

func TestStoresAndTokensAreBounded(t *testing.T) {
	w := newWorld(t, nil)
	for i := range maxStores - 1 {
		w.works("/token", fmt.Sprintf(`{"store":"s%d"}`, i))
	}
	if a := w.control("POST", "/token", `{"store":"onemore"}`); a.StatusCode != http.StatusBadRequest {
		t.Errorf("store %d: %d", maxStores+1, a.StatusCode)
	}
	for len(w.sandbox.grants.tokens) < maxTokens {
		w.sandbox.grants.mint("s1", nil)
	}
	if a := w.control("POST", "/token", ""); a.StatusCode != http.StatusBadRequest {
		t.Errorf("token %d: %d", maxTokens+1, a.StatusCode)
	}
	for range maxCodes + 10 {
		w.sandbox.grants.issue(code{})
	}
	if n := len(w.sandbox.grants.codes); n != maxCodes {
		t.Errorf("%d codes", n)
	}
}
