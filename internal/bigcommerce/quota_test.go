package bigcommerce

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func quotaHeader(limit, left, window, reset, retry string) http.Header {
	h := http.Header{}
	for name, value := range map[string]string{
		"X-Rate-Limit-Requests-Quota": limit, "X-Rate-Limit-Requests-Left": left, "X-Rate-Limit-Time-Window-Ms": window,
		"X-Rate-Limit-Time-Reset-Ms": reset, "X-Retry-After": retry,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	return h
}

func TestParseQuota(t *testing.T) {
	s := time.Second
	for name, c := range map[string]struct {
		h    http.Header
		want Quota
		ok   bool
	}{
		"as a real store sends it": {quotaHeader("150", "148", "30000", "26377", ""), Quota{150, 148, 30 * s, 26377 * time.Millisecond, 0}, true},
		"none":                     {http.Header{}, Quota{}, false},
		"only a wish to wait":      {quotaHeader("", "", "", "", "7"), Quota{Retry: 7 * s}, false},
		"negative":                 {quotaHeader("-1", "-5", "-30000", "-1", "-9"), Quota{}, true},
		"out of this world":        {quotaHeader("150", "9999999999999999999999", "1e300", "99999999999", "Inf"), Quota{150, 150, time.Hour, time.Hour, time.Hour}, true},
		"words":                    {quotaHeader("many", "NaN", "", "soon", "tomorrow"), Quota{}, false},
		"a fraction waits longer":  {quotaHeader("", "", "", "1.2", "0.5"), Quota{Reset: 2 * time.Millisecond, Retry: s}, true},
	} {
		got, ok := ParseQuota(c.h)
		if got != c.want || ok != c.ok {
			t.Errorf("%s: got %+v, %v", name, got, ok)
		}
	}
	if wait := (Quota{Reset: s, Retry: 3 * s}).Wait(); wait != 3*s {
		t.Errorf("waits %v", wait)
	}
}

func TestExplain(t *testing.T) {
	const (
		noScope = `{"status":403,"title":"You don't have a required scope to access the endpoint","type":"x","errors":{}}`
		p       = "/stores/abc123xyz/v3/catalog/products"
	)
	typed := http.Header{"Content-Type": {"application/json"}}
	for name, c := range map[string]struct {
		a    Answer
		says []string // nothing: no explanation
	}{
		"all is well":                        {Answer{Method: "GET", Path: p, Status: 200, Body: []byte(`{"data":[]}`)}, nil},
		"made":                               {Answer{Method: "POST", Path: p, Status: 201}, nil},
		"V2's empty list":                    {Answer{Method: "GET", Path: "/v2/orders", Status: 204}, []string{"204", "[]"}},
		"V3 deletes with 204":                {Answer{Method: "DELETE", Path: p, Status: 204}, nil},
		"V2 deletes with 204":                {Answer{Method: "DELETE", Path: "/v2/orders/1", Status: 204}, nil},
		"a part of a batch":                  {Answer{Method: "PUT", Path: p, Status: 207}, []string{"part of the batch"}},
		"not modified":                       {Answer{Method: "GET", Path: p, Status: 304}, nil},
		"a dead token":                       {Answer{Method: "GET", Path: p, Status: 401}, []string{"no longer works", "uninstalled", "Install the app again"}},
		"a misspelt payment scheme":          {Answer{Method: "POST", Path: "/stores/a/payments", Status: 401, Body: []byte(`{"code":10001}`)}, []string{"PAT"}},
		"a missing scope":                    {Answer{Method: "GET", Path: p, Status: 403, Body: []byte(noScope), Granted: []string{"store_v2_orders"}}, []string{"Products (read-only or modify)", "store_v2_products_read_only", "means a new install"}},
		"a missing scope to write":           {Answer{Method: "POST", Path: p, Status: 403, Body: []byte(noScope), Granted: []string{"store_v2_products_read_only"}}, []string{"Products (modify)"}},
		"a missing scope, older wording":     {Answer{Method: "GET", Path: "/v2/store", Status: 403, Body: []byte(`{"error":"You are authorized but your scope does not include this resource."}`)}, []string{"Information & Settings (read-only or modify)"}},
		"a missing scope, uncertain":         {Answer{Method: "GET", Path: "/v2/brands", Status: 403, Body: []byte(noScope)}, []string{"probably missing", "Products"}},
		"a missing scope nobody documents":   {Answer{Method: "GET", Path: "/v3/secret", Status: 403, Body: []byte(noScope)}, []string{"documentation does not name"}},
		"a script for the checkout":          {Answer{Method: "POST", Path: "/v3/content/scripts", Status: 403, Body: []byte(noScope), Granted: []string{"store_v2_content"}}, []string{"Checkout Content"}},
		"a slash at the end":                 {Answer{Method: "GET", Path: p + "/", Status: 403, Body: []byte("Authentication Required")}, []string{"slash", "leave the slash off"}},
		"a slash before the query":           {Answer{Method: "GET", Path: p + "/?a=b", Status: 403, Body: []byte("Authentication Required")}, []string{"slash"}},
		"refused with every scope":           {Answer{Method: "GET", Path: p, Status: 403, Granted: []string{"store_v2_products"}}, []string{"store hash", "owner"}},
		"refused, scopes unknown":            {Answer{Method: "GET", Path: p, Status: 403}, []string{"not for a scope"}},
		"no such id":                         {Answer{Method: "GET", Path: p + "/9", Status: 404}, []string{"another store"}},
		"orders are V2":                      {Answer{Method: "GET", Path: "/stores/a/v3/order_statuses", Status: 404}, []string{"lives at /v2/order_statuses"}},
		"a path nobody documents":            {Answer{Method: "GET", Path: "/v3/produkte/1", Status: 404}, []string{"no such path"}},
		"a wrong method":                     {Answer{Method: "PATCH", Path: p, Status: 405}, []string{"does not take PATCH"}},
		"a wrong Accept":                     {Answer{Method: "GET", Path: p, Status: 406}, []string{"Accept: application/json"}},
		"a page too long":                    {Answer{Method: "GET", Path: p, Status: 413}, []string{"250"}},
		"a wrong content type":               {Answer{Method: "POST", Path: p, Status: 415}, []string{"Content-Type: application/json"}},
		"fields of V3":                       {Answer{Method: "POST", Path: p, Status: 422, Body: []byte(`{"title":"x","errors":{"name":"is required","price":"must be a number","n":{"a":1}}}`)}, []string{"name (is required); price (must be a number); n ("}},
		"no fields":                          {Answer{Method: "POST", Path: p, Status: 422, Body: []byte(`{"title":"x","errors":{}}`)}, []string{"title"}},
		"very many fields":                   {Answer{Method: "POST", Path: p, Status: 422, Body: []byte(`{"errors":{"a":"","b":"","c":"","d":"","e":"","f":"","g":"","h":""}}`)}, []string{"and 2 more"}},
		"a field that types":                 {Answer{Method: "POST", Path: p, Status: 422, Body: []byte(`{"errors":{"a\u001b[31m":"ü\r\nX-Auth-Token: 1"}}`)}, []string{`a\x1b[31m`, `\u00fc\r\nX-Auth-Token`}},
		"an origin with a slash":             {Answer{Method: "POST", Path: "/v3/storefront/api-token", Status: 422, Body: []byte(`{"title":"allowed_cors_origins:has_invalid_suffix"}`)}, []string{"ends with a slash"}},
		"messages of V2":                     {Answer{Method: "POST", Path: "/v2/orders", Status: 400, Header: typed, Body: []byte(`[{"status":400,"message":"The field 'x' is invalid.","details":{}}]`)}, []string{"The field 'x' is invalid."}},
		"a body without a type":              {Answer{Method: "POST", Path: p, Status: 400}, []string{"Content-Type is application/json"}},
		"a conflict":                         {Answer{Method: "POST", Path: p, Status: 409, Body: []byte(`{"errors":{"name":"taken"}}`)}, []string{"name (taken)"}},
		"too many, with a clock":             {Answer{Method: "GET", Path: p, Status: 429, Header: quotaHeader("150", "0", "30000", "1500", "")}, []string{"refills in 1 s", "not executed"}},
		"too many, told to wait longer":      {Answer{Method: "GET", Path: p, Status: 429, Header: quotaHeader("150", "35", "30000", "1500", "20")}, []string{"refills in 20 s"}},
		"too many, without headers":          {Answer{Method: "POST", Path: p, Status: 429}, []string{"whole store", "not executed"}},
		"a failure on reading":               {Answer{Method: "GET", Path: p, Status: 500}, []string{"BigCommerce failed (500)"}},
		"a failure on writing":               {Answer{Method: "POST", Path: p, Status: 502}, []string{"may have been made"}},
		"the store is down":                  {Answer{Method: "GET", Path: p, Status: 503}, []string{"suspended"}},
		"the plan is full":                   {Answer{Method: "POST", Path: p, Status: 507}, []string{"plan"}},
		"GraphQL Admin with a dead token":    {Answer{Method: "POST", Path: "/stores/a/graphql", Status: 401}, []string{"access token no longer works"}},
		"GraphQL without a token":            {Answer{Method: "POST", Path: "/graphql", Status: 401, Body: []byte("GraphQL credentials were missing. No token was sent.")}, []string{"Authorization: Bearer"}},
		"GraphQL with an API token":          {Answer{Method: "POST", Path: "/storefront/graphql", Status: 401, Body: []byte("GraphQL invalid credentials. String is not a JWT")}, []string{"does not work here"}},
		"GraphQL, expired":                   {Answer{Method: "POST", Path: "/graphql", Status: 401, Body: []byte("GraphQL invalid credentials. JWT is expired")}, []string{"expired"}},
		"GraphQL, another channel":           {Answer{Method: "POST", Path: "/graphql", Status: 401, Body: []byte("JWT channel id doesn't match channel id of the URL")}, []string{"another channel"}},
		"GraphQL, revoked":                   {Answer{Method: "POST", Path: "/graphql", Status: 401, Body: []byte("Unknown JWT token")}, []string{"revoked"}},
		"GraphQL, storefront, another text":  {Answer{Method: "POST", Path: "/stores/a/storefront/graphql", Status: 401}, []string{"storefront token is refused"}},
		"GraphQL, another origin":            {Answer{Method: "POST", Path: "/graphql", Status: 403, Body: []byte("'Origin' header invalid: x")}, []string{"allowed_cors_origins"}},
		"GraphQL, a field beyond the scopes": {Answer{Method: "POST", Path: "/graphql", Status: 200, Body: []byte(`{"data":null,"errors":[{"extensions":{"code":"INSUFFICIENT_ACCESS_SCOPE","requiredScopes":["B2B"]}}]}`)}, []string{"scope B2B"}},
		"GraphQL, fine":                      {Answer{Method: "POST", Path: "/graphql", Status: 200, Body: []byte(`{"data":{}}`)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := Explain(c.a)
			if len(c.says) == 0 && got != "" {
				t.Errorf("explains %q", got)
			}
			for _, part := range c.says {
				if !strings.Contains(got, part) {
					t.Errorf("got %q, want %q in it", got, part)
				}
			}
			if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
				t.Errorf("not fit for a header: %q", got)
			}
		})
	}
}
