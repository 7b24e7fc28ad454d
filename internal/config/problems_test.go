package config

import (
	"slices"
	"strings"
	"testing"
)

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
