package proxy

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

func TestReadOnly(t *testing.T) {
	type row struct {
		name, method, path, body string
		header                   http.Header
		allowed                  bool
	}
	rows := []row{
		{"a GET", "GET", "/stores/aaa111/v3/x", "", nil, true},
		{"a HEAD", "HEAD", "/stores/aaa111/v3/x", "", nil, true},
		{"P89 a query", "POST", "/stores/aaa111/graphql", `{"query":"{ store { name } }"}`, nil, true},
		{"a named query with variables", "POST", "/graphql", `{"operationName":"A","variables":{"id":1,"query":"mutation"},"query":"query A($id: Int) { a(id: $id) { ...F } } fragment F on T { mutation }"}`, nil, true},
		{"the word in a string and a comment", "POST", "/graphql", `{"query":"{ a(x: \"mutation { b }\") } # mutation { x }"}`, nil, true},
		{"P90 a mutation", "POST", "/stores/aaa111/graphql", `{"query":"mutation { x }"}`, nil, false},
		{"P91 a mutation beside a query", "POST", "/stores/aaa111/graphql", `{"operationName":"B","query":"query A{a},mutation B{b}"}`, nil, false},
		{"P91 a mutation that is not chosen", "POST", "/stores/aaa111/graphql", `{"operationName":"A","query":"query A{a},mutation B{b}"}`, nil, false},
		{"P92 a batch", "POST", "/stores/aaa111/graphql", `[{"query":"mutation{x}"}]`, nil, false},
		{"a batch of queries", "POST", "/graphql", `[{"query":"{x}"}]`, nil, false},
		{"a subscription", "POST", "/graphql", `{"query":"subscription { x }"}`, nil, false},
		{"no GraphQL at all", "POST", "/graphql", `{"query":"drop table"}`, nil, false},
		{"no operation", "POST", "/graphql", `{"query":"fragment F on T { a }"}`, nil, false},
		{"nothing", "POST", "/graphql", ``, nil, false},
		{"a persisted query", "POST", "/graphql", `{"extensions":{"persistedQuery":{"sha256Hash":"x"}}}`, nil, false},
		{"two queries under one key", "POST", "/graphql", `{"query":"mutation{x}","query":"{x}"}`, nil, false},
		{"two queries under an escaped key", "POST", "/graphql", `{"query":"{x}","\u0071uery":"mutation{x}"}`, nil, false},
		{"a key in other letters", "POST", "/graphql", `{"query":"{x}","Query":"mutation{x}"}`, nil, false},
		{"something behind the object", "POST", "/graphql", `{"query":"{x}"}{"query":"mutation{x}"}`, nil, false},
		{"a query that is no string", "POST", "/graphql", `{"query":["mutation{x}"]}`, nil, false},
		{"a form", "POST", "/graphql", `query=mutation{x}`, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, false},
		{"a bare document that reads", "POST", "/graphql", `{ x }`, http.Header{"Content-Type": {"application/graphql"}}, true},
		{"a bare document that writes", "POST", "/graphql", `mutation { x }`, http.Header{"Content-Type": {"application/graphql"}}, false},
		{"a packed body", "POST", "/graphql", `{"query":"{x}"}`, http.Header{"Content-Encoding": {"gzip"}}, false},
		{"a mutation in the address", "GET", "/graphql?query=mutation{x}", ``, nil, false},
		{"a mutation in the address of a POST", "POST", "/graphql?query=mutation{x}", `{"query":"{x}"}`, nil, false},
		{"too much to look through", "POST", "/graphql", `{"query":"{x}","pad":"` + strings.Repeat("a", graphqlBody) + `"}`, nil, false},
		{"nesting without end", "POST", "/graphql", `{"query":"` + strings.Repeat("{a", 30000) + `"}`, nil, false},
		{"P54 an override by header", "POST", "/graphql", `{"query":"{x}"}`, http.Header{"X-Http-Method-Override": {"DELETE"}}, false},
		{"P54 an override of a GET", "GET", "/v3/x", ``, http.Header{"X-Method-Override": {"DELETE"}}, false},
		{"an override by parameter", "GET", "/v3/x?a=1&_method=DELETE", ``, nil, false},
		{"an override by an escaped parameter", "GET", "/v3/x?%5fMETHOD=DELETE", ``, nil, false},
		{"a write to a store that is not read-only", "POST", "/stores/bbb222/v3/x", "{}", nil, true},
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		rows = append(rows, row{"P87 a " + method, method, "/stores/aaa111/v3/x", "{}", nil, false})
		rows = append(rows, row{"P87 a " + method + " to the current store", method, "/v2/orders", "{}", nil, false})
	}
	for _, test := range rows {
		t.Run(test.name, func(t *testing.T) {
			u := newUpstream(t, false, nil)
			s := openDoor(t, u, func(o *Options) { o.ReadOnly = func(store string) bool { return store == "aaa111" } })
			res, body := do(t, test.method, s.URL+test.path, test.header, strings.NewReader(test.body))
			if !test.allowed {
				refused(t, res, body, 403, "read_only")
				u.none(t)
				return
			}
			if got := u.only(t); res.StatusCode != http.StatusOK || got.Body != test.body {
				t.Errorf("answer %d; upstream received %q", res.StatusCode, got.Body)
			}
		})
	}
}

func FuzzCheckQueries(f *testing.F) {
	for _, s := range []string{`{"query":"{x}"}`, `{"query":"mutation{x}"}`, `[]`, `{"query":"query A{a},mutation B{b}"}`, "{\"query\":\"\xff\"}", `{"query":"\ud800{a}"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if checkQueries("application/json", []byte(body)) != nil {
			return
		}
		var request map[string]any
		if err := json.Unmarshal([]byte(body), &request); err != nil {
			t.Fatalf("%q was let through: %v", body, err)
		}
		document, _ := request["query"].(string)
		doc, err := parser.ParseQuery(&ast.Source{Input: document})
		if err != nil {
			t.Fatalf("%q was let through: %v", body, err)
		}
		for _, op := range doc.Operations {
			if op.Operation != ast.Query {
				t.Errorf("%q was let through", body)
			}
		}
		for key := range request {
			if key != "query" && strings.EqualFold(key, "query") {
				t.Errorf("%q was let through", body)
			}
		}
	})
}
