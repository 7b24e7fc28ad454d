package callback_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/callback"
)

const install = "/auth?code=k3b9x0q2m5w7&context=stores%2Fabc123xyz&scope=store_v2_orders+store_v2_default"

func TestAnInstallIsStoredThenToldThenExchanged(t *testing.T) {
	d := openDoor(t, nil)
	resp, page := d.get(install)

	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d, page %s", resp.StatusCode, page)
	}
	want := []string{"callback abc123xyz k3b9x0q2m5w7 stored=true", "granted abc123xyz again=false"}
	if diff := cmp.Diff(want, d.told.heard()); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"k3b9x0q2m5w7 " + registered}, d.token.calls()); diff != "" {
		t.Errorf("exchanged (-want +got):\n%s", diff)
	}
	if !d.token.deadline {
		t.Error("the exchange has no time limit")
	}
	if _, ok := d.vault.spent("k3b9x0q2m5w7"); !ok {
		t.Error("the grant is not in the vault")
	}
	stored := d.stored()
	if len(stored) != 1 {
		t.Fatalf("%d exchanges stored", len(stored))
	}
	e := stored[0]
	if e.Kind != capture.Auth || e.Store != "abc123xyz" || e.Status != http.StatusOK {
		t.Errorf("stored as %s of %s with %d", e.Kind, e.Store, e.Status)
	}
	var detail callback.InstallDetail
	if err := json.Unmarshal(e.Detail, &detail); err != nil {
		t.Fatal(err)
	}
	if detail.Context != "stores/abc123xyz" || detail.User == nil || detail.User.Email != "merchant@example.com" {
		t.Errorf("detail is %s", e.Detail)
	}
	if whole := fmt.Sprintf("%+v", e); strings.Contains(whole, "k3b9x0q2m5w7") {
		t.Error("the code is in the journal")
	}
}

func TestTheGuidesOwnCallbackOnTheRootPath(t *testing.T) {
	d := openDoor(t, func(d *door) { d.o.Paths.Auth = "/" })
	resp, _ := d.get("/?code=d3mb7lnt511jb1zl3o833ojeuy8f9r8&context=stores%2Fnffse6w1bi&scope=store_v2_content+store_v2_customers+store_v2_customers_login+store_v2_default+store_v2_information_read_only+store_v2_marketing+store_v2_orders+store_v2_products+users_basic_information")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
	var detail callback.InstallDetail
	if err := json.Unmarshal(d.stored()[0].Detail, &detail); err != nil {
		t.Fatal(err)
	}
	if len(detail.Scopes) != 9 {
		t.Errorf("%d scopes: %q", len(detail.Scopes), detail.Scopes)
	}
	if resp, _ := d.get("/stores/aaa111/v3/catalog/products"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an API path gives %d on the public door", resp.StatusCode)
	}
}

func TestC05TheSameCallbackTwiceIsOneExchange(t *testing.T) {
	d := openDoor(t, nil)
	_, first := d.get(install)
	_, second := d.get(install)
	if first != second {
		t.Errorf("the second page is another one:\n%s", cmp.Diff(first, second))
	}
	if n := len(d.token.calls()); n != 1 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	stored := d.stored()
	if len(stored) != 2 || !slices.Contains(stored[1].Marks, "repeat") {
		t.Fatalf("the second is not marked: %+v", stored)
	}
	if stored[1].Of != stored[0].ID {
		t.Errorf("the second repeats %d, not %d", stored[1].Of, stored[0].ID)
	}
	if got := d.told.heard()[3]; got != "granted abc123xyz again=true" {
		t.Errorf("told last: %s", got)
	}
}

func TestTwoCallbacksAtTheSameMomentAreOneExchange(t *testing.T) {
	d := openDoor(t, nil)
	d.token.entered, d.token.release = make(chan struct{}, 9), make(chan struct{})
	var wg sync.WaitGroup
	pages := make([]string, 8)
	ask := func(i int) {
		wg.Go(func() {
			_, pages[i] = d.get(install)
		})
	}
	ask(0)
	<-d.token.entered
	for i := 1; i < len(pages); i++ {
		ask(i)
	}
	for range pages { // all have arrived, and wait for the one exchange
		<-d.told.news
	}
	close(d.token.release)
	wg.Wait()
	if n := len(d.token.calls()); n != 1 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	for i, page := range pages {
		if page != pages[0] {
			t.Errorf("page %d is another one", i)
		}
	}
	repeats := 0
	for _, e := range d.stored() {
		if slices.Contains(e.Marks, "repeat") {
			repeats++
		}
	}
	if repeats != len(pages)-1 {
		t.Errorf("%d of %d are marked as repeats", repeats, len(pages))
	}
}

func TestACodeSpentBeforeTheRestartIsNotSpentAgain(t *testing.T) {
	d := openDoor(t, nil)
	if err := d.vault.keep("k3b9x0q2m5w7", bigcommerce.Grant{Store: "abc123xyz", Scopes: []string{"store_v2_orders"}}); err != nil {
		t.Fatal(err)
	}
	resp, _ := d.get(install)
	if resp.StatusCode != http.StatusOK || len(d.token.calls()) != 0 {
		t.Errorf("status %d, %d calls", resp.StatusCode, len(d.token.calls()))
	}
}

func TestTheExchangeOutlivesTheBrowser(t *testing.T) {
	d := openDoor(t, nil)
	d.token.entered, d.token.release = make(chan struct{}), make(chan struct{})
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL+install, nil)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() {
		resp, err := d.Client().Do(req)
		if err == nil {
			resp.Body.Close()
		}
		gone <- err
	}()
	<-d.token.entered
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatalf("the browser got an answer: %v", err)
	}
	hurried, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.handler.Wait(hurried); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait does not wait: %v", err)
	}
	close(d.token.release)
	if err := d.handler.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := d.vault.spent("k3b9x0q2m5w7"); !ok {
		t.Error("the token was lost")
	}
}

func TestARefusedCodeIsTriedAgainOnlyWhenItMayStillBeGood(t *testing.T) {
	for _, c := range []struct {
		code  string
		calls int
	}{
		{"invalid_grant", 1}, {"no_scope", 1}, {"timeout", 1}, {"html", 1},
		{"unreachable", 2}, {"redirect_uri_mismatch", 2}, {"invalid_client", 2},
	} {
		t.Run(c.code, func(t *testing.T) {
			d := openDoor(t, nil)
			refusal := &bigcommerce.ExchangeError{Code: c.code, Status: 400, Text: "what <BigCommerce> said", Next: "mend it"}
			d.token.answers = []error{refusal, refusal}
			resp, page := d.get(install)
			if resp.StatusCode != http.StatusBadGateway || resp.Header.Get("Bcdev-Error") != c.code {
				t.Errorf("status %d, error %q", resp.StatusCode, resp.Header.Get("Bcdev-Error"))
			}
			if !strings.Contains(page, "mend it") || strings.Contains(page, "<BigCommerce>") {
				t.Errorf("the page does not explain, or does not escape:\n%s", page)
			}
			if again, _ := d.get(install); again.StatusCode != http.StatusBadGateway {
				t.Errorf("the second time gives %d", again.StatusCode)
			}
			if n := len(d.token.calls()); n != c.calls {
				t.Errorf("%d calls, want %d", n, c.calls)
			}
			stored := d.stored()[0]
			if !strings.Contains(string(stored.Detail), c.code) || stored.Hint == "" {
				t.Errorf("the journal does not say why: %s, %q", stored.Detail, stored.Hint)
			}
		})
	}
}

func TestAGrantThatCannotBeKeptIsSaid(t *testing.T) {
	d := openDoor(t, func(d *door) { d.vault.broken = errDisk })
	resp, _ := d.get(install)
	want := []string{"callback abc123xyz k3b9x0q2m5w7 stored=true", "refused stored=true", "granted abc123xyz again=false"}
	if diff := cmp.Diff(want, d.told.heard()); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d: the app is installed all the same", resp.StatusCode)
	}
}

func TestMalformedCallbacksAreRefusedAndNotStored(t *testing.T) {
	for name, c := range map[string]struct{ target, code string }{
		"C06 a parameter twice":     {"/auth?code=a&code=b&context=stores/aaa111&scope=x", "duplicate_param"},
		"no parameter at all":       {"/auth", "missing_param"},
		"no code":                   {"/auth?context=stores/aaa111&scope=x", "missing_param"},
		"a context that is no path": {"/auth?code=a&context=stores/../x&scope=x", "bad_context"},
	} {
		t.Run(name, func(t *testing.T) {
			d := openDoor(t, nil)
			resp, page := d.get(c.target)
			if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Bcdev-Error") != c.code {
				t.Errorf("status %d, error %q, want %q", resp.StatusCode, resp.Header.Get("Bcdev-Error"), c.code)
			}
			if !strings.Contains(page, c.code) {
				t.Errorf("the page does not say what is wrong:\n%s", page)
			}
			if stored := d.stored(); len(stored) != 0 {
				t.Errorf("%d exchanges stored", len(stored))
			}
			if n := len(d.token.calls()); n != 0 {
				t.Errorf("%d exchanges", n)
			}
			if diff := cmp.Diff([]string{"refused stored=false"}, d.told.heard()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHeadHasNoEffect(t *testing.T) {
	d := openDoor(t, nil)
	for _, target := range []string{install, "/load", "/uninstall", "/remove_user"} {
		if resp, _ := d.send(http.MethodHead, target, "", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("HEAD %s gives %d", target, resp.StatusCode)
		}
	}
	if len(d.token.calls()) != 0 || len(d.stored()) != 0 || len(d.told.heard()) != 0 {
		t.Error("HEAD did something")
	}
}

func TestOtherMethodsAreRefusedByName(t *testing.T) {
	d := openDoor(t, nil)
	for target, allow := range map[string]string{install: "GET, HEAD", "/uninstall": "GET, HEAD", "/webhooks": "POST"} {
		method := http.MethodPost
		if target == "/webhooks" {
			method = http.MethodGet
		}
		resp, _ := d.send(method, target, "", nil)
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != allow {
			t.Errorf("%s %s gives %d, Allow %q", method, target, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
	if len(d.stored()) != 0 {
		t.Error("something was stored")
	}
}

func TestC01AndC02NothingElseIsBehindTheDoor(t *testing.T) {
	d := openDoor(t, nil)
	for _, target := range []string{"/", "/stores/aaa111/v3/catalog/products", "/api/requests", "/_/", "/debug/pprof/",
		"/metrics", "/v3/catalog/products", "/oauth2/token", "/_bcdev/health", "/auth/", "//auth", "/auth/../load", "/favicon.ico"} {
		resp, _ := d.get(target)
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s gives %d", target, resp.StatusCode)
		}
	}
	if len(d.stored()) != 0 {
		t.Error("something was stored")
	}
}

func TestC19TheRedirectURIComesFromTheConfigurationAlone(t *testing.T) {
	d := openDoor(t, nil)
	d.send(http.MethodGet, install, "", http.Header{
		"X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"http"}, "Forwarded": {"host=evil.example"},
	})
	if diff := cmp.Diff([]string{"k3b9x0q2m5w7 " + registered}, d.token.calls()); diff != "" {
		t.Error(diff)
	}
}

func TestTheAppAnswersWhenThereIsOne(t *testing.T) {
	var got capture.Exchange
	d := openDoor(t, func(d *door) {
		d.o.Forward = func(w http.ResponseWriter, r *http.Request, e capture.Exchange) bool {
			got = e
			http.Redirect(w, r, "/app/home", http.StatusFound)
			return true
		}
	})
	d.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, _ := d.get(install)
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/app/home" {
		t.Errorf("status %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if got.ID == 0 || got.Kind != capture.Auth || got.Store != "abc123xyz" {
		t.Errorf("passed on as %+v", got)
	}
	if len(d.token.calls()) != 1 {
		t.Error("the code was not exchanged before")
	}
}

func TestTheAppIsNotAskedWhenTheExchangeFails(t *testing.T) {
	d := openDoor(t, func(d *door) {
		d.o.Forward = func(http.ResponseWriter, *http.Request, capture.Exchange) bool {
			t.Error("passed on: the app would spend the code again")
			return false
		}
	})
	d.token.answers = []error{&bigcommerce.ExchangeError{Code: "invalid_grant", Status: 400}}
	if resp, _ := d.get(install); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestWithoutAnExchangeOfOursTheCallbackIsCaught(t *testing.T) {
	d := openDoor(t, func(d *door) { d.o.Exchange = nil })
	resp, page := d.get(install)
	if resp.StatusCode != http.StatusOK || !strings.Contains(page, "Caught") {
		t.Errorf("status %d:\n%s", resp.StatusCode, page)
	}
	if diff := cmp.Diff([]string{"callback abc123xyz k3b9x0q2m5w7 stored=true"}, d.told.heard()); diff != "" {
		t.Error(diff)
	}
	if err := d.handler.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnInstallGoesOnWithoutTheJournal(t *testing.T) {
	d := openDoor(t, nil)
	if err := d.journal.Close(); err != nil {
		t.Fatal(err)
	}
	resp, _ := d.get(install)
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
	if _, ok := d.vault.spent("k3b9x0q2m5w7"); !ok {
		t.Error("the grant is lost")
	}
}
