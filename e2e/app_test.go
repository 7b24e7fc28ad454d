package e2e

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// nodeApp is the app of clients/app.js: Express, its own exchange, its own session.
type nodeApp struct {
	t    *testing.T
	addr string
	env  []string
	*program
}

// newApp chooses where the app will listen; start starts it, each time without any install.
func newApp(t *testing.T) *nodeApp { return &nodeApp{t: t, addr: freeAddr(t)} }

func (a *nodeApp) url() string { return "http://" + a.addr }

// start runs the app with what "bcdev env" would write into its .env, which for an app that is
// not installed yet is its credentials and the two base URLs.
func (a *nodeApp) start(n *nearSide, more ...string) {
	a.t.Helper()
	_, port, err := net.SplitHostPort(a.addr)
	if err != nil {
		a.t.Fatal(err)
	}
	a.env = append([]string{
		"PORT=" + port, "NODE_ENV=production", "AUTH_CALLBACK=" + n.ready.callback("auth"),
		"CLIENT_ID=" + n.far.ready.text("client_id"), "CLIENT_SECRET=" + n.far.ready.text("client_secret"),
		"BC_LOGIN_URL=" + n.door(), "BC_API_URL=" + n.door(),
	}, more...)
	a.restart()
}

func (a *nodeApp) restart() {
	a.t.Helper()
	a.program = run(a.t, a.env, "node", client(a.t, "app.js"))
	a.line("listening on")
}

// client is the path of a program in clients, whose packages must be installed.
func client(t *testing.T, name string) string {
	t.Helper()
	dir, err := filepath.Abs("clients")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		t.Fatalf("the packages of e2e/clients are not installed: run npm ci there, or e2e/run (%v)", err)
	}
	return filepath.Join(dir, name)
}

func (a *nodeApp) installs() []string {
	a.t.Helper()
	_, text := call(a.t, http.MethodGet, a.url()+"/installs", "")
	var stores []string
	if err := json.Unmarshal([]byte(text), &stores); err != nil {
		a.t.Fatalf("GET /installs answered %q: %v", text, err)
	}
	return stores
}

// checkSession goes on as the merchant's browser does after a callback: with the cookies that
// the app set, to what the session opens.
func (a *nodeApp) checkSession(header http.Header, store string) {
	a.t.Helper()
	var cookies []string
	for _, c := range (&http.Response{Header: header}).Cookies() {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	if len(cookies) < 2 { // the session and its signature
		a.t.Fatalf("the app's Set-Cookie came through as %q", header["Set-Cookie"])
	}
	res, text := call(a.t, http.MethodGet, a.url()+"/products", "", "Cookie", strings.Join(cookies, "; "))
	var page struct {
		Store, Email string
		Products     []string
	}
	if err := json.Unmarshal([]byte(text), &page); err != nil || res.StatusCode != http.StatusOK {
		a.t.Fatalf("the session's page: %d %s", res.StatusCode, text)
	}
	if page.Store != store || page.Email == "" || len(page.Products) == 0 {
		a.t.Errorf("the session's page shows %+v", page)
	}
}

func TestAnAppIsInstalledThroughUpAndAgainByAReplay(t *testing.T) {
	t.Parallel()
	for _, mode := range []struct{ exchange, body string }{{"auto", "form"}, {"app", "json"}} {
		t.Run("exchange "+mode.exchange+", token request as "+mode.body, func(t *testing.T) {
			app, far := newApp(t), openFarSide(t)
			near := openNearSide(t, far, "--forward-to", app.url(), "--exchange", mode.exchange)
			app.start(near, "TOKEN_BODY="+mode.body)

			checkInstalled(t, app, near, near.install())
			replayOnAnEmptyApp(t, app, near)
		})
	}
}

// checkInstalled looks at a first install from the browser, from the app, and from BigCommerce.
func checkInstalled(t *testing.T, app *nodeApp, near *nearSide, v visit) {
	t.Helper()
	if v.Status != http.StatusFound || v.Headers.Get("Location") != "/products" {
		t.Fatalf("the merchant's browser got %d to %q: %s", v.Status, v.Headers.Get("Location"), v.Body)
	}
	store := near.far.store()
	app.checkSession(v.Headers, store)
	if got := near.next("grant").text("store"); got != store {
		t.Errorf("bcdev keeps a grant of %q", got)
	}
	if n := len(near.far.received("POST", "/oauth2/token")); n != 1 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
}

// replayOnAnEmptyApp kills the app, starts it with nothing, and installs it by a replay.
func replayOnAnEmptyApp(t *testing.T, app *nodeApp, near *nearSide) {
	t.Helper()
	app.stop()
	app.restart()
	if got := app.installs(); len(got) != 0 {
		t.Fatalf("the app was to start empty and has %v", got)
	}
	near.far.forget()
	near.replay(t, 0, "latest", "auth", "--to", app.url(), "--expect", "302")
	if got := app.installs(); !slices.Equal(got, []string{near.far.store()}) {
		t.Errorf("after the replay the app is installed on %v", got)
	}
	if asked := near.far.received("", "/oauth2/"); len(asked) != 0 {
		t.Errorf("the replay reached the token endpoint: %v", asked)
	}
}

// replay runs "bcdev replay" beside the running up and returns what it printed.
func (n *nearSide) replay(t *testing.T, wantCode int, args ...string) string {
	t.Helper()
	out, errs, code := finish(t, n.env, bcdev, append([]string{"replay"}, args...)...)
	if code != wantCode {
		t.Errorf("replay %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out + errs
}

func TestALoadOfAnotherDayIsReplayedWithFreshTimes(t *testing.T) {
	app, far := newApp(t), openFarSide(t)
	near := openNearSide(t, far, "--forward-to", app.url())
	app.start(near)
	near.install()

	if v := far.visit("/load", map[string]any{}); v.Status != http.StatusOK || !strings.Contains(v.Body, "welcome") {
		t.Fatalf("a load of now: %d %s", v.Status, v.Body)
	} else {
		app.checkSession(v.Headers, far.store())
	}

	t.Run("the far side's clock is a day ahead", func(t *testing.T) {
		far.control("/clock", map[string]any{"advance": "25h"}, nil)
		if v := far.visit("/load", map[string]any{}); v.Status != http.StatusUnauthorized || v.Headers.Get("Set-Cookie") != "" {
			t.Errorf("the browser got %d %s", v.Status, v.Body)
		}
		checkFreshOnly(t, near, app, "jwt not active")
	})
	t.Run("it came and expired yesterday", func(t *testing.T) {
		expired := must(t, []string{"CLIENT_ID=" + far.ready.text("client_id"), "CLIENT_SECRET=" + far.ready.text("client_secret"), "STORE=" + far.store()},
			"node", client(t, "yesterday.js"))
		if status := far.browse(near.ready.callback("load") + "?signed_payload_jwt=" + strings.TrimSpace(expired)); status != http.StatusUnauthorized {
			t.Errorf("the browser got %d", status)
		}
		checkFreshOnly(t, near, app, "jwt expired")
	})
}

// checkFreshOnly replays the latest load as it came, which the app's own library refuses, and
// signed anew, which it accepts.
func checkFreshOnly(t *testing.T, near *nearSide, app *nodeApp, cause string) {
	t.Helper()
	if said := near.replay(t, 1, "latest", "load", "--as-is", "--to", app.url()); !strings.Contains(said, cause) {
		t.Errorf("as it came, the app did not say %q:\n%s", cause, said)
	}
	if said := near.replay(t, 0, "latest", "load", "--to", app.url(), "--expect", "200"); !strings.Contains(said, "welcome") {
		t.Errorf("signed anew, the app did not welcome anybody:\n%s", said)
	}
}
