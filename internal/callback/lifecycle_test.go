package callback_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/callback"
)

var merchant = bigcommerce.Payload{
	Store: "abc123xyz",
	User:  bigcommerce.User{ID: 1001, Email: "merchant@example.com", Locale: "en-US"},
	Owner: bigcommerce.User{ID: 1000, Email: "owner@example.com"},
	URL:   "/orders/106",
}

// signed is a query with a payload of today, signed by a.
func signed(t *testing.T, a bigcommerce.App, at time.Time) string {
	t.Helper()
	token, err := a.SignPayload(merchant, at)
	if err != nil {
		t.Fatal(err)
	}
	return "?signed_payload_jwt=" + token
}

// headed is a correct payload whose header claims another algorithm.
func headed(t *testing.T, alg string) string {
	t.Helper()
	_, rest, _ := strings.Cut(signed(t, app, today), ".")
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"` + alg + `"}`))
	return "?signed_payload_jwt=" + head + "." + rest
}

func TestLoadOpensTheAppForAValidPayload(t *testing.T) {
	d := openDoor(t, nil)
	resp, page := d.get("/load" + signed(t, app, today))
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d:\n%s", resp.StatusCode, page)
	}
	for _, want := range []string{"abc123xyz", "merchant@example.com", "owner@example.com", "/orders/106"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not name %q", want)
		}
	}
	e := d.stored()[0]
	if e.Kind != capture.Load || e.Store != "abc123xyz" || !slices.Contains(e.Marks, "signature:valid") {
		t.Errorf("stored as %+v", e)
	}
	var detail callback.PayloadDetail
	if err := json.Unmarshal(e.Detail, &detail); err != nil {
		t.Fatal(err)
	}
	if detail.User.Email != "merchant@example.com" || len(detail.Claims) == 0 || detail.Problem != nil {
		t.Errorf("detail is %s", e.Detail)
	}
	if diff := cmp.Diff([]string{"load abc123xyz true"}, d.told.heard()); diff != "" {
		t.Error(diff)
	}
}

func TestTheLegacyPayloadIsReadWhenItComesAlone(t *testing.T) {
	d := openDoor(t, nil)
	legacy, err := app.SignLegacy(merchant, today)
	if err != nil {
		t.Fatal(err)
	}
	if resp, page := d.get("/load?signed_payload=" + url.QueryEscape(legacy)); resp.StatusCode != http.StatusOK {
		t.Errorf("status %d:\n%s", resp.StatusCode, page)
	}
	resp, _ := d.get("/load?signed_payload=" + url.QueryEscape(legacy) + "&signed_payload_jwt=x")
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a legacy payload beside a bad JWT gives %d", resp.StatusCode)
	}
}

func TestPayloadsThatAreNotToBeBelieved(t *testing.T) {
	other := app
	other.ClientSecret = "another0secret0example000000000000000000000000000000000000000000"
	nobody := app
	nobody.ClientSecret = ""
	empty, err := nobody.SignPayload(merchant, today)
	if err != nil {
		empty = strings.TrimPrefix(signed(t, other, today), "?signed_payload_jwt=")
	}
	foreign := app
	foreign.ClientID = "someone0else"
	good := signed(t, app, today)
	for name, c := range map[string]struct{ query, cause string }{
		"C15 no algorithm":               {headed(t, "none"), "algorithm"},
		"C16 RS256":                      {headed(t, "RS256"), "algorithm"},
		"C16 HS512":                      {headed(t, "HS512"), "algorithm"},
		"C16 ES256":                      {headed(t, "ES256"), "algorithm"},
		"C16 another secret":             {signed(t, other, today), "signature"},
		"C16 an empty secret":            {"?signed_payload_jwt=" + empty, "signature"},
		"another app's":                  {signed(t, foreign, today), "audience"},
		"expired yesterday":              {signed(t, app, today.Add(-25*time.Hour)), "expired"},
		"of tomorrow":                    {signed(t, app, today.Add(24*time.Hour)), "not_yet_valid"},
		"no payload":                     {"", "malformed"},
		"two payloads":                   {good + "&" + good[1:], "malformed"},
		"a query that cannot be decoded": {"?signed_payload_jwt=%zz", "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			d := openDoor(t, func(d *door) {
				d.o.Forward = func(http.ResponseWriter, *http.Request, capture.Exchange) bool {
					t.Error("passed on")
					return false
				}
			})
			for _, path := range []string{"/load", "/uninstall", "/remove_user"} {
				resp, body := d.get(path + c.query)
				if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Bcdev-Error") != c.cause {
					t.Errorf("%s: status %d, cause %q, want %q", path, resp.StatusCode, resp.Header.Get("Bcdev-Error"), c.cause)
				}
				if html := strings.HasPrefix(body, "<!doctype"); html != (path == "/load") {
					t.Errorf("%s answers %.40q", path, body)
				}
			}
			for _, e := range d.stored() {
				if !slices.Contains(e.Marks, "signature:invalid") || !slices.Contains(e.Marks, "invalid:"+c.cause) || e.Store != "" {
					t.Errorf("%s is stored with %q under %q", e.Kind, e.Marks, e.Store)
				}
			}
			if n := len(d.stored()); n != 3 {
				t.Errorf("%d stored", n)
			}
			if len(d.jobs()) != 0 || len(d.vault.forgotten) != 0 {
				t.Error("it had an effect")
			}
		})
	}
}

func TestUninstallForgetsTheGrantAndWaitsForTheApp(t *testing.T) {
	d := openDoor(t, func(d *door) {
		d.o.Forward = func(http.ResponseWriter, *http.Request, capture.Exchange) bool { return false }
	})
	d.get(install)
	resp, body := d.get("/uninstall" + signed(t, app, today))
	if resp.StatusCode != http.StatusOK || body != "{}" {
		t.Errorf("status %d, %q", resp.StatusCode, body)
	}
	if diff := cmp.Diff([]string{"abc123xyz"}, d.vault.forgotten); diff != "" {
		t.Error(diff)
	}
	jobs := d.jobs()
	if len(jobs) != 1 || jobs[0].Exchange != d.stored()[1].ID || jobs[0].Key != "abc123xyz/lifecycle" {
		t.Errorf("queued: %+v", jobs)
	}
	if d.get(install); len(d.token.calls()) != 2 {
		t.Error("after the uninstall the page still says installed")
	}
}

func TestRemoveUserIsAnsweredAtOnceAndQueued(t *testing.T) {
	d := openDoor(t, func(d *door) {
		d.o.Queued = func(e capture.Exchange) bool { return e.Kind == capture.RemoveUser }
	})
	resp, body := d.get("/remove_user" + signed(t, app, today))
	if resp.StatusCode != http.StatusOK || body != "{}" {
		t.Errorf("status %d, %q", resp.StatusCode, body)
	}
	d.get("/uninstall" + signed(t, app, today))
	if jobs := d.jobs(); len(jobs) != 1 {
		t.Errorf("queued: %+v", jobs)
	}
	if diff := cmp.Diff([]string{"abc123xyz"}, d.vault.forgotten); diff != "" {
		t.Error(diff)
	}
}

func TestAnUninstallThatCannotBeForgottenIsSaid(t *testing.T) {
	d := openDoor(t, func(d *door) { d.vault.broken = errDisk })
	if resp, _ := d.get("/uninstall" + signed(t, app, today)); resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
	if err := d.told.lastErr(); err == nil || !strings.Contains(err.Error(), "forgetting the grant of abc123xyz") {
		t.Errorf("told %v", err)
	}
}

func TestLoadIsPassedOnWithItsPayload(t *testing.T) {
	var target, body string
	d := openDoor(t, func(d *door) {
		d.o.Forward = func(w http.ResponseWriter, r *http.Request, _ capture.Exchange) bool {
			b, _ := io.ReadAll(r.Body)
			target, body = r.RequestURI, string(b)
			w.WriteHeader(http.StatusNoContent)
			return true
		}
	})
	query := signed(t, app, today)
	resp, _ := d.send(http.MethodGet, "/load"+query, "a body nobody sends", nil)
	if resp.StatusCode != http.StatusNoContent || target != "/load"+query || body != "a body nobody sends" {
		t.Errorf("status %d; the app got %q with %q", resp.StatusCode, target, body)
	}
}

func TestADeepLinkLeadsNowhereElse(t *testing.T) {
	d := openDoor(t, nil)
	for claim, shown := range map[string]bool{
		"/orders/1": true, "//evil.example": false, `/\evil.example`: false, "https://evil.example": false, "javascript:alert(1)": false,
	} {
		p := merchant
		p.URL = claim
		token, err := app.SignPayload(p, today)
		if err != nil {
			t.Fatal(err)
		}
		if _, page := d.get("/load?signed_payload_jwt=" + token); strings.Contains(page, "Deep link") != shown {
			t.Errorf("%q: shown is %t", claim, !shown)
		}
	}
}

func TestTextOfAPayloadIsShownWithoutItsTricks(t *testing.T) {
	d := openDoor(t, nil)
	p := merchant
	p.User.Email = "a\u202egro.live\x1b]0;x\x07<b>@example.com"
	token, err := app.SignPayload(p, today)
	if err != nil {
		t.Fatal(err)
	}
	_, page := d.get("/load?signed_payload_jwt=" + token)
	if strings.ContainsAny(page, "\u202e\x1b\x07") || strings.Contains(page, "<b>") || !strings.Contains(page, "gro.live") {
		t.Errorf("the page shows\n%q", page)
	}
}

func TestAQueryWithoutEndIsRefused(t *testing.T) {
	d := openDoor(t, nil)
	for _, path := range []string{"/auth", "/load", "/uninstall"} {
		if resp, _ := d.get(path + "?code=" + strings.Repeat("a", 40<<10)); resp.StatusCode != http.StatusRequestURITooLong {
			t.Errorf("%s: status %d", path, resp.StatusCode)
		}
	}
	if len(d.stored()) != 0 {
		t.Error("stored")
	}
}
