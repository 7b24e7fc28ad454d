package bigcommerce

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const guideQuery = "code=d3mb7lnt511jb1zl3o833ojeuy8f9r8&context=stores%2Fnffse6w1bi&scope=store_v2_content+store_v2_customers+store_v2_customers_login+store_v2_default+store_v2_information_read_only+store_v2_marketing+store_v2_orders+store_v2_products+users_basic_information"

var guideInstall = Install{
	Code: "d3mb7lnt511jb1zl3o833ojeuy8f9r8", Context: "stores/nffse6w1bi", Store: "nffse6w1bi",
	Scopes: []string{
		"store_v2_content", "store_v2_customers", "store_v2_customers_login", "store_v2_default", "store_v2_information_read_only",
		"store_v2_marketing", "store_v2_orders", "store_v2_products", "users_basic_information",
	},
}

func TestParseInstall(t *testing.T) {
	for name, c := range map[string]struct {
		query string
		want  Install
	}{
		"the guide's own callback": {guideQuery, guideInstall},
		"with a question mark":     {"?" + guideQuery, guideInstall},
		"all parameters, in another order, with others": {
			"utm=1&utm=2&external_install=&context=stores/abc123xyz&account_uuid=5e0f&scope=a%20b&code=x%2By&%zz=1",
			Install{Code: "x+y", Context: "stores/abc123xyz", Store: "abc123xyz", Scopes: []string{"a", "b"}, AccountUUID: "5e0f", External: true},
		},
		"escaped names": {"c%6Fde=x&context=stores%2fa&scope=s", Install{Code: "x", Context: "stores/a", Store: "a", Scopes: []string{"s"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseInstall(c.query)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseInstallRefuses(t *testing.T) {
	for name, c := range map[string]struct{ query, code, param string }{
		"nothing":                           {"", "missing_param", "code"},
		"C06: two codes":                    {"code=a&code=b&context=stores/aaa111", "duplicate_param", "code"},
		"two codes, one with another name":  {"code=a&c%6fde=b&context=stores/aaa111&scope=s", "duplicate_param", "code"},
		"two contexts":                      {"code=a&context=stores/aaa111&context=stores/bbb222&scope=s", "duplicate_param", "context"},
		"no code":                           {"context=stores/a&scope=s", "missing_param", "code"},
		"a blank code":                      {"code=+&context=stores/a&scope=s", "missing_param", "code"},
		"no context":                        {"code=a&scope=s", "missing_param", "context"},
		"no scope":                          {"code=a&context=stores/a", "missing_param", "scope"},
		"an empty scope":                    {"code=a&context=stores/a&scope=", "missing_param", "scope"},
		"a control character in the code":   {"code=a%0d%0ab&context=stores/a&scope=s", "bad_param", "code"},
		"an escape sequence in the scope":   {"code=a&context=stores/a&scope=s%1b[31m", "bad_param", "scope"},
		"a hidden direction mark":           {"code=a%E2%80%AEb&context=stores/a&scope=s", "bad_param", "code"},
		"bytes that are not UTF-8":          {"code=%ff&context=stores/a&scope=s", "bad_param", "code"},
		"a broken escape":                   {"code=a%2&context=stores/a&scope=s", "bad_param", "code"},
		"a very long code":                  {"code=" + strings.Repeat("a", 5000) + "&context=stores/a&scope=s", "bad_param", "code"},
		"a very long query":                 {"code=a&x=" + strings.Repeat("a", 20000), "bad_param", ""},
		"too many scopes":                   {"code=a&context=stores/a&scope=" + strings.Repeat("s+", 300), "bad_param", "scope"},
		"G08: a context that climbs":        {"code=a&context=stores/../x&scope=s", "bad_context", "context"},
		"G08: a context with more":          {"code=a&context=stores/aaa111/..&scope=s", "bad_context", "context"},
		"G08: a context without a hash":     {"code=a&context=stores/&scope=s", "bad_context", "context"},
		"a context escaped twice":           {"code=a&context=stores%252Faaa111&scope=s", "bad_context", "context"},
		"a context of something else":       {"code=a&context=accounts/1&scope=s", "bad_context", "context"},
		"a refusal":                         {"error=access_denied&error_description=no", "denied", "error"},
		"C08: a refusal that types for you": {"error=%1b]0;pwned%07&error_description=%1b]52;c;ZXZpbA==%07", "denied", "error"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseInstall(c.query)
			var e *CallbackError
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a *CallbackError", err)
			}
			if e.Code != c.code || e.Param != c.param {
				t.Errorf("got %s of %s, want %s of %s", e.Code, e.Param, c.code, c.param)
			}
			if strings.ContainsFunc(e.Error()+e.Hint(), func(r rune) bool { return r < ' ' }) || e.Hint() == "" {
				t.Errorf("not fit for a terminal: %q", e.Error()+e.Hint())
			}
		})
	}
}

func TestC08TheTextOfARefusalIsShownEscaped(t *testing.T) {
	_, err := ParseInstall("error=%1b]0;pwned%07&error_description=%1b]52;c;ZXZpbA==%07")
	if want := `reading the auth callback: BigCommerce refused the install: \x1b]0;pwned\x07: \x1b]52;c;ZXZpbA==\x07`; err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestG08ValidStoreHash(t *testing.T) {
	for hash, want := range map[string]bool{
		"abc123xyz": true, "a": true, "0": true, strings.Repeat("a", 32): true,
		"": false, strings.Repeat("a", 33): false, strings.Repeat("a", 200): false, "../x": false, "aaa111/..": false,
		"AAA 111": false, "AAA111": false, "aaa-111": false, "aaa111\n": false, "ä": false,
	} {
		if got := ValidStoreHash(hash); got != want {
			t.Errorf("ValidStoreHash(%q) = %v", hash, got)
		}
	}
}

func TestParseLogLine(t *testing.T) {
	full := "code=k3b9x0q2&context=stores%2Fabc123xyz&scope=store_v2_orders+users_basic_information"
	amp := strings.ReplaceAll(full, "&", "&amp;")
	want := Install{Code: "k3b9x0q2", Context: "stores/abc123xyz", Store: "abc123xyz", Scopes: []string{"store_v2_orders", "users_basic_information"}}
	for name, line := range map[string]string{
		"Rails, request line":           `Started GET "/?` + full + `" for 1.2.3.4 at 2026-11-22 21:00:00 +0000`,
		"Rails, request line, prefixed": `I, [2026-11-22T21:00:00.1 #12]  INFO -- : [9f8e] Started GET "/auth/bigcommerce/callback?` + full + `" for ::1 at 2026-11-22`,
		"Rails, parameters":             `  Parameters: {"code"=>"k3b9x0q2", "context"=>"stores/abc123xyz", "scope"=>"store_v2_orders users_basic_information"}`,
		"Rails, parameters of Ruby 3.4": `  Parameters: {"code" => "k3b9x0q2", "context" => "stores/abc123xyz", "scope" => "store_v2_orders users_basic_information", "provider" => "bigcommerce"}`,
		"Rails, parameters, other order": `Parameters: {"scope"=>"store_v2_orders users_basic_information", "account_uuid"=>"", ` +
			`"context"=>"stores/abc123xyz", "code"=>"k3b9x0q2"}`,
		"nginx and Apache combined":        `1.2.3.4 - - [22/Nov/2026:21:00:00 +0000] "GET /auth?` + full + ` HTTP/1.1" 302 0 "https://login.bigcommerce.com/" "Mozilla/5.0 (X11; Linux x86_64)"`,
		"the next request, by its referer": `1.2.3.4 - - [22/Nov/2026:21:00:00 +0000] "GET /app.css HTTP/1.1" 200 512 "https://x.example/auth?` + full + `" "Mozilla/5.0"`,
		"Heroku router":                    `2026-11-22T21:00:00.000000+00:00 heroku[router]: at=info method=GET path="/auth?` + full + `" host=x.herokuapp.com request_id=1 fwd="1.2.3.4" status=200`,
		"a JSON log":                       `{"level":"info","req":{"method":"GET","url":"/auth?` + full + `"},"time":1}`,
		"a JSON log from Go":               `{"msg":"request","uri":"/auth?` + strings.ReplaceAll(full, "&", `\u0026`) + `"}`,
		"a JSON log from PHP":              `{"uri":"https:\/\/x.example\/auth?` + full + `"}`,
		"a JSON log with parsed values":    `{"query":{"code":"k3b9x0q2","context":"stores/abc123xyz","scope":"store_v2_orders users_basic_information"}}`,
		"a JSON log around a Rails line":   `{"message":"  Parameters: {\"code\"=>\"k3b9x0q2\", \"context\"=>\"stores/abc123xyz\", \"scope\"=>\"store_v2_orders users_basic_information\"}"}`,
		"a Rails line escaped in text":     `app: \"code\"=>\"k3b9x0q2\", \"context\"=>\"stores/abc123xyz\", \"scope\"=>\"store_v2_orders users_basic_information\"`,
		"a JSON log with other codes":      `{"error":{"code":"0"},"list":[{"code":"1"},{"query":{"code":"k3b9x0q2","context":"stores/abc123xyz","scope":"store_v2_orders users_basic_information"}}]}`,
		"a JSON log with a text inside":    `{"code":"0","n":1,"message":"at [\"code\" => \"k3b9x0q2\", \"context\" => \"stores/abc123xyz\", \"scope\" => \"store_v2_orders users_basic_information\"]"}`,
		"a query decoded, scope first":     `/auth?scope=store_v2_orders users_basic_information&code=k3b9x0q2&context=stores/abc123xyz HTTP/1.1`,
		"a prefix before JSON":             `2026-11-22 INFO {"code":"k3b9x0q2","context":"stores\/abc123xyz","scope":"store_v2_orders users_basic_information"}`,
		"a URL":                            `https://x.example/auth?` + full,
		"a URL in prose":                   `Visit (https://x.example/auth?` + full + `).`,
		"a URL with a fragment":            `https://x.example/auth?` + full + `#top`,
		"a URL in HTML":                    `<a href="https://x.example/auth?` + amp + `">`,
		"a bare query":                     full,
		"a bare query, HTML-escaped":       amp,
		"IIS":                              `2026-11-22 21:00:00 10.0.0.1 GET /auth ` + full + ` 443 - 1.2.3.4 Mozilla/5.0 200`,
		"a named field":                    `path=/auth query=` + full + ` status=200`,
		"a return address":                 `GET /login?to=%2Fauth%3F` + strings.NewReplacer("=", "%3D", "&", "%26", "%", "%25", "+", "%2B").Replace(full) + ` HTTP/1.1`,
		"a query that was decoded":         `"/auth?code=k3b9x0q2&context=stores/abc123xyz&scope=store_v2_orders users_basic_information HTTP/1.1"`,
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := ParseLogLine(line)
			if !ok {
				t.Fatal("nothing found in", line)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseLogLineFindsNothing(t *testing.T) {
	for name, line := range map[string]string{
		"an empty line":             "",
		"another request":           `Started GET "/load?signed_payload_jwt=x" for 1.2.3.4`,
		"a code without a context":  `GET /auth?code=abc&scope=a HTTP/1.1`,
		"a filtered code":           `Parameters: {"code"=>"[FILTERED]", "context"=>"stores/abc", "scope"=>"a"}`,
		"a masked code":             `GET /auth?code=••••&context=stores%2Fabc&scope=a`,
		"a context that is no hash": `GET /auth?code=a&context=stores%2F..%2Fx&scope=a`,
		"a JSON log of other codes": `{"code":"0","list":[{"code":1,"context":null}],"context":"x"}`,
		"prose behind a query":      `scope=a and b, see code=x&context=stores/abc for more`,
		"two codes":                 `GET /auth?code=a&code=b&context=stores%2Fabc&scope=a`,
		"prose":                     `the code and the context of this scope= are fine`,
		"a source line":             `if err := f(code=context); err != nil {`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := ParseLogLine(line); ok {
				t.Errorf("found %+v", got)
			}
		})
	}
}

func TestFindPayload(t *testing.T) {
	for name, c := range map[string]struct {
		text, want string
		legacy     bool
	}{
		"a token":                  {" " + vectorJWT + "\n", vectorJWT, false},
		"a URL":                    {"https://x.example/load?a=1&signed_payload_jwt=" + vectorJWT + "&b=2", vectorJWT, false},
		"both forms":               {"/load?signed_payload=abc.def&signed_payload_jwt=" + vectorJWT, vectorJWT, false},
		"a legacy payload":         {vectorLegacy, vectorLegacy, true},
		"a legacy parameter":       {"signed_payload=" + strings.ReplaceAll(vectorLegacy, "=", "%3D"), vectorLegacy, true},
		"a Rails line":             {`Parameters: {"signed_payload_jwt"=>"` + vectorJWT + `"}`, vectorJWT, false},
		"an nginx line":            {`"GET /load?signed_payload_jwt=` + vectorJWT + ` HTTP/1.1" 200`, vectorJWT, false},
		"a token that is cut off":  {vectorJWT[:90], vectorJWT[:90], false},
		"nothing of the sort":      {"hello world", "", false},
		"a query without the name": {"?code=x", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, legacy, ok := FindPayload(c.text)
			if got != c.want || legacy != c.legacy || ok != (c.want != "") {
				t.Errorf("got %q, legacy %v, %v", got, legacy, ok)
			}
		})
	}
}
