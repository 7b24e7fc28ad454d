package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bcdev/internal/redact"
)

// loaded loads a file's text from a working folder of its own.
func loaded(t *testing.T, text string, o Options) (*Config, Problems) {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if text != "" {
		if err := os.WriteFile(filepath.Join(o.Dir, "bcdev.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(o)
	if err == nil {
		return c, nil
	}
	var p Problems
	if !errors.As(err, &p) || c != nil {
		t.Fatalf("Load = %v, %T %v", c, err, err)
	}
	return nil, p
}

func mustLoad(t *testing.T, text string, o Options) *Config {
	t.Helper()
	c, problems := loaded(t, text, o)
	if problems != nil {
		t.Fatal(problems)
	}
	return c
}

func TestNothingButTheEnvironmentIsEnough(t *testing.T) {
	c := mustLoad(t, "", Options{Env: []string{"NGROK_AUTHTOKEN=2abc_def\n", "BC_CLIENT_ID=id", "BC_CLIENT_SECRET=secret"}})
	want := Default()
	want.Tunnel.Authtoken, want.App.ClientID, want.App.ClientSecret = "2abc_def", "id", "secret"
	want.Proxy.Headers = map[string]string{}
	got := *c
	got.Origins = nil
	if d := cmp.Diff(want, got); d != "" || c.App.ClientSecret.Reveal() != "secret" {
		t.Error(d)
	}
	if c.Origins["app.client_id"] != "env BC_CLIENT_ID" || c.Origins["proxy.listen"] != "default" {
		t.Errorf("origins: %v", c.Origins)
	}
}

func TestFlagBeforeEnvironmentBeforeFileBeforeDefault(t *testing.T) {
	const file = "proxy: {listen: 127.0.0.1:1, store: file, read_only: true}\ninspector: {listen: 127.0.0.1:1001}\n"
	c := mustLoad(t, file, Options{
		Env:   []string{"BCDEV_PROXY_LISTEN=127.0.0.1:2", "BCDEV_PROXY_STORE=environ", "BCDEV_PROXY_KEY="},
		Flags: map[string]string{"proxy.listen": "127.0.0.1:3"},
	})
	if c.Proxy.Listen != "127.0.0.1:3" || c.Proxy.Store != "environ" || !c.Proxy.ReadOnly || c.Proxy.Key != "off" {
		t.Errorf("%+v", c.Proxy)
	}
	for key, want := range map[string]string{
		"proxy.listen": "flag", "proxy.store": "env BCDEV_PROXY_STORE", "proxy.read_only": "bcdev.yaml:1",
		"inspector.listen": "bcdev.yaml:2", "proxy.key": "default",
	} {
		if c.Origins[key] != want {
			t.Errorf("%s comes from %q, want %q", key, c.Origins[key], want)
		}
	}
}

func TestEveryKeyHasAVariable(t *testing.T) {
	samples := map[string]string{
		"app.exchange": "app", "app.forward_to": "http://localhost:3000", "app.callbacks.auth": "/", "app.callbacks.load": "/l", "app.callbacks.uninstall": "/u",
		"app.callbacks.remove_user": "/r", "app.webhooks": "/w", "app.scopes": "store_v2_products, store_v2_orders", "app.hooks": "store/order/*,store/product/updated",
		"app.routes": "{scope: store/order/*, to: http://localhost:4000/o}", "tunnel.provider": "none", "tunnel.url": "you.ngrok.app",
		"tunnel.public_url": "https://Me.example.com/", "tunnel.listen": "127.0.0.1:1", "tunnel.connect_url": "127.0.0.1:7081", "proxy.listen": "127.0.0.1:2",
		"proxy.headers": "authorization: Basic, X-A: 'b,c'", "proxy.allow_origins": "http://localhost:3000,https://App.test", "proxy.key": "required", "proxy.store": "dev",
		"inspector.listen": "127.0.0.1:3", "forward_proxy.listen": "127.0.0.1:4", "sandbox.listen": "127.0.0.1:5", "capture.body_limit": "2 MiB",
		"capture.keep_bytes": "1GiB", "stores": "{hash: abc123, token: tok, read_only: true}", "bigcommerce.login_url": "http://127.0.0.1:9", "bigcommerce.api_url": "https://api.bigcommerce.com/",
		"bigcommerce.storefront_url": "http://{hash}.localhost:9", "allow_upstream": "localhost", "hooks.on_start": "sync", "hooks.on_exit": "delete",
	}
	var env []string
	for _, k := range keysOf(new(Config)) {
		sample := samples[k.path]
		switch {
		case sample != "":
		case k.value.Kind().String() == "bool":
			sample = "true"
		default:
			sample = "7"
		}
		env = append(env, variable(k.path)+"="+sample)
	}
	c := mustLoad(t, "", Options{Env: env, Dir: t.TempDir()})
	for key, origin := range c.Origins {
		if want := "env " + variable(key); origin != want {
			t.Errorf("%s comes from %q", key, origin)
		}
	}
	if d := cmp.Diff([]Hook{{Scope: "store/order/*"}, {Scope: "store/product/updated"}}, c.App.Hooks); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"Authorization": "Basic", "X-A": "b,c"}, c.Proxy.Headers); d != "" {
		t.Error(d)
	}
	if c.Capture.BodyLimit != 2<<20 || !c.Stores[0].ReadOnly || c.Tunnel.PublicURL != "https://me.example.com" || c.Tunnel.URL != "https://you.ngrok.app" ||
		c.Proxy.AllowOrigins[1] != "https://app.test" || c.BigCommerce.APIURL != "https://api.bigcommerce.com" {
		t.Errorf("%+v", c)
	}
}

func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	const file = `app:
  client_secret: ${NOT_SET}
  callbacks: {auth: auth, load: /l, uninstall: /l}
  exchange: maybe
proxie:
  listen: x
proxy:
  listn: 127.0.0.1:7070
  read_only: 'yes'
  retry_429: 1
  headers: {X-Auth-Token: a, "X Y": b, X-Foo: "a\r\nX-Auth-Token: b"}
client_id: abc
capture: {body_limit: big, keep_days: 3.5}
stores:
  - {hash: ../x, token: t}
  - hash
proxy: {store: a}
`
	_, problems := loaded(t, file, Options{Env: []string{"BCDEV_CAPTURE_KEEP_EXCHANGES=many"}})
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%d %s %s", p.Line, p.Code, p.Key))
		if p.Text == "" {
			t.Errorf("%+v says nothing", p)
		}
	}
	want := []string{
		"0 wrong_type capture.keep_exchanges",
		"2 unset_name app.client_secret",
		"3 bad_path app.callbacks.auth",
		"3 same_path app.callbacks.uninstall",
		"4 bad_value app.exchange",
		"5 unknown_key proxie",
		"8 unknown_key proxy.listn",
		"9 wrong_type proxy.read_only",
		"10 wrong_type proxy.retry_429",
		"11 bad_header proxy.headers.X Y",
		"11 bad_header proxy.headers.X-Foo",
		"11 reserved_header proxy.headers.X-Auth-Token",
		"12 unknown_key client_id",
		"13 wrong_type capture.body_limit",
		"13 wrong_type capture.keep_days",
		"15 bad_store_hash stores[0].hash",
		"16 wrong_type stores[1]",
		"17 duplicate_key proxy",
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("missing: %s", w)
		}
	}
	text, hint := problems.Error(), problems.Hint()
	for _, w := range []string{"bcdev.yaml:8: proxy.listn: unknown key; did you mean listen?", "did you mean proxy?", "did you mean app.client_id?", "the environment has no NOT_SET"} {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in\n%s", w, text)
		}
	}
	if !strings.Contains(hint, "export NOT_SET") {
		t.Errorf("hint %q", hint)
	}
	if t.Failed() {
		t.Logf("%s", strings.Join(got, "\n"))
	}
}

func TestReferencesAreExpandedPerValue(t *testing.T) {
	c := mustLoad(t, "proxy:\n  headers:\n    X-A: ${A}\n    X-B: $A ${A:-x} $${ ${} ${a-b}\n    X-C: <${A}|${B}>\n  read_only: ${RO}\n",
		Options{Env: []string{"A=x: [y] # z ${B}", "B=2", "RO=true"}})
	want := map[string]string{"X-A": "x: [y] # z ${B}", "X-B": "$A ${A:-x} $${ ${} ${a-b}", "X-C": "<x: [y] # z ${B}|2>"}
	if d := cmp.Diff(want, c.Proxy.Headers); d != "" || !c.Proxy.ReadOnly {
		t.Error(d)
	}
}

func TestAnUnsetNameDoesNotMatterWhenSomethingGoesBefore(t *testing.T) {
	c := mustLoad(t, "app: {client_id: \"${NOT_SET}\"}\n", Options{Env: []string{"BCDEV_APP_CLIENT_ID=given"}})
	if c.App.ClientID != "given" {
		t.Errorf("client id %q", c.App.ClientID)
	}
}

func TestTheKeyIsRequiredWithAllowLAN(t *testing.T) {
	c := mustLoad(t, "proxy: {key: off}\n", Options{AllowLAN: true})
	if c.Proxy.Key != "required" || len(c.Warnings) != 1 || c.Warnings[0].Code != "key_forced" {
		t.Errorf("key %q, warnings %v", c.Proxy.Key, c.Warnings)
	}
}

func TestATrustedFileMayNameFilesElsewhere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "conf", "my.yaml")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("tunnel: {traffic_policy: ../policy.yml}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := mustLoad(t, "", Options{Dir: dir, File: "conf/my.yaml", Explicit: true})
	if c.Tunnel.TrafficPolicy != filepath.Join(dir, "policy.yml") || c.File != path {
		t.Errorf("policy %q, file %q", c.Tunnel.TrafficPolicy, c.File)
	}
}

func TestALinkOutOfTheFolderIsRefused(t *testing.T) {
	dir, secret := t.TempDir(), filepath.Join(t.TempDir(), "id")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "policy.yml")); err != nil {
		t.Skip(err)
	}
	_, problems := loaded(t, "tunnel: {traffic_policy: policy.yml}\n", Options{Dir: dir})
	if len(problems) != 1 || problems[0].Code != "untrusted_file" {
		t.Errorf("problems: %v", problems)
	}
}

func TestWhichFileIsRead(t *testing.T) {
	dir, conf := t.TempDir(), t.TempDir()
	if c := mustLoad(t, "", Options{Dir: dir, UserConfigDir: conf}); c.File != "" {
		t.Errorf("read %q", c.File)
	}
	users := filepath.Join(conf, "bcdev", "bcdev.yaml")
	if err := os.Mkdir(filepath.Dir(users), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(users, []byte("proxy: {store: users}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := mustLoad(t, "", Options{Dir: dir, UserConfigDir: conf}); c.Proxy.Store != "users" || c.Origins["proxy.store"] != users+":1" {
		t.Errorf("store %q from %q", c.Proxy.Store, c.Origins["proxy.store"])
	}
	if c := mustLoad(t, "proxy: {store: here}\n", Options{Dir: dir, UserConfigDir: conf}); c.Proxy.Store != "here" {
		t.Errorf("store %q", c.Proxy.Store)
	}
	if _, p := loaded(t, "", Options{Dir: dir, File: "none.yaml", Explicit: true}); len(p) != 1 || p[0].Code != "no_file" {
		t.Errorf("problems: %v", p)
	}
	if _, p := loaded(t, "", Options{Dir: dir, File: conf, Explicit: true}); len(p) != 1 || p[0].Code != "unreadable" {
		t.Errorf("problems: %v", p)
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	const secret = "s3cr3tvalue0000"
	env := []string{"S=" + secret, "BAD=" + secret + " x"}
	c := mustLoad(t, "app: {client_secret: \"${S}\"}\ntunnel: {authtoken: "+secret+"}\nstores: [{hash: a1, token: \"${S}\"}]\n", Options{Env: env})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(verb, *c); strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
			t.Errorf("%s prints a secret", verb)
		}
	}
	for _, file := range []string{
		"app: {client_secret: \"${BAD}\"}", "stores: [{hash: \"${S}/\", token: \"${BAD}\"}]", "proxy: {listen: \"${S}\", store: \"${BAD}\"}",
		"bigcommerce: {api_url: \"https://${S}.example\"}", "allow_upstream: [\"${S}.example\"]", "proxy: {read_only: \"${S}\"}",
		"app: {client_secret: *" + secret + "}", "app: {client_secret: \"" + secret + "\\q\"}", "app: {client_secret: [" + secret + "]}",
		"app: {client_secret: !!binary " + secret + "}", "tunnel: {authtoken: '" + secret + " " + secret + "'}", "proxy: {headers: {X-A: \"${S}\\n\"}, key: \"${S}\"}",
		"app: {forward_to: \"http://${S}/\"}", "app: {callbacks: {auth: \"${S}\"}}", "app: {hooks: [\"${S}!\"], scopes: [\"${S}!\"]}",
	} {
		_, problems := loaded(t, file, Options{Env: env})
		if problems == nil {
			t.Errorf("%s is fine?", file)
		}
		if text := problems.Error() + problems.Hint() + fmt.Sprintf("%+v", []Problem(problems)); strings.Contains(text, secret) {
			t.Errorf("%s: the secret is in\n%s", file, text)
		}
	}
}

func TestNoControlCharacterReachesTheReader(t *testing.T) {
	_, problems := loaded(t, "\"pro\\exy\": 1\nproxy: {\"\\e[2J\": 1, store: \"\\e[2J\", headers: {\"\\e\": a}}\n", Options{})
	if text := problems.Error() + problems.Hint(); len(problems) != 4 || strings.ContainsRune(text, 0x1b) {
		t.Errorf("%q", text)
	}
}

func TestWarnings(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "bcdev.yaml")
	if err := os.WriteFile(path, []byte("app: {client_id: '{BC_CLIENT_ID}', client_secret: abc}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	c := mustLoad(t, "", Options{Dir: dir, Env: []string{"BCDEV_PROXY_LISTN=x", "BCDEV_STATE_DIR=/x", "BCDEV_SOMETHING_ELSE=1"}})
	var codes []string
	for _, w := range c.Warnings {
		codes = append(codes, w.Code)
	}
	slices.Sort(codes)
	if want := []string{"braces", "readable_file", "unknown_variable"}; !slices.Equal(codes, want) {
		t.Errorf("warnings %v, want %v", c.Warnings, want)
	}
}

func TestTheExampleShowsEveryKeyAndTheDefaults(t *testing.T) {
	const path = "../../config.example.yaml"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := mustLoad(t, string(text), Options{Env: []string{"BC_CLIENT_ID=id", "BC_CLIENT_SECRET=secret", "NGROK_AUTHTOKEN=token"}})
	for key, origin := range c.Origins {
		if !strings.HasPrefix(origin, "bcdev.yaml:") {
			t.Errorf("%s is not shown", key)
		}
	}
	for _, key := range []string{"hash", "alias", "token", "read_only", "scope", "destination", "to"} {
		if !strings.Contains(string(text), key) {
			t.Errorf("the element key %s is not shown", key)
		}
	}
	want := Default()
	want.App.ClientID, want.App.ClientSecret, want.Tunnel.Authtoken = "id", "secret", "token"
	want.App.Scopes, want.App.Hooks, want.App.Routes = []string{}, []Hook{}, []Route{}
	want.Proxy.Headers, want.Proxy.AllowOrigins, want.Stores = map[string]string{}, []string{}, []Store{}
	got := *c
	got.Origins, got.File, want.File = nil, "", ""
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("a default of the example is not the default:\n%s", d)
	}
}

func TestCredential(t *testing.T) {
	if s, err := Credential("  abc\n"); err != nil || s != redact.Secret("abc") {
		t.Errorf("%v %v", s.Reveal(), err)
	}
	for _, pasted := range []string{"a b", "a\x1bb", `"abc"`, "X-Auth-Token: abc", "ab\u00e9", strings.Repeat("a", 5000)} {
		if s, err := Credential(pasted); err == nil || s != "" || strings.Contains(err.Error(), "abc") {
			t.Errorf("Credential(%q) = %q, %v", pasted, s.Reveal(), err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile("../../config.example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	f.Add("proxy: &a {headers: *a}\n")
	f.Add("stores: [{hash: a, token: \"${S}\"}, &x {}, *x]\nallow_upstream: [a]\n--- x\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(filepath.Join(dir, "bcdev.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(Options{Dir: dir, Env: []string{"S=0123456789secret"}})
		switch {
		case err != nil && strings.Contains(err.Error(), "0123456789secret"):
			t.Fatalf("a value of the environment is in %v", err)
		case err == nil && strings.ContainsAny(c.Proxy.Listen, "\r\n"):
			t.Fatalf("%q is fine?", c.Proxy.Listen)
		}
	})
}
