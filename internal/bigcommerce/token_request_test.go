package bigcommerce

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTokenRequest(t *testing.T) {
	want := TokenRequest{
		ClientID: "id", ClientSecret: "s&x", Code: "c", Scope: "a b", GrantType: "authorization_code",
		RedirectURI: "https://x.example/auth", Context: "stores/abc",
	}
	form := "client_id=id&client_secret=s%26x&code=c&scope=a+b&grant_type=authorization_code&redirect_uri=https%3A%2F%2Fx.example%2Fauth&context=stores%2Fabc"
	doc := `{"client_id":"id","client_secret":"s&x","code":"c","scope":"a b","grant_type":"authorization_code","redirect_uri":"https://x.example/auth","context":"stores/abc","account_uuid":"u"}`
	for name, c := range map[string][2]string{
		"JSON": {"application/json", doc}, "JSON with a charset": {"Application/JSON; charset=utf-8", " " + doc + "\n"},
		"a form": {"application/x-www-form-urlencoded", form}, "a form with a charset": {"application/x-www-form-urlencoded; charset=UTF-8", form},
		"a list of scopes": {"application/json", strings.Replace(doc, `"a b"`, `["a","b"]`, 1)},
	} {
		got, err := ParseTokenRequest(c[0], []byte(c[1]))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(name, diff)
		}
	}
	for name, c := range map[string]struct{ kind, body, says string }{
		"a form that says JSON": {"application/json", form, "Content-Type says application/json, and the body is a form"},
		"JSON that says a form": {"application/x-www-form-urlencoded", doc, "the body is JSON"},
		"no content type":       {"", doc, "neither JSON nor a form"},
		"another content type":  {"text/\x1bplain", doc, `text/\x1bplain`},
		"nothing":               {"application/json", "", "empty"},
		"broken JSON":           {"application/json", `{"code":`, "not valid JSON"},
		"a broken form":         {"application/x-www-form-urlencoded", "code=%zz", "escapes"},
		"far too much":          {"application/json", "{" + strings.Repeat(" ", 70000) + "}", "64 KiB"},
	} {
		_, err := ParseTokenRequest(c.kind, []byte(c.body))
		var e *TokenRequestError
		if !errors.As(err, &e) || !strings.Contains(e.Error(), c.says) || e.Hint() == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTokenRequestCheck(t *testing.T) {
	good := TokenRequest{
		ClientID: vectorApp.ClientID, ClientSecret: vectorApp.ClientSecret, Code: "c", Scope: "a",
		GrantType: "authorization_code", RedirectURI: registered, Context: "stores/abc",
	}
	if e := good.Check(vectorApp, registered); e != nil {
		t.Fatal(e)
	}
	if e := good.Check(App{ClientID: vectorApp.ClientID}, registered); e == nil || e.Code != "invalid_client" {
		t.Errorf("an app without a secret: %v", e)
	}
	for want, change := range map[string]func(*TokenRequest){
		"invalid_request: Missing required parameter client_id":                             func(r *TokenRequest) { *r = TokenRequest{} },
		"invalid_client: Unknown client ID other":                                           func(r *TokenRequest) { r.ClientID, r.ClientSecret = "other", "" },
		"invalid_request: Missing required parameter client_secret":                         func(r *TokenRequest) { r.ClientSecret = "" },
		"invalid_client: Parameter client_secret does not match":                            func(r *TokenRequest) { r.ClientSecret, r.GrantType = "x", "x" },
		"invalid_request: Missing required parameter grant_type":                            func(r *TokenRequest) { r.GrantType = "" },
		"unsupported_grant_type: The grant type password is not recognized":                 func(r *TokenRequest) { r.GrantType, r.RedirectURI = "password", "" }, //nolint:misspell // as the server words it
		"invalid_request: Missing required parameter redirect_uri":                          func(r *TokenRequest) { r.RedirectURI = "" },
		"redirect_uri_mismatch: Parameter redirect_uri does not match registered URI":       func(r *TokenRequest) { r.RedirectURI, r.Code = registered+"/", "" },
		"invalid_request: Missing required parameter code":                                  func(r *TokenRequest) { r.Code = "" },
		`invalid_client: Unknown client ID ` + `\x1b[31m` + strings.Repeat("x", 95) + "...": func(r *TokenRequest) { r.ClientID = "\x1b[31m" + strings.Repeat("x", 500) },
	} {
		r := good
		change(&r)
		if e := r.Check(vectorApp, registered); e == nil || e.Error() != want {
			t.Errorf("got %v, want %s", e, want)
		}
	}
}
