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

func TestOneProblem(t *testing.T) {
	lan := func(o *Options) { o.AllowLAN = true }
	for _, c := range []struct {
		name, file string
		change     func(*Options)
		code       string // "" when it is fine
	}{
		{"G01 plain http", "bigcommerce: {api_url: http://api.bigcommerce.com}", nil, "plain_http"},
		{"G03 a header with a line break", `proxy: {headers: {X-Foo: "a\r\nX-Auth-Token: b"}}`, nil, "bad_header"},
		{"G04 X-Auth-Token", "proxy: {headers: {x-auth-token: a}}", nil, "reserved_header"},
		{"G04 Host", "proxy: {headers: {Host: a}}", nil, "reserved_header"},
		{"G04 Content-Length", "proxy: {headers: {Content-Length: 1}}", nil, "reserved_header"},
		{"G04 Connection", "proxy: {headers: {Connection: close}}", nil, "reserved_header"},
		{"G04 Transfer-Encoding", "proxy: {headers: {Transfer-Encoding: chunked}}", nil, "reserved_header"},
		{"one header twice", "proxy: {headers: {X-Foo: a, x-foo: b}}", nil, "bad_header"},
		{"G06 yes", "proxy: {read_only: 'yes'}", nil, "wrong_type"},
		{"G06 a bare yes", "proxy: {read_only: yes}", nil, "wrong_type"},
		{"G06 1", "proxy: {read_only: 1}", nil, "wrong_type"},
		{"G06 a list", "proxy: {read_only: [true]}", nil, "wrong_type"},
		{"G06 quoted", "proxy: {read_only: 'true'}", nil, "wrong_type"},
		{"G08 climbing", "stores: [{hash: ../x, token: t}]", nil, "bad_store_hash"},
		{"G08 climbing behind a hash", "stores: [{hash: aaa111/.., token: t}]", nil, "bad_store_hash"},
		{"G08 empty", "stores: [{hash: '', token: t}]", nil, "bad_store_hash"},
		{"G08 long", "stores: [{hash: " + strings.Repeat("a", 200) + ", token: t}]", nil, "bad_store_hash"},
		{"G08 upper case and space", "stores: [{hash: AAA 111, token: t}]", nil, "bad_store_hash"},
		{"G10 our own door as proxy", "forward_proxy: {listen: 127.0.0.1:7072}", func(o *Options) { o.Env = []string{"HTTPS_PROXY=http://localhost:7072"} }, "own_proxy"},
		{"G10 another proxy", "forward_proxy: {listen: 127.0.0.1:7072}", func(o *Options) { o.Env = []string{"HTTPS_PROXY=http://localhost:3128"} }, ""},
		{"G12 another API host", "bigcommerce: {api_url: https://evil.example}", nil, "upstream_not_allowed"},
		{"G12 a host that ends like BigCommerce's", "bigcommerce: {api_url: https://evilbigcommerce.com}", nil, "upstream_not_allowed"},
		{"G12 a store's host as API", "bigcommerce: {api_url: https://store-evil.mybigcommerce.com}", nil, "upstream_not_allowed"},
		{"G12 allow_upstream", "allow_upstream: [evil.example]", nil, "upstream_not_allowed"},
		{"G12 a host from the environment", "", func(o *Options) { o.Env = []string{"BCDEV_BIGCOMMERCE_API_URL=https://evil.example"} }, "upstream_not_allowed"},
		{"a host the command line names", "bigcommerce: {api_url: https://API.test:8443}", func(o *Options) { o.AllowUpstream = []string{"api.test"} }, ""},
		{"a port the command line does not name", "bigcommerce: {api_url: https://api.test:8443}", func(o *Options) { o.AllowUpstream = []string{"api.test:443"} }, "upstream_not_allowed"},
		{"plain http to a named host", "bigcommerce: {api_url: http://api.test}", func(o *Options) { o.AllowUpstream = []string{"api.test"} }, "plain_http"},
		{"a sandbox on loopback", "bigcommerce: {api_url: 'http://127.0.0.1:7080', storefront_url: 'http://{hash}.localhost:1'}", nil, ""},
		{"a user in a URL", "bigcommerce: {api_url: 'https://api.bigcommerce.com@evil.example'}", nil, "bad_url"},
		{"P97 every address", "proxy: {listen: 0.0.0.0:7070}", nil, "not_loopback"},
		{"P97 no address", "proxy: {listen: ':7070'}", nil, "not_loopback"},
		{"P97 every IPv6 address", "inspector: {listen: '[::]:7070'}", nil, "not_loopback"},
		{"P97 with --allow-lan", "proxy: {listen: 0.0.0.0:7070}", lan, ""},
		{"a host name", "proxy: {listen: example.com:7070}", lan, "bad_listen"},
		{"no port", "proxy: {listen: '7070'}", nil, "bad_listen"},
		{"a port out of range", "proxy: {listen: 127.0.0.1:70000}", nil, "bad_listen"},
		{"a socket", "proxy: {listen: unix:///run/user/1/bcdev.sock}", nil, ""},
		{"a relative socket", "proxy: {listen: unix://x.sock}", nil, "bad_listen"},
		{"a socket for the window", "inspector: {listen: unix:///x.sock}", nil, "bad_listen"},
		{"two doors in one place", "inspector: {listen: 127.0.0.1:7070}", nil, "same_address"},
		{"two free ports", "inspector: {listen: 127.0.0.1:0}\nproxy: {listen: 127.0.0.1:0}", nil, ""},
		{"a path without a slash", "app: {webhooks: webhooks}", nil, "bad_path"},
		{"a path with a query", "app: {callbacks: {auth: '/a?b'}}", nil, "bad_path"},
		{"a path that climbs", "app: {callbacks: {auth: /a/../load}}", nil, "bad_path"},
		{"a path with braces", "app: {callbacks: {auth: '/{x}'}}", nil, "bad_path"},
		{"the guide's path", "app: {callbacks: {auth: /}}", nil, ""},
		{"webhooks on a callback's path", "app: {webhooks: /auth}", nil, "same_path"},
		{"a local app elsewhere", "app: {forward_to: http://evil.example}", nil, "not_local"},
		{"a local app elsewhere by the environment", "", func(o *Options) { o.Env = []string{"BCDEV_APP_FORWARD_TO=http://app:3000"} }, ""},
		{"a route elsewhere", "app: {routes: [{scope: store/order/*, to: http://evil.example/}]}", nil, "not_local"},
		{"a hook elsewhere", "app: {hooks: [{scope: store/order/*, destination: 'https://evil.example/'}]}", nil, "not_local"},
		{"a hook on a path", "app: {hooks: [{scope: store/order/*, destination: /w/o}, store/product/*]}", nil, ""},
		{"an edge elsewhere", "tunnel: {connect_url: evil.example:443}", nil, "upstream_not_allowed"},
		{"ngrok's own edge", "tunnel: {connect_url: connect.eu.ngrok-agent.com:443}", nil, ""},
		{"a policy of another folder", "tunnel: {traffic_policy: ../../etc/passwd}", nil, "untrusted_file"},
		{"webhooks to a stranger", "hooks: {on_start: sync}\ntunnel: {provider: none, public_url: https://evil.example}", nil, "untrusted_file"},
		{"provider none without a URL", "tunnel: {provider: none}", nil, "missing"},
		{"provider none over http", "tunnel: {provider: none, public_url: http://me.example.com}", nil, "plain_http"},
		{"a public URL with a path", "tunnel: {url: https://me.ngrok.app/x}", nil, "bad_url"},
		{"K02 a token with a line break", `stores: [{hash: a1, token: "abc\ndef"}]`, nil, "bad_credential"},
		{"K02 a token with ESC", `stores: [{hash: a1, token: "abc\edef"}]`, nil, "bad_credential"},
		{"K02 a header line", `stores: [{hash: a1, token: "X-Auth-Token: abc"}]`, nil, "bad_credential"},
		{"K02 quotes", `stores: [{hash: a1, token: "'abc'"}]`, nil, "bad_credential"},
		{"K02 space around it", `stores: [{hash: a1, token: " abc\n"}]`, nil, ""},
		{"no token", "stores: [{hash: a1}]", nil, "missing"},
		{"one store twice", "stores: [{hash: a1, token: t}, {hash: a1, token: t}]", nil, "duplicate_store"},
		{"one alias twice", "stores: [{hash: a1, token: t, alias: dev}, {hash: a2, token: t, alias: dev}]", nil, "duplicate_alias"},
		{"another store's hash as alias", "stores: [{hash: a1, token: t, alias: a2}, {hash: a2, token: t}]", nil, "duplicate_alias"},
		{"an origin with a path", "proxy: {allow_origins: ['http://localhost:3000/x']}", nil, "bad_origin"},
		{"every origin", "proxy: {allow_origins: ['*']}", nil, "bad_origin"},
		{"the null origin", "proxy: {allow_origins: ['null']}", nil, "bad_origin"},
		{"control characters", `app: {client_id: abc, scopes: ["a\eb"]}`, nil, "control_character"},
		{"a limit of nothing", "capture: {keep_days: 0}", nil, "bad_value"},
		{"a second document", "proxy: {}\n---\nproxy: {}", nil, "second_document"},
		{"a list", "[a]", nil, "wrong_type"},
		{"broken YAML", "proxy: {", nil, "syntax"},
		{"a merge key", "proxy: {<<: {listen: x}}", nil, "unknown_key"},
		{"a section of nothing", "proxy:\ninspector:\n", nil, ""},
		{"an empty file", "# nothing\n", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var o Options
			if c.change != nil {
				c.change(&o)
			}
			_, problems := loaded(t, c.file, o)
			if c.code == "" {
				if problems != nil {
					t.Error(problems)
				}
				return
			}
			if !slices.ContainsFunc(problems, func(p Problem) bool { return p.Code == c.code }) {
				t.Fatalf("no problem %s in %v", c.code, problems)
			}
			for _, p := range problems {
				if c.file != "" && p.Line == 0 && p.Code != "own_proxy" && p.Code != "missing" && p.Code != "same_path" {
					t.Errorf("%s has no line", p)
				}
			}
		})
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
