package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// far is a sandbox of its own process-wide addresses, and the environment that leads there.
type far struct {
	t     *testing.T
	ready event
	env   []string
}

func startFar(t *testing.T) *far {
	t.Helper()
	s := start(t, nil, "sandbox", "--json", "--listen", "127.0.0.1:0", "--edge-listen", "127.0.0.1:0", "--public-listen", "127.0.0.1:0")
	ready := s.next("ready")
	return &far{t, ready, []string{
		"BC_CLIENT_ID=" + ready.text("client_id"), "BC_CLIENT_SECRET=" + ready.text("client_secret"),
		"NGROK_AUTHTOKEN=" + ready.text("authtoken"),
		"BCDEV_TUNNEL_CONNECT_URL=" + ready.text("edge_addr"), "BCDEV_TUNNEL_CONNECT_CAS=" + ready.text("edge_ca"),
		"BCDEV_BIGCOMMERCE_LOGIN_URL=" + ready.text("login_url"), "BCDEV_BIGCOMMERCE_API_URL=" + ready.text("api_url"),
		"BCDEV_PROXY_LISTEN=127.0.0.1:0", "BCDEV_INSPECTOR_LISTEN=127.0.0.1:0",
	}}
}

// control makes the far side act, and returns its answer.
func (f *far) control(what, body string) map[string]any {
	f.t.Helper()
	res, text := ask(f.t, "POST", f.ready.text("control_url")+"/"+what, body)
	var answer map[string]any
	if err := json.Unmarshal([]byte(text), &answer); err != nil || res.StatusCode != http.StatusOK {
		f.t.Fatalf("POST %s: %d %s", what, res.StatusCode, text)
	}
	return answer
}

// install opens the app's auth callback, as a merchant does.
func (f *far) install(r *run, up event) {
	f.t.Helper()
	callbacks := up["callbacks"].(map[string]any)
	f.control("install", fmt.Sprintf(`{"callback":%q}`, callbacks["auth"]))
	r.next("grant")
}

// hook is what the sandbox keeps of a registration.
type keptHook struct {
	ID          int64             `json:"id"`
	Scope       string            `json:"scope"`
	Destination string            `json:"destination"`
	Active      bool              `json:"is_active"`
	Headers     map[string]string `json:"headers"`
}

// hooks are the registrations as BigCommerce has them, asked for through the API door.
func keptHooks(t *testing.T, up event) []keptHook {
	t.Helper()
	_, text := ask(t, "GET", up.text("proxy_url")+"/v3/hooks", "")
	var answer struct{ Data []keptHook }
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return answer.Data
}

func (r *run) again(env []string, args ...string) *run {
	r.t.Helper()
	next := &run{t: r.t, state: r.state, signals: make(chan os.Signal, 2), events: make(chan event, 1000), code: make(chan int, 1)}
	return next.start(env, args...)
}

// ok runs a command that must succeed and returns its lines.
func (r *run) ok(env []string, args ...string) []event {
	r.t.Helper()
	code, out, errs := r.command(env, append(args, "--json")...)
	if code != 0 {
		r.t.Fatalf("bcdev %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	var lines []event
	for line := range strings.Lines(out) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			r.t.Fatalf("%v: %s", err, line)
		}
		lines = append(lines, e)
	}
	return lines
}

func TestRegistrationsSurviveAChangedPublicURLWithOneCommand(t *testing.T) {
	f := startFar(t)
	r := start(t, f.env, "up", "--json")
	f.install(r, r.next("ready"))
	r.end()
	env := append(f.env, "BCDEV_TUNNEL_PROVIDER=none", "BCDEV_TUNNEL_PUBLIC_URL=https://first.localhost", "BCDEV_TUNNEL_LISTEN=127.0.0.1:0")
	r = r.again(env, "up", "--json")
	up := r.next("ready")
	r.ok(env, "hooks", "add", "store/order/*", "store/product/updated")
	// one that the app made itself, at the same address
	ask(t, "POST", up.text("proxy_url")+"/v3/hooks", fmt.Sprintf(`{"scope":"store/cart/*","destination":"%s/webhooks"}`, up.text("public_url")), "Content-Type", "application/json")
	for _, h := range keptHooks(t, up) {
		if !h.Active || !strings.HasPrefix(h.Destination, up.text("public_url")+"/webhooks") {
			t.Errorf("registered as %+v", h)
		}
	}
	if code := r.end(); code != 0 {
		t.Fatalf("exit %d", code)
	}

	env = f.env
	r = r.again(env, "up", "--json")
	up2 := r.next("ready")
	if p := r.next("problem"); p.text("code") != "hooks_astray" || !strings.Contains(p.text("message"), "3 webhooks lead to an earlier address (first.localhost") ||
		!strings.Contains(p.text("hint"), "bcdev hooks sync") || !strings.Contains(p.text("hint"), "--adopt") {
		t.Errorf("at the start it said %v", p)
	}
	code, out, errs := r.command(env, "hooks", "sync")
	if code != 2 || !strings.Contains(out, "re-point") || !strings.Contains(errs, "--yes") {
		t.Errorf("without --yes and a terminal: exit %d\n%s%s", code, out, errs)
	}
	r.ok(env, "hooks", "sync", "--yes")
	moved := 0
	for _, h := range keptHooks(t, up2) {
		switch {
		case h.Scope == "store/cart/*" && strings.HasPrefix(h.Destination, up.text("public_url")): // not ours, left alone
		case h.Scope != "store/cart/*" && h.Active && h.Destination == up2.text("public_url")+"/webhooks":
			moved++
		default:
			t.Errorf("after the sync %+v", h)
		}
	}
	if moved != 2 {
		t.Errorf("%d were re-pointed", moved)
	}
	f.control("webhook", `{"scope":"store/order/created","data":{"type":"order","id":118}}`)
	if w := r.next("webhook"); w.text("scope") != "store/order/created" || w.text("signature") != "valid" {
		t.Errorf("the event came as %v", w)
	}
	r.ok(env, "hooks", "sync", "--yes", "--adopt")
	for _, h := range keptHooks(t, up2) {
		if h.Destination != up2.text("public_url")+"/webhooks" {
			t.Errorf("after the adoption %+v", h)
		}
	}
}

func TestHooksOfTheConfigurationComeAndGoWithTheSession(t *testing.T) {
	f := startFar(t)
	config := configFile(t, `
app:
  hooks: [store/order/*, {scope: store/product/updated, destination: /webhooks/products}]
hooks: {on_start: sync, on_exit: disable}
`)
	args := []string{"up", "--json", "--config", config}
	r := start(t, f.env, args...)
	up := r.next("ready")
	f.install(r, up)
	for range 2 {
		r.next("hook_change")
	}
	if res := f.control("webhook", `{"scope":"store/product/updated","data":{"type":"product","id":77}}`); !strings.Contains(fmt.Sprint(res), "status:200") {
		t.Errorf("the destination of its own answered %v", res)
	}
	r.next("webhook")
	if code := r.end(); code != 0 {
		t.Fatalf("exit %d", code)
	}
	found := r.ok(append(f.env, "BCDEV_TUNNEL_URL="+up.text("public_url")), "hooks", "list", "--config", config)
	for _, h := range found {
		if h.text("event") == "hook" && (h.text("state") != "inactive" || h["ours"] != true || !strings.Contains(h.text("why"), "switched it off")) {
			t.Errorf("after the end %v", h)
		}
	}
	if len(found) != 3 || found[2]["count"] != 2.0 {
		t.Errorf("listed %v", found)
	}
	r = r.again(f.env, args...)
	r.next("ready")
	for range 2 {
		if c := r.next("hook_change"); c.text("error") != "" || c["is_active"] != true {
			t.Errorf("at the next start %v", c)
		}
	}
}

func TestWhatCannotBeRegisteredIsRefusedWithTheNearestThatCan(t *testing.T) {
	f := startFar(t)
	r := start(t, f.env, "up", "--json")
	up := r.next("ready")
	f.install(r, up)
	code, _, errs := r.command(f.env, "hooks", "add", "store/order/create")
	if code != 2 || !strings.Contains(errs, "did you mean store/order/created") {
		t.Errorf("exit %d\n%s", code, errs)
	}
	r.ok(f.env, "hooks", "add", "store/order/created", "--dry-run")
	if kept := keptHooks(t, up); len(kept) != 0 {
		t.Errorf("a dry run registered %+v", kept)
	}
	r.ok(f.env, "hooks", "add", "store/order/created")
	id := fmt.Sprint(keptHooks(t, up)[0].ID)
	ask(t, "PUT", up.text("proxy_url")+"/v3/hooks/"+id, `{"is_active":false}`, "Content-Type", "application/json")
	r.ok(f.env, "hooks", "enable", id)
	if kept := keptHooks(t, up); !kept[0].Active {
		t.Errorf("it is still inactive: %+v", kept)
	}
	if code, _, errs := r.command(f.env, "hooks", "delete", "99"); code != 1 || !strings.Contains(errs, "no webhook 99") {
		t.Errorf("exit %d\n%s", code, errs)
	}
	r.ok(f.env, "hooks", "delete", id)
	if kept := keptHooks(t, up); len(kept) != 0 {
		t.Errorf("still there: %+v", kept)
	}
	r.end()
	if code, _, errs := r.command(f.env, "hooks", "add", "store/order/created"); code != 3 || !strings.Contains(errs, "bcdev up") {
		t.Errorf("with nothing running: exit %d\n%s", code, errs)
	}
}

func TestAnEventIsExpandedAndTheNextOneShowsWhatChanged(t *testing.T) {
	f := startFar(t)
	env := append(f.env, "BCDEV_HOOKS_EXPAND=true")
	r := start(t, env, "up", "--json")
	up := r.next("ready")
	f.install(r, up)
	r.ok(env, "hooks", "add", "store/product/updated")
	change := func(name string) event {
		t.Helper()
		res, text := ask(t, "PUT", up.text("proxy_url")+"/v3/catalog/products/77", `{"name":"`+name+`"}`, "Content-Type", "application/json")
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", res.StatusCode, text)
		}
		return r.next("expansion")
	}
	first := change("Before the fall")
	if first.text("resource") != "product" || first.text("resource_id") != "77" || first["status"] != 200.0 || first["before"] != nil {
		t.Errorf("expanded as %v", first)
	}
	second := change("After the fall")
	if second["before"] != first["id"] || !strings.Contains(second.text("changes"), `-    "name": "Before the fall"`) ||
		!strings.Contains(second.text("changes"), `+    "name": "After the fall"`) {
		t.Errorf("what changed: %v", second)
	}
	code, out, errs := r.command(env, "show", fmt.Sprint(second["of"]), "--expand")
	if code != 0 || !strings.Contains(out, "After the fall") || !strings.Contains(errs, "as it was in #"+fmt.Sprint(second["id"])) {
		t.Errorf("show --expand: exit %d\n%s%s", code, out, errs)
	}
	if code, _, errs := r.command(env, "show", "latest", "auth", "--expand"); code != 2 || !strings.Contains(errs, "no webhook") {
		t.Errorf("expanding an install: exit %d\n%s", code, errs)
	}
}

func TestPassthroughGivesBigCommerceTheAppsOwnAnswer(t *testing.T) {
	f := startFar(t)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(app.Close)
	r := start(t, f.env, "up", "--json", "--passthrough", "--parallel", "2", "--forward-to", app.URL)
	up := r.next("ready")
	answer := f.control("webhook", `{"scope":"store/order/created","destination":"`+up.text("public_url")+`/webhooks"}`)
	if !strings.Contains(fmt.Sprint(answer), "status:418") {
		t.Errorf("BigCommerce saw %v", answer)
	}
	if code, _, errs := start(t, f.env, "up", "--passthrough").finished(); code != 2 || !strings.Contains(errs, "--forward-to") {
		t.Errorf("without an app: exit %d\n%s", code, errs)
	}
}

func (r *run) finished() (code int, stdout, stderr string) {
	code = r.ended()
	return code, r.out.String(), r.err.String()
}
