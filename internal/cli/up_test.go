package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// upstream is a far side that records and answers what it is told to.
type upstream struct {
	*httptest.Server
	mu     sync.Mutex
	seen   []*http.Request
	bodies []string
	answer func(w http.ResponseWriter, r *http.Request, body string)
}

func newBigCommerce(t *testing.T, answer func(http.ResponseWriter, *http.Request, string)) *upstream {
	t.Helper()
	b := &upstream{answer: answer}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		b.seen, b.bodies = append(b.seen, r), append(b.bodies, string(body))
		b.mu.Unlock()
		b.answer(w, r, string(body))
	}))
	t.Cleanup(b.Close)
	return b
}

// to returns the requests to a path, and their bodies.
func (b *upstream) to(path string) (requests []*http.Request, bodies []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, r := range b.seen {
		if r.URL.Path == path {
			requests, bodies = append(requests, r), append(bodies, b.bodies[i])
		}
	}
	return requests, bodies
}

const (
	guideCode   = "d3mb7lnt511jb1zl3o833ojeuy8f9r8"
	guideQuery  = "/?code=" + guideCode + "&context=stores%2Fnffse6w1bi&scope=store_v2_content+store_v2_customers+store_v2_customers_login+store_v2_default+store_v2_information_read_only+store_v2_marketing+store_v2_orders+store_v2_products+users_basic_information"
	guideScope  = "store_v2_content store_v2_customers store_v2_customers_login store_v2_default store_v2_information_read_only store_v2_marketing store_v2_orders store_v2_products users_basic_information"
	guideToken  = "9qwertyuiop1234567890asdfghjkl6"
	guideSecret = "bcdev0secret0example0000000000000000000000"
	products    = "/stores/nffse6w1bi/v3/catalog/products"
	catalog     = `{"data":[{"id":77,"price":1.10,"big":12345678901234567890}],"meta":{}}`
)

func guideFarSide(t *testing.T) *upstream {
	return newBigCommerce(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/oauth2/token":
			fmt.Fprintf(w, `{"access_token":%q,"scope":%q,"user":{"id":24654,"username":"merchant@example.com","email":"merchant@example.com"},"context":"stores/nffse6w1bi"}`, guideToken, guideScope)
		case products:
			w.Header().Set("Set-Cookie", "session=upstreams0cookie")
			io.WriteString(w, catalog)
		default:
			http.NotFound(w, r)
		}
	})
}

func guideConfig(far *upstream) string {
	return fmt.Sprintf(`app:
  client_id: bcdev0clientid0example
  client_secret: %s
  callbacks: {auth: /}
tunnel: {provider: none, public_url: "https://tunnel.example", listen: "127.0.0.1:0"}
proxy:
  listen: 127.0.0.1:0
  headers: {Authorization: Basic}
inspector: {listen: "127.0.0.1:0"}
bigcommerce: {login_url: %q, api_url: %q}
`, guideSecret, far.URL, far.URL)
}

func TestTheGuidesOwnInstallEndsWithACallToTheAPI(t *testing.T) {
	far := guideFarSide(t)
	r := start(t, nil, "up", "--json", "--config", configFile(t, guideConfig(far)))
	ready := r.next("ready")
	if got := ready["callbacks"].(map[string]any)["auth"]; got != "https://tunnel.example/" {
		t.Errorf("the auth callback to paste is %v", got)
	}

	res, page := ask(t, "GET", "http://"+ready.text("tunnel_listen")+guideQuery, "", "Cookie", "merchant=cookie0of0the0browser")
	if res.StatusCode != http.StatusOK || !strings.Contains(page, "nffse6w1bi") {
		t.Errorf("the merchant's browser got %d:\n%s", res.StatusCode, page)
	}
	callback := r.next("callback")
	if callback.text("code") != guideCode || callback.text("context") != "stores/nffse6w1bi" || callback.text("store") != "nffse6w1bi" {
		t.Errorf("the callback was printed as %v", callback)
	}
	if diff := cmp.Diff(strings.Fields(guideScope), callback.texts("scope")); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
	if grant := r.next("grant"); grant.text("token") != "••••jkl6" || grant["id"] != callback["id"] {
		t.Errorf("the grant was printed as %v", grant)
	}
	checkExchange(t, far)
	checkCall(t, far, ready.text("proxy_url"))
	if e := r.next("exchange"); e.text("path") != "/v3/catalog/products" || e["status"] != 200.0 || e.text("store") != "nffse6w1bi" {
		t.Errorf("the call was printed as %v", e)
	}
	if code := r.end(); code != 0 {
		t.Errorf("exit code %d; bcdev said:\n%s", code, r.said())
	}
	checkNoSecrets(t, r)
}

// checkExchange looks at the seven parameters, as the token endpoint received them.
func checkExchange(t *testing.T, far *upstream) {
	t.Helper()
	requests, bodies := far.to("/oauth2/token")
	if len(requests) != 1 {
		t.Fatalf("the token endpoint was asked %d times", len(requests))
	}
	if ct := requests[0].Header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("Content-Type %q", ct)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(bodies[0]), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"client_id": "bcdev0clientid0example", "client_secret": guideSecret, "code": guideCode, "scope": guideScope,
		"grant_type": "authorization_code", "redirect_uri": "https://tunnel.example/", "context": "stores/nffse6w1bi",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

// checkCall makes the guide's call and looks at it from both ends.
func checkCall(t *testing.T, far *upstream, door string) {
	t.Helper()
	res, body := ask(t, "GET", door+"/v3/catalog/products?include=images,variants", "")
	if res.StatusCode != http.StatusOK || body != catalog {
		t.Errorf("the door answered %d %q", res.StatusCode, body)
	}
	if c := res.Header.Get("Set-Cookie"); c != "" {
		t.Errorf("upstream's cookie came through: %q", c)
	}
	requests, _ := far.to(products)
	if len(requests) != 1 {
		t.Fatalf("the API was asked %d times", len(requests))
	}
	got := requests[0]
	if got.RequestURI != products+"?include=images,variants" {
		t.Errorf("upstream was asked for %q", got.RequestURI)
	}
	for name, want := range map[string]string{
		"Accept": "application/json", "Authorization": "Basic", "Content-Type": "application/json",
		"X-Auth-Client": "bcdev0clientid0example", "X-Auth-Token": guideToken,
	} {
		if diff := cmp.Diff([]string{want}, got.Header.Values(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// checkNoSecrets greps everything that was printed, and every byte on disk but the vault's.
func checkNoSecrets(t *testing.T, r *run) {
	t.Helper()
	secrets := []string{guideToken, guideSecret, "cookie0of0the0browser", "upstreams0cookie"}
	for _, s := range secrets {
		if strings.Contains(r.said(), s) {
			t.Errorf("%q was printed", s)
		}
	}
	err := filepath.WalkDir(r.state, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, s := range append(secrets, guideCode) {
			if strings.Contains(string(content), s) {
				t.Errorf("%s holds %q", filepath.Base(path), s)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestListAndShowReadTheJournalWhileUpRuns(t *testing.T) {
	far := guideFarSide(t)
	config := configFile(t, guideConfig(far))
	r := start(t, nil, "up", "--json", "--config", config)
	ready := r.next("ready")
	ask(t, "GET", "http://"+ready.text("tunnel_listen")+guideQuery, "")
	r.next("grant")

	code, out, errs := r.command(nil, "list", "--json", "--config", config)
	if code != 0 || !strings.Contains(out, `"kind":"auth"`) || strings.Contains(out, guideCode) {
		t.Errorf("list: exit %d\n%s%s", code, out, errs)
	}
	code, out, errs = r.command(nil, "show", "latest", "auth", "--config", config)
	if code != 0 || !strings.Contains(out, guideCode) || strings.Contains(out, guideToken) {
		t.Errorf("show: exit %d\n%s%s", code, out, errs)
	}
	code, _, errs = r.command(nil, "show", "99", "--config", config)
	if code != 1 || !strings.Contains(errs, "bcdev list") {
		t.Errorf("show of what is not there: exit %d\n%s", code, errs)
	}
}

func TestASecondUpOnTheSameFolderIsRefused(t *testing.T) {
	far := guideFarSide(t)
	config := configFile(t, guideConfig(far))
	r := start(t, nil, "up", "--json", "--config", config)
	r.next("ready")
	code, _, errs := r.command(nil, "up", "--config", config)
	if code != 1 || !strings.Contains(errs, "another bcdev is running") {
		t.Errorf("exit %d\n%s", code, errs)
	}
}

func TestAGrantSurvivesARestart(t *testing.T) {
	far := guideFarSide(t)
	config := configFile(t, guideConfig(far))
	r := start(t, nil, "up", "--json", "--config", config)
	ready := r.next("ready")
	ask(t, "GET", "http://"+ready.text("tunnel_listen")+guideQuery, "")
	r.next("grant")
	if code := r.end(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	again := &run{t: t, state: r.state, signals: make(chan os.Signal, 2), events: make(chan event, 1000), code: make(chan int, 1)}
	again.start(nil, "up", "--json", "--config", config)
	ready = again.next("ready")
	checkCall(t, far, ready.text("proxy_url"))
	// the browser's refresh of the callback: the code is spent, and nothing is asked again
	if res, _ := ask(t, "GET", "http://"+ready.text("tunnel_listen")+guideQuery, ""); res.StatusCode != http.StatusOK {
		t.Errorf("the repeated callback was answered %d", res.StatusCode)
	}
	if asked, _ := far.to("/oauth2/token"); len(asked) != 1 {
		t.Errorf("the token endpoint was asked %d times", len(asked))
	}
}
