package hooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// api is BigCommerce's side of a test: it keeps what it was asked and answers what it is told to.
type api struct {
	asked  []string // method, target, body
	answer func(r *http.Request) (int, string)
}

func newAPI(t *testing.T, answer func(r *http.Request) (int, string)) (*api, Client) {
	t.Helper()
	a := &api{answer: answer}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.asked = append(a.asked, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+string(body)))
		status, text := answer(r)
		w.Header().Set("Bcdev-Hint", "a hint of the door")
		w.WriteHeader(status)
		io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return a, Client{HTTP: s.Client(), API: u, Store: "abc123xyz"}
}

const one = `{"id":18048287,"client_id":"c","store_hash":"abc123xyz","scope":"store/order/*","destination":"https://app.example/webhooks","headers":null,"is_active":true,"created_at":1795000000,"updated_at":1795000001}`

func TestEveryPageOfAListIsRead(t *testing.T) {
	a, c := newAPI(t, func(r *http.Request) (int, string) {
		return 200, fmt.Sprintf(`{"data":[{"id":%s,"headers":[]}],"meta":{"pagination":{"total_pages":3}}}`, r.URL.Query().Get("page"))
	})
	found, err := c.List(t.Context())
	if err != nil || len(found) != 3 || found[2].ID != 3 {
		t.Errorf("found %+v, %v", found, err)
	}
	if len(a.asked) != 3 || !strings.HasPrefix(a.asked[0], "GET /stores/abc123xyz/v3/hooks?") {
		t.Errorf("asked %q", a.asked)
	}
}

func TestAnswersAreReadInTheirEnvelopeAndBare(t *testing.T) {
	want := Hook{ID: 18048287, ClientID: "c", Scope: "store/order/*", Destination: "https://app.example/webhooks", Active: true,
		Created: time.Unix(1795000000, 0), Updated: time.Unix(1795000001, 0)}
	for name, body := range map[string]string{"in its envelope": `{"data":` + one + `,"meta":{}}`, "bare": one} {
		t.Run(name, func(t *testing.T) {
			a, c := newAPI(t, func(*http.Request) (int, string) { return 201, body })
			got, err := c.Add(t.Context(), "store/order/*", "https://app.example/webhooks", map[string]string{Header: "x"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if sent := `POST /stores/abc123xyz/v3/hooks {"destination":"https://app.example/webhooks","headers":{"X-Bcdev":"x"},"is_active":true,"scope":"store/order/*"}`; a.asked[0] != sent {
				t.Errorf("sent %s", a.asked[0])
			}
		})
	}
}

func TestARefusalSaysWhatBigCommerceSaysAndWhatToDo(t *testing.T) {
	for _, c := range []struct {
		status     int
		body, want string
	}{
		{400, `{"title":"Input is invalid.","errors":{"scope":"not supported"}}`, `400: Input is invalid; scope: not supported`},
		{422, `{"title":"JSON data is missing or invalid","errors":{"destination":"error.path.missing."}}`, `destination: error.path.missing.`},
		{403, `{"error":{"code":"read_only","message":"writes are off","hint":"switch them on"}}`, `writes are off`},
		{502, `<html>`, `answered 502`},
	} {
		_, client := newAPI(t, func(*http.Request) (int, string) { return c.status, c.body })
		_, err := client.Update(t.Context(), 7, Change{Destination: "https://x.example/"})
		var refused *APIError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) || refused.Hint() == "" {
			t.Errorf("%d %s: %v", c.status, c.body, err)
		}
	}
}

func TestDeletingWhatIsGoneIsNoError(t *testing.T) {
	_, c := newAPI(t, func(*http.Request) (int, string) {
		return 404, `{"status":404,"title":"Webhook with id [7] not found"}`
	})
	if err := c.Delete(t.Context(), 7); err != nil {
		t.Error(err)
	}
}

func TestThePlatformsWordOnEachHookAndBlockedDomains(t *testing.T) {
	_, c := newAPI(t, func(r *http.Request) (int, string) {
		if strings.HasSuffix(r.URL.Path, "/admin") {
			return 200, `{"data":{"emails":[],"hooks_list":[{"id":1,"status":"deactivated"}],"blocked_domains":[{"destination":"app.example","time_left":42,"reasons":[{"failure_description":"HTTP status 500","count":12}]}]}}`
		}
		return 200, `{"data":[{"id":1,"is_active":false}]}`
	})
	found, blocked, unknown, err := c.Look(t.Context())
	if err != nil || unknown != nil {
		t.Fatal(err, unknown)
	}
	if why := WhyInactive(found[0]); !strings.Contains(why, "48 hours") {
		t.Errorf("inactive because %q", why)
	}
	if diff := cmp.Diff([]Blocked{{"app.example", 42 * time.Second, []string{"HTTP status 500 (12 times)"}}}, blocked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOursAreKnownByHeaderAndByIDAndAColleaguesAreNot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hooks.json")
	b, err := OpenBook(file)
	if err != nil {
		t.Fatal(err)
	}
	headers, err := b.Headers(ByHand)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Made("abc123xyz", Hook{ID: 5, Destination: "https://x.example/in?y=1"}, BySync); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	again, err := OpenBook(file) // another process
	if err != nil {
		t.Fatal(err)
	}
	maker := again.Maker("abc123xyz")
	for name, c := range map[string]struct {
		hook Hook
		want Maker
	}{
		"by its header":                  {Hook{ID: 9, Headers: headers}, ByHand},
		"by its id":                      {Hook{ID: 5}, BySync},
		"a colleague's, whatever its id": {Hook{ID: 5, Headers: map[string]string{"x-bcdev": "somebodyelse/sync"}}, Stranger},
		"nobody's":                       {Hook{ID: 6}, Stranger},
	} {
		if got := maker(c.hook); got != c.want {
			t.Errorf("%s: maker %d, not %d", name, got, c.want)
		}
	}
	if other := again.Maker("other")(Hook{ID: 5}); other != Stranger {
		t.Error("the id of one store counts for another")
	}
	if diff := cmp.Diff([]string{"/in"}, again.Paths()); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	if err := again.Gone("abc123xyz", 5); err != nil || again.Maker("abc123xyz")(Hook{ID: 5}) != Stranger {
		t.Errorf("what is gone is remembered: %v", err)
	}
}

func TestABookThatCannotBeReadIsAnErrorWithAWayOut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hooks.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := OpenBook(file)
	var damaged *BookError
	if !errors.As(err, &damaged) || damaged.Hint() == "" {
		t.Errorf("%v", err)
	}
}

func TestApplyGoesOnAfterAFailureAndCountsIt(t *testing.T) {
	a, c := newAPI(t, func(r *http.Request) (int, string) {
		if r.Method == http.MethodDelete {
			return 500, `{"title":"no"}`
		}
		var in map[string]any
		_ = json.NewDecoder(r.Body).Decode(&in)
		return 200, `{"data":` + one + `}`
	})
	b, err := OpenBook(filepath.Join(t.TempDir(), "hooks.json"))
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	err = Apply(t.Context(), c, b, Plan{
		{Do: Leave}, {Do: Remove, Hook: Hook{ID: 1}}, {Do: Add, Hook: Hook{Scope: "store/order/*"}, To: "https://app.example/webhooks"},
	}, func(Done) { told++ })
	if err == nil || !strings.Contains(err.Error(), "1 of 2 changes failed") || told != 2 || len(a.asked) != 2 {
		t.Errorf("%v; told %d; asked %q", err, told, a.asked)
	}
	if b.Maker("abc123xyz")(Hook{ID: 18048287}) != BySync {
		t.Error("what was added is not remembered")
	}
}
