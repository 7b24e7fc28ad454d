package sandbox

import (
	"net/http"
	"strings"
	"testing"
)

func freshCode(t *testing.T, w *world) string {
	t.Helper()
	return w.works("/install", "").at(t, "code").(string)
}

func TestTheTokenEndpointRefusesInBigCommercesWords(t *testing.T) {
	for name, c := range map[string]struct {
		change map[string]string
		want   string
	}{
		"an unknown code":             {map[string]string{"code": "nobody0knows0this"}, `"invalid_grant"`},
		"no code":                     {map[string]string{"code": ""}, "Missing required parameter code"},
		"another redirect_uri":        {map[string]string{"redirect_uri": "https://other.example/auth"}, "Parameter redirect_uri does not match registered URI"},
		"a redirect_uri with a slash": {map[string]string{"redirect_uri": "SLASH"}, `"redirect_uri_mismatch"`},
		"another client":              {map[string]string{"client_id": "somebody0else"}, `{"error":"Invalid client id."}`},
		"another secret":              {map[string]string{"client_secret": "wrong"}, "Parameter client_secret does not match"},
		"another grant type":          {map[string]string{"grant_type": "password"}, `"unsupported_grant_type"`},
		"a scope never granted":       {map[string]string{"scope": "store_v2_products store_themes_manage"}, `"invalid_scope"`},
		"no context":                  {map[string]string{"context": ""}, "Missing required parameter context"},
		"another store's context":     {map[string]string{"context": "stores/other1"}, `"invalid_request"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			if c.change["redirect_uri"] == "SLASH" {
				c.change["redirect_uri"] = w.app.URL + "/auth/"
			}
			code := freshCode(t, w)
			if _, given := c.change["code"]; !given {
				c.change["code"] = code
			}
			a := w.exchange(c.change)
			if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, c.want) || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("got %d %s, want 400 with %s", a.StatusCode, a.body, c.want)
			}
			if again := w.exchange(map[string]string{"code": code}); again.StatusCode != http.StatusOK {
				t.Errorf("a refused request has spent the code: %s", again.body)
			}
		})
	}
}

func TestACodeBuysOneTokenOnly(t *testing.T) {
	w := newWorld(t, nil)
	code := freshCode(t, w)
	if first := w.exchange(map[string]string{"code": code}); first.StatusCode != http.StatusOK {
		t.Fatalf("first: %s", first.body)
	}
	if second := w.exchange(map[string]string{"code": code}); second.at(t, "error") != "invalid_grant" {
		t.Errorf("second: %d %s", second.StatusCode, second.body)
	}
	if w.sandbox.Exchanges() != 2 {
		t.Errorf("%d exchanges counted, want 2", w.sandbox.Exchanges())
	}
}

func TestACodeDiesAfterAMinute(t *testing.T) {
	w := newWorld(t, nil)
	code := freshCode(t, w)
	w.works("/clock", `{"advance":"61s"}`)
	if a := w.exchange(map[string]string{"code": code}); a.at(t, "error") != "invalid_grant" {
		t.Errorf("got %d %s", a.StatusCode, a.body)
	}
}

func TestFormAndJSONAreTakenWhenTheyMatchTheirContentType(t *testing.T) {
	w := newWorld(t, nil)
	if a := w.send(w.tokenRequest(map[string]string{"code": freshCode(t, w)}, true)); a.StatusCode != http.StatusOK {
		t.Errorf("a form: %d %s", a.StatusCode, a.body)
	}
	crossed := w.tokenRequest(map[string]string{"code": freshCode(t, w)}, true)
	crossed.Header.Set("Content-Type", "application/json")
	if a := w.send(crossed); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, `{"error":"Invalid client id."}`) {
		t.Errorf("a form that claims to be JSON: %d %s", a.StatusCode, a.body)
	}
}

func TestATokenRequestOfNothingGetsTheRedirectPage(t *testing.T) {
	w := newWorld(t, nil)
	for name, req := range map[string]*http.Request{
		"GET": w.request("GET", "/oauth2/token", ""), "empty": w.request("POST", "/oauth2/token", ""),
		"{}": w.request("POST", "/oauth2/token", "{}"),
	} {
		a := w.send(req)
		if a.StatusCode != http.StatusFound || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || !strings.Contains(a.body, "You are being") {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
}

func TestTheScopeNullQuirkGivesATokenThatOpensNothing(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.ScopeNullQuirk = true })
	a := w.exchange(map[string]string{"code": freshCode(t, w), "context": ""})
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, `"scope":null`) {
		t.Fatalf("got %d %s", a.StatusCode, a.body)
	}
	w.token = a.at(t, "access_token").(string)
	for _, path := range []string{"/v3/catalog/products", "/v3/hooks"} {
		if got := w.api("GET", path, ""); got.StatusCode != http.StatusForbidden {
			t.Errorf("%s answers %d", path, got.StatusCode)
		}
	}
}
