package redact

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQuery(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"a callback keeps all but its code":      {"account_uuid=5e&code=k3b9&context=stores%2Fabc&scope=a+b", "account_uuid=5e&code=••••&context=stores%2Fabc&scope=a+b"},
		"both signed payloads":                   {"signed_payload=x.y&signed_payload_jwt=a.b.c&z=1", "signed_payload=••••&signed_payload_jwt=••••&z=1"},
		"an escaped name is still the name":      {"c%6Fde=abc&Access_Token=x", "c%6Fde=••••&Access_Token=••••"},
		"a repeated secret is masked each time":  {"code=a&code=b", "code=••••&code=••••"},
		"an empty value hides nothing":           {"code=&token&x=%zz&&=", "code=&token&x=%zz&&="},
		"a semicolon separates, too":             {"a;code=b;c&d=e;token=f", "a;code=••••&d=e;token=••••"},
		"a secret behind a plain pair":           {"a=1;client_secret=x;y", "a=1;client_secret=••••"},
		"a name that only contains a secret one": {"encode=1&codes=2&tokenize=3&monkey=4", "encode=1&codes=2&tokenize=3&monkey=4"},
		"a return address with a code":           {"to=%2Fauth%3Fa%3D1%26code%3Dabc&x=1", "to=••••&x=1"},
		"a return address without":               {"to=%2Forders%3Fid%3D1&x=1", "to=%2Forders%3Fid%3D1&x=1"},
		"nothing":                                {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, changed := Query(c.in)
			if got != c.want || changed != (got != c.in) {
				t.Errorf("Query(%q) = %q, %v; want %q", c.in, got, changed, c.want)
			}
			if again, changed := Query(got); again != got || changed {
				t.Errorf("masking twice gives %q, %v", again, changed)
			}
		})
	}
}

func TestTarget(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"a load callback":                        {"/load?signed_payload_jwt=a.b.c", "/load?signed_payload_jwt=••••"},
		"a URL with a fragment":                  {"https://x.example/auth?code=1&b=2#access_token=3", "https://x.example/auth?code=••••&b=2#access_token=••••"},
		"user info":                              {"https://me:pw@x.example/", "https://••••@x.example/"},
		"a proxy key in the path":                {"/k/s3cr3t/stores/abc/v3/x?key=size", "/k/••••/stores/abc/v3/x?key=size"},
		"a coupon code is a filter":              {"/stores/abc/v2/coupons?code=SAVE10", "/stores/abc/v2/coupons?code=SAVE10"},
		"a coupon code by its full URL":          {"https://api.bigcommerce.com/stores/abc/v2/coupons?code=S", "https://api.bigcommerce.com/stores/abc/v2/coupons?code=S"},
		"an access token is none":                {"/v3/x?access_token=1", "/v3/x?access_token=••••"},
		"an auth callback below /v2":             {"/v2/auth?code=1&context=stores/abc", "/v2/auth?code=••••&context=stores/abc"},
		"a customer login token":                 {"/login/token/eyJh.b.c?x=1", "/login/token/••••?x=1"},
		"nothing secret, oddly escaped, stays":   {"/a%2fb//c?x=%zz;y#z", "/a%2fb//c?x=%zz;y#z"},
		"a query that begins with question mark": {"/??code=1", "/??code=1"},
	} {
		t.Run(name, func(t *testing.T) {
			got, changed := Target(c.in)
			if got != c.want || changed != (got != c.in) {
				t.Errorf("Target(%q) = %q, %v; want %q", c.in, got, changed, c.want)
			}
		})
	}
}

func TestHeader(t *testing.T) {
	in := http.Header{
		"Authorization":              {"Bearer abc.def", "Basic", "rawtoken", "bearer x"},
		"Proxy-Authorization":        {"Basic dTpw"},
		"Cookie":                     {"a=1; b=2;c; d="},
		"Set-Cookie":                 {"sid=abc; Path=/; SameSite=None; Secure", "plain=x"},
		"X-Auth-Token":               {"tok"},
		"x-auth-token":               {"lower"},
		"X-Auth-Client":              {"client"},
		"Sf-Api-Token":               {"tok"},
		"X-Bc-Customer-Access-Token": {"tok"},
		"Webhook-Signature":          {"v1,abc"},
		"Referer":                    {"https://x.example/load?signed_payload_jwt=a.b.c"},
		"Location":                   {"/auth?code=1&x=2"},
		"Empty":                      nil,
	}
	want := http.Header{
		"Authorization":              {"Bearer ••••", "Basic", "••••", "bearer ••••"},
		"Proxy-Authorization":        {"Basic ••••"},
		"Cookie":                     {"a=••••; b=••••;••••; d="},
		"Set-Cookie":                 {"sid=••••; Path=/; SameSite=None; Secure", "plain=••••"},
		"X-Auth-Token":               {"••••"},
		"x-auth-token":               {"••••"},
		"X-Auth-Client":              {"client"},
		"Sf-Api-Token":               {"••••"},
		"X-Bc-Customer-Access-Token": {"••••"},
		"Webhook-Signature":          {"v1,abc"},
		"Referer":                    {"https://x.example/load?signed_payload_jwt=••••"},
		"Location":                   {"/auth?code=••••&x=2"},
		"Empty":                      nil,
	}
	before := in.Clone()
	if diff := cmp.Diff(want, Header(in)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, in); diff != "" {
		t.Error("the header given was changed", diff)
	}
	if Header(nil) != nil {
		t.Error("the header of nothing is something")
	}
}

func TestBody(t *testing.T) {
	const token, private = "/oauth2/token", "/stores/abc/v3/storefront/api-token-private"
	for name, c := range map[string]struct{ path, kind, in, want string }{
		"the JSON an app sends": {
			token, "application/json",
			"{\n \"client_id\":\"id\", \"client_secret\" : \"s\\\"x\",\"code\":\"c\",\"grant_type\":\"authorization_code\"}\n",
			"{\n \"client_id\":\"id\", \"client_secret\" : \"••••\",\"code\":\"••••\",\"grant_type\":\"authorization_code\"}\n",
		},
		"a path with needless escapes": {
			"/stores/abc/v3/storefront/api%2dtoken-private", "application/json", `{"data":{"token":"abc"}}`, `{"data":{"token":"••••"}}`,
		},
		"the JSON BigCommerce answers": {
			token, "application/json; charset=utf-8",
			`{"access_token":"abc","scope":"code token","user":{"id":1,"username":"code"},"context":"stores/x"}`,
			`{"access_token":"••••","scope":"code token","user":{"id":1,"username":"code"},"context":"stores/x"}`,
		},
		"a form":                            {token, "application/x-www-form-urlencoded", "client_id=i&client_secret=s%20s&code=c&scope=a+b", "client_id=i&client_secret=••••&code=••••&scope=a+b"},
		"a form that says it is JSON":       {token, "application/json", "code=c&x=1", "code=••••&x=1"},
		"JSON that says it is a form":       {token, "application/x-www-form-urlencoded", `{"code":"c&d"}`, `{"code":"••••"}`},
		"JSON cut off inside the token":     {"https://login.bigcommerce.com/oauth2/token?x=1", "", `{"access_token":"abc`, `{"access_token":"••••`},
		"JSON cut off inside an escape":     {token, "", `{"access_token":"abc\`, `{"access_token":"••••`},
		"an escaped name":                   {token, "", `{"c\u006fde":"x"}`, `{"c\u006fde":"••••"}`},
		"a secret wrapped in a list":        {token, "", `{"code":["a",{"b":"c"}],"scope":"d"}`, `{"code":["••••",{"••••":"••••"}],"scope":"d"}`},
		"JSON behind a byte order mark":     {token, "", "\ufeff" + `{"code":"x"}`, "\ufeff" + `{"code":"••••"}`},
		"a value where a name should be":    {token, "", `{"code":"x":"y"`, `{"code":"••••":"y"`},
		"nothing to hide":                   {token, "", `{"code":null,"token":"","error":"invalid_grant"}`, `{"code":null,"token":"","error":"invalid_grant"}`},
		"multipart":                         {token, "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"client_secret\"\r\n\r\ns3\r\n--x\r\nContent-Disposition: form-data; name=\"scope\"\r\n\r\na\r\n--x--", "--x\r\nContent-Disposition: form-data; name=\"client_secret\"\r\n\r\n••••\r\n--x\r\nContent-Disposition: form-data; name=\"scope\"\r\n\r\na\r\n--x--"},
		"the redirect page":                 {token, "text/html", `<a href="/login?code=1">`, `<a href="/login?code=1">`},
		"a storefront token":                {private, "application/json", `{"data":{"token":"eyJ"},"meta":{}}`, `{"data":{"token":"••••"},"meta":{}}`},
		"a payment access token":            {"/stores/abc/v3/payments/access_tokens", "", `{"data":{"id":"eyJ"},"order":{"id":1}}`, `{"data":{"id":"••••"},"order":{"id":1}}`},
		"a coupon keeps its code":           {"/stores/abc/v2/coupons", "application/json", `{"code":"SAVE10","token":"x"}`, `{"code":"SAVE10","token":"x"}`},
		"a webhook keeps every byte":        {"/webhooks", "application/json", `{"data":{"code":"x"}}`, `{"data":{"code":"x"}}`},
		"an unbalanced document is no harm": {token, "", `{]}{"code":"a"]}]"code"`, `{]}{"code":"••••"]}]"code"`},
	} {
		t.Run(name, func(t *testing.T) {
			in := []byte(c.in)
			if got := string(Body(c.path, c.kind, in)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if string(in) != c.in {
				t.Error("the body given was changed")
			}
		})
	}
}

func TestScrub(t *testing.T) {
	const secret = `p/a+s"w<o&r d`
	loose := `p/a+s\"w<o&r d`
	for name, c := range map[string]struct {
		in, want  string
		truncated bool
	}{
		"as it is, twice":                  {"x" + secret + secret + "y", "x••••••••y", false},
		"escaped for a query":              {"a=" + url.QueryEscape(secret) + "&b", "a=••••&b", false},
		"escaped in lower case":            {"a=" + strings.ToLower(url.QueryEscape(secret)), "a=••••", false},
		"escaped for JSON":                 {`{"a":"` + loose + `"}`, `{"a":"••••"}`, false},
		"escaped for JSON, slashes too":    {`{"a":"` + strings.ReplaceAll(loose, "/", `\/`) + `"}`, `{"a":"••••"}`, false},
		"cut off in the middle":            {"tail " + secret[:6], "tail ••••", true},
		"cut off in the middle, escaped":   {"tail " + url.QueryEscape(secret)[:8], "tail ••••", true},
		"three bytes are not yet a secret": {"tail " + secret[:3], "tail " + secret[:3], true},
		"a whole body that ends likewise":  {"tail " + secret[:6], "tail " + secret[:6], false},
		"nothing":                          {"nothing", "nothing", true},
	} {
		t.Run(name, func(t *testing.T) {
			in := []byte(c.in)
			if got := string(Scrub(in, []string{"", "abc", secret}, c.truncated)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if string(in) != c.in {
				t.Error("the bytes given were changed")
			}
		})
	}
}

func TestOfTwoSecretsTheLongerIsFoundWhole(t *testing.T) {
	if got := NewKnown("token", "token-two").ScrubString("a token-two token"); got != "a •••• ••••" {
		t.Errorf("got %q", got)
	}
	if got := fmt.Sprintf("%v %+v %#v %x", NewKnown("token"), &struct{ K Known }{NewKnown("token")}, NewKnown("token"), NewKnown("token")); strings.Contains(got, "token") || strings.Contains(got, "746f6b") || strings.Contains(got, "0x74") {
		t.Errorf("what is known prints as %s", got)
	}
	if got := (Known{}).ScrubString("a"); got != "a" {
		t.Errorf("the zero value gives %q", got)
	}
}

func TestTerminal(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"C08: a window title":       {"\x1b]0;pwned\x07", `\x1b]0;pwned\x07`},
		"C08: the clipboard":        {"\x1b]52;c;ZXZpbA==\x07", `\x1b]52;c;ZXZpbA==\x07`},
		"C10: direction and joins":  {"a\u202eb\u2066c\u200bd\ufeff", `a\u202eb\u2066c\u200bd\ufeff`},
		"C10: overwriting a line":   {"good\rbad\nnext\tcell", `good\rbad\nnext\tcell`},
		"C1 and DEL":                {"\u009b31m\x7f", `\u009b31m\x7f`},
		"bytes that are not UTF-8":  {"\x9b31m\xff\xc3", `\x9b31m\xff\xc3`},
		"a text hidden in tags":     {"a\U000e0041", `a\U000e0041`},
		"line separators":           {"a\u2028b\u2029c", `a\u2028b\u2029c`},
		"letters of all the world":  {"Zoë 東京 ••••🎉", "Zoë 東京 ••••🎉"},
		"a backslash is left alone": {`a\x1b`, `a\x1b`},
		"the replacement character": {"\ufffd", "\ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Terminal(c.in); got != c.want {
				t.Errorf("Terminal(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
	if got := TerminalText("a\r\n\tb\x1b\r"); got != "a\n\tb\\x1b\\r" {
		t.Errorf("TerminalText gives %q", got)
	}
}

func FuzzNothingHiddenReachesATerminal(f *testing.F) {
	f.Add("\x1b]0;x\x07\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range Terminal(s) {
			if hides(r) {
				t.Fatalf("%q lets %U through", s, r)
			}
		}
	})
}

func FuzzBodyAndTargetNeverShowASecret(f *testing.F) {
	f.Add(`{"code":"`, `","x":1}`)
	f.Add(`a=1;code=`, `&x`)
	f.Fuzz(func(t *testing.T, before, after string) {
		Body("/oauth2/token", "", []byte(before+after))
		Target(before + after)
		if got, _ := Query("x=1&token=Sentinel"); strings.Contains(got, "Sentinel") {
			t.Fatal(got)
		}
		if got := string(Body("/oauth2/token", "", []byte(`{"code":"Sentinel"`+after))); strings.Contains(got, "Sentinel") && !strings.Contains(after, "Sentinel") {
			t.Fatal(got)
		}
	})
}
