package sandbox

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func (w *world) graph(path, host, token, origin, body string) answer {
	w.t.Helper()
	req := w.request("POST", path, body)
	if host != "" {
		req.Host = host
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	return w.send(req)
}

func (w *world) storefrontToken(kind, more string) string {
	w.t.Helper()
	expires := w.sandbox.clock.Now().Add(time.Hour).Unix()
	a := w.api("POST", "/v3/storefront/"+kind, fmt.Sprintf(`{"channel_ids":[1],"expires_at":%d%s}`, expires, more))
	if a.StatusCode != http.StatusOK {
		w.t.Fatalf("token: %d %s", a.StatusCode, a.body)
	}
	return a.at(w.t, "data.token").(string)
}

const private = `,"scopes":["Unauthenticated"]`

func TestTheStorefrontAnswersWithAPrivateToken(t *testing.T) {
	w := newWorld(t, nil)
	token := w.storefrontToken("api-token-private", private)
	query := `{"query":"query Q($n: Int!) { __typename site { settings { storeName } products(first: $n) { pageInfo { hasNextPage endCursor } edges { node { ...P } } } } } fragment P on Product { id: entityId name prices { price { value } } defaultImage { url(width: 80) } plainTextDescription(characterLimit: 9) }","variables":{"n":2}}`
	for _, at := range [][2]string{
		{"/graphql", ""}, {"/storefront/" + w.sandbox.Store() + "/graphql", ""},
		{"/graphql", "store-" + w.sandbox.Store() + ".localhost:7080"}, {"/graphql", "store-" + w.sandbox.Store() + "-1.localhost"},
	} {
		a := w.graph(at[0], at[1], token, "", query)
		if a.StatusCode != http.StatusOK || a.at(t, "data.site.settings.storeName") != shopName {
			t.Fatalf("%v: %d %s", at, a.StatusCode, a.body)
		}
		if a.at(t, "data.site.products.edges.1.node.id") != float64(78) || a.at(t, "data.site.products.pageInfo.hasNextPage") != true ||
			a.at(t, "data.site.products.edges.0.node.plainTextDescription") != "The house" {
			t.Errorf("%v: %s", at, a.body)
		}
		if !strings.HasPrefix(a.body, `{"data":{"__typename":"Query","site":{"settings"`) {
			t.Errorf("the fields are not in the query's order: %s", a.body)
		}
		if a.Header.Get("X-Bc-Graphql-Operation-Name") != "Q" || a.Header.Get("X-Bc-Graphql-Complexity") == "" {
			t.Errorf("headers: %v", a.Header)
		}
	}
}

func TestTheStorefrontRefusesInBigCommercesWords(t *testing.T) {
	w := newWorld(t, nil)
	good := w.storefrontToken("api-token-private", private)
	public := w.storefrontToken("api-token", `,"allowed_cors_origins":["https://shop.example"]`)
	revoked := w.storefrontToken("api-token", "")
	drop := w.request("DELETE", "/stores/"+w.sandbox.Store()+"/v3/storefront/api-token", "")
	drop.Header.Set("X-Auth-Token", w.token)
	drop.Header.Set("Sf-Api-Token", revoked)
	if a := w.send(drop); a.StatusCode != http.StatusNoContent {
		t.Fatalf("revoking: %d %s", a.StatusCode, a.body)
	}
	w.works("/token", `{"store":"other1"}`)
	const query = `{"query":"{ site { settings { storeName } } }"}`
	for name, c := range map[string]struct{ path, token, origin, want string }{
		"no token":           {"/graphql", "", "", "No token was sent."},
		"no JWT":             {"/graphql", "abc", "", "String is not a JWT"},
		"another signature":  {"/graphql", good[:len(good)-8] + "AAAAAAAA", "", "JWT signature is invalid"},
		"another store":      {"/storefront/other1/graphql", good, "", "JWT store id doesn't match"},
		"another channel":    {"/storefront/" + w.sandbox.Store() + "-2/graphql", good, "", "JWT channel id doesn't match"},
		"revoked":            {"/graphql", revoked, "", "Unknown JWT token"},
		"public, no origin":  {"/graphql", public, "", "'Origin' header invalid:"},
		"public, not theirs": {"/graphql", public, "https://evil.example", "'Origin' header invalid:"},
	} {
		a := w.graph(c.path, "", c.token, c.origin, query)
		if a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.body, c.want) {
			t.Errorf("%s: %d %s, want %q", name, a.StatusCode, a.body, c.want)
		}
	}
	if a := w.graph("/graphql", "", public, "https://shop.example", query); a.StatusCode != http.StatusOK {
		t.Errorf("a public token from its origin: %d %s", a.StatusCode, a.body)
	}
	w.works("/clock", `{"advance":"61m"}`)
	if a := w.graph("/graphql", "", good, "", query); !strings.Contains(a.body, "JWT is expired") {
		t.Errorf("an hour later: %d %s", a.StatusCode, a.body)
	}
}

func TestGraphQLErrorsAreReal(t *testing.T) {
	w := newWorld(t, nil)
	token := w.storefrontToken("api-token-private", private)
	for body, want := range map[string]string{
		`{"query":"{ site { nonsense } }"}`:                                           `Cannot query field \"nonsense\"`,
		`{"query":"{ site { "}`:                                                       "Expected Name",
		`{"query":"mutation { x }"}`:                                                  "mutation",
		`{"query":"query A { __typename } query B { __typename }"}`:                   "name of an operation",
		`{"query":"query($n: Int!) { site { products(first: $n) { __typename } } }"}`: "must be defined",
		`{"query":"{ site { products(first: 99) { __typename } } }"}`:                 "between 0 and 50",
		`{"query":"{ __schema { types { name } } }"}`:                                 "Introspection",
		`{"query":"{ customer { email } }"}`:                                          `"requiredScopes":["Customer"]`,
		`[{"query":"{ __typename }"}]`:                                                "JSON with a query",
		``:                                                                            "JSON with a query",
	} {
		a := w.graph("/graphql", "", token, "", body)
		if a.StatusCode != http.StatusOK || !strings.Contains(a.body, want) || !strings.Contains(a.body, `"errors"`) {
			t.Errorf("%s: %d %s, want %s", body, a.StatusCode, a.body, want)
		}
	}
}

// bomb is a query of a few hundred bytes that stands for 2^depth fields.
func bomb(depth int) string {
	var b strings.Builder
	b.WriteString("{ site { ...F0 } }")
	for i := range depth {
		fmt.Fprintf(&b, " fragment F%d on Site { ...F%d ...F%d }", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on Site { __typename }", depth)
	return b.String()
}

func TestQueriesAreBounded(t *testing.T) {
	w := newWorld(t, nil)
	token := w.storefrontToken("api-token-private", private)
	for query, want := range map[string]string{
		bomb(40):                       "too complex",
		strings.Repeat("{ x ", 100000): "nesting depth",
		"{" + strings.Repeat(" __typename", 6000) + "}": "token limit",
		"{ site " + strings.Repeat("(", 10):             "Expected",
	} {
		if a := w.graph("/graphql", "", token, "", `{"query":"`+query+`"}`); !strings.Contains(a.body, want) {
			t.Errorf("%.40s…: %d %.200s, want %s", query, a.StatusCode, a.body, want)
		}
	}
}

func TestAdminGraphQLIsCheckedAsTheRESTAPIIs(t *testing.T) {
	w := newWorld(t, nil)
	if a := w.api("POST", "/graphql", `{"query":"{ store { name @skip(if: false) hash @include(if: false) } }"}`); strings.TrimSpace(a.body) != `{"data":{"store":{"name":"Harbour & Leaf"}}}` {
		t.Errorf("got %d %s", a.StatusCode, a.body)
	}
	w.token = "wrong"
	if a := w.api("POST", "/graphql", `{"query":"{ store { name } }"}`); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("with a wrong token: %d", a.StatusCode)
	}
}

func TestStorefrontTokensAreAskedForProperly(t *testing.T) {
	w := newWorld(t, nil)
	later := w.sandbox.clock.Now().Add(time.Hour).Unix()
	for body, want := range map[string]string{
		`{}`:                                 "channel_ids",
		`{"channel_ids":[1]}`:                "expires_at",
		`{"channel_ids":[1],"expires_at":1}`: "expires_at",
		fmt.Sprintf(`{"channel_id":1,"expires_at":%d}`, later):                                                                "scopes",
		fmt.Sprintf(`{"channel_id":1,"expires_at":%d,"scopes":["Everything"]}`, later):                                        "scopes",
		fmt.Sprintf(`{"channel_id":1,"expires_at":%d,"scopes":["B2B"],"allowed_cors_origins":["https://x.example/"]}`, later): "has_invalid_suffix",
	} {
		a := w.api("POST", "/v3/storefront/api-token-private", body)
		if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", body, a.StatusCode, a.body)
		}
	}
}
