package export

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// received is what a generated request was on the wire.
type received struct {
	Method, Target string
	Header         http.Header
	Body           []byte
}

// recorder is a server that keeps the last request.
func recorder(t *testing.T) (*httptest.Server, <-chan received) {
	t.Helper()
	got := make(chan received, 32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- received{r.Method, r.RequestURI, r.Header, body}
		_, _ = io.WriteString(w, "ok")
	}))
	t.Cleanup(s.Close)
	return s, got
}

const nasty = `quote ' double " backtick ` + "`" + ` dollar $HOME ${HOME} $(id) %s %% \n \ back!slash #{x} {{y}} ‘smart’ é`

// cases are requests that are hard to quote.
func cases() map[string]capture.Exchange {
	post := func(contentType string, body []byte, headers ...string) capture.Exchange {
		h := http.Header{"User-Agent": {"test/1"}}
		if contentType != "" {
			h.Set("Content-Type", contentType)
		}
		for i := 0; i+1 < len(headers); i += 2 {
			h.Add(headers[i], headers[i+1])
		}
		return capture.Exchange{ID: 1, Door: capture.API, Kind: capture.Call, Store: "abc123xyz", Method: "POST", Host: "127.0.0.1:7070",
			Target: "/v3/x?a='b'&c=$HOME&d=%2F&e[]={1,2}&f=`id`", At: time.Unix(1795381200, 0), Took: 5 * time.Millisecond, First: 4 * time.Millisecond,
			Request: capture.Message{Header: h, Body: body, Size: int64(len(body))}, Status: 200, Proto: "HTTP/1.1"}
	}
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	get := post("", nil)
	get.Method = "GET"
	deletion := post("", nil)
	deletion.Method = "DELETE"
	put := post("application/json", []byte(`{"a":1}`))
	put.Method = "PUT"
	dots := post("text/plain", []byte("x"))
	dots.Target = "/v3/a/../b/./c"
	return map[string]capture.Exchange{
		"GET":                       get,
		"DELETE":                    deletion,
		"PUT JSON":                  put,
		"dot segments":              dots,
		"quotes and dollars":        post("text/plain", []byte(nasty), "X-Nasty", nasty),
		"line ends":                 post("text/plain", []byte("a\nb\r\nc\n\n"), "X-Tab", "a\tb"),
		"at sign":                   post("text/plain", []byte("@/etc/passwd")),
		"NUL and every other byte":  post("application/octet-stream", binary),
		"hidden letters":            post("text/plain", []byte("a\u202eb\x1b[31m\u009bc")),
		"no content type":           post("", []byte("plain")),
		"no content type, binary":   post("", []byte{0xff, 0, '\''}),
		"two values, one empty":     post("text/plain", []byte("x"), "X-Many", "one", "X-Many", "two", "X-Empty", ""),
		"Latin-1 in a header":       post("text/plain", []byte("x"), "X-Latin", "caf\xe9"),
		"large":                     post("text/plain", bytes.Repeat([]byte("it's 'long' $x\n"), 20_000)),
		"leading dash and newlines": post("text/plain", []byte("-d x\n"), "X-Dash", "-H"),
	}
}

// check compares what came with what was captured: method, target, every captured header, body.
func check(t *testing.T, e capture.Exchange, got received, joined bool) {
	t.Helper()
	if got.Method != e.Method {
		t.Errorf("method %s, want %s", got.Method, e.Method)
	}
	want := "/stores/abc123xyz" + escapeTarget(e.Target)
	if normal(got.Target) != normal(want) {
		t.Errorf("target %s, want %s", got.Target, want)
	}
	if !bytes.Equal(got.Body, e.Request.Body) {
		t.Errorf("body %.300q, want %.300q", got.Body, e.Request.Body)
	}
	for name, values := range e.Request.Header {
		have := got.Header.Values(name)
		if joined {
			have, values = []string{strings.Join(have, ", ")}, []string{strings.Join(values, ", ")}
		}
		if diff := cmp.Diff(values, have); diff != "" {
			t.Errorf("header %s: %s", name, diff)
		}
	}
	if e.Request.Header.Get("Content-Type") == "" && got.Header.Get("Content-Type") != "" {
		t.Errorf("a Content-Type nobody sent: %q", got.Header.Get("Content-Type"))
	}
	if token := got.Header.Get("X-Auth-Token"); token != "from-the-environment" {
		t.Errorf("the token is %q", token)
	}
}

// normal evens out spellings that mean the same (RFC 3986, 6.2.2).
func normal(target string) string {
	return strings.NewReplacer("'", "%27", "[", "%5B", "]", "%5D", "$", "%24").Replace(target)
}

func run(t *testing.T, stdin string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Stdin = strings.NewReader(stdin)
	c.Env = append(os.Environ(), TokenVariable+"=from-the-environment", "HTTP_PROXY=", "http_proxy=")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed", program)
	}
}

func TestCurlSendsTheCapturedBytes(t *testing.T) { // I15
	need(t, "curl")
	for _, shell := range []string{"sh", "bash"} {
		for name, e := range cases() {
			t.Run(shell+"/"+name, func(t *testing.T) {
				need(t, shell)
				server, got := recorder(t)
				command := Curl(e, Options{API: server.URL})
				if redact.TerminalText(command) != command {
					t.Errorf("not fit for a terminal: %.200q", command)
				}
				run(t, command, shell, "-s")
				check(t, e, <-got, false)
			})
		}
	}
}

func TestFetchSendsTheCapturedBytes(t *testing.T) { // I15
	need(t, "node")
	server, got := recorder(t)
	dir, all := t.TempDir(), cases()
	delete(all, "dot segments") // URL parsers of browsers resolve them (URL Standard, 4.4)
	names := slices.Sorted(maps.Keys(all))
	program := ""
	for i, name := range names { // one Node for all: it starts slowly
		module := fmt.Sprintf("request%d.mjs", i)
		if err := os.WriteFile(filepath.Join(dir, module), []byte(Fetch(all[name], Options{API: server.URL})), 0o600); err != nil {
			t.Fatal(err)
		}
		program += fmt.Sprintf("await import(\"./%s\");\n", module)
	}
	main := filepath.Join(dir, "main.mjs")
	if err := os.WriteFile(main, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "", "node", main)
	for _, name := range names {
		t.Run(name, func(t *testing.T) { check(t, all[name], <-got, true) })
	}
}

func TestGoParsesAndIsFormatted(t *testing.T) { // I15
	for name, e := range cases() {
		program := Go(e, Options{})
		if _, err := parser.ParseFile(token.NewFileSet(), "main.go", program, parser.AllErrors); err != nil {
			t.Errorf("%s: %v\n%.500s", name, err, program)
		}
		if redact.TerminalText(program) != program {
			t.Errorf("%s: not fit for a terminal", name)
		}
	}
}

func TestGoSendsTheCapturedBytes(t *testing.T) { // I15
	server, got := recorder(t)
	dir := t.TempDir()
	all := cases()
	for _, name := range []string{"quotes and dollars", "NUL and every other byte"} { // each costs a build
		main := filepath.Join(dir, "main.go")
		if err := os.WriteFile(main, []byte(Go(all[name], Options{API: server.URL})), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, "", "go", "vet", main)
		run(t, "", "go", "run", main)
		check(t, all[name], <-got, false)
	}
}

func TestPHPSendsTheCapturedBytes(t *testing.T) {
	need(t, "php")
	for name, e := range cases() {
		t.Run(name, func(t *testing.T) {
			server, got := recorder(t)
			run(t, PHP(e, Options{API: server.URL}), "php")
			check(t, e, <-got, false)
		})
	}
}

// Without the interpreters, what can be held is that a string cannot be left from within.
func TestQuotedTextCannotBeLeft(t *testing.T) {
	for _, text := range []string{nasty, "'", `"`, `\`, `\'`, "$", "${x}", "‘", "\n", "\x00", "`", "a'; Remove-Item x; '", "\u2028"} {
		php := quotePHP(text)
		inner := strings.NewReplacer(`\\`, "", `\"`, "", `\$`, "").Replace(php[1 : len(php)-1])
		if strings.ContainsAny(inner, `"$`) || strings.HasSuffix(inner, `\`) {
			t.Errorf("PHP: %q", php)
		}
		ps := quotePowerShell(text)
		if body, quoted := strings.CutPrefix(ps, "'"); quoted {
			body = strings.TrimSuffix(body, "'")
			if strings.ReplaceAll(strings.ReplaceAll(body, "''", "\x01"), "\x01", "'") != text || strings.Contains(strings.ReplaceAll(body, "''", ""), "'") || strings.ContainsAny(body, "‘’‚‛") {
				t.Errorf("PowerShell: %q", ps)
			}
		} else if !strings.HasPrefix(ps, "[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('") {
			t.Errorf("PowerShell: %q", ps)
		}
	}
	if got, want := quotePHP("a\"$x\\\x00é\n"), `"a\"\$x\\\x00é\n"`; got != want {
		t.Errorf("PHP: %s, want %s", got, want)
	}
}

func TestPowerShellIsAsWritten(t *testing.T) {
	e := cases()["two values, one empty"]
	want := `$headers = @{
  'X-Auth-Token' = $env:BC_ACCESS_TOKEN
  'X-Empty' = ''
  'X-Many' = 'one, two'
}
Invoke-WebRequest -UseBasicParsing -Method 'POST' -Uri 'https://api.bigcommerce.com/stores/abc123xyz/v3/x?a=''b''&c=$HOME&d=%2F&e[]=%7B1,2%7D&f=%60id%60' -Headers $headers -ContentType ('text/plain') -UserAgent ('test/1') -Body ([Convert]::FromBase64String('eA=='))
`
	if diff := cmp.Diff(want, PowerShell(e, Options{})); diff != "" {
		t.Error(diff)
	}
}

func TestHTTPIsARequestThatParses(t *testing.T) {
	e := cases()["quotes and dollars"]
	text := HTTP(e, Options{})
	head, body, _ := strings.Cut(text, "\n\n")
	if body != nasty {
		t.Errorf("body %q", body)
	}
	lines := strings.Split(head, "\n")
	if lines[0] != "POST https://api.bigcommerce.com/stores/abc123xyz"+escapeTarget(e.Target)+" HTTP/1.1" || lines[1] != "X-Auth-Token: $BC_ACCESS_TOKEN" {
		t.Errorf("begins with %q", lines[:2])
	}
}

func TestRequestsGoWhereTheyBelong(t *testing.T) {
	for _, c := range []struct {
		name string
		e    capture.Exchange
		o    Options
		want string
	}{
		{"an API call of the current store", capture.Exchange{Door: capture.API, Kind: capture.Call, Store: "abc", Target: "/v3/x?y=1"}, Options{}, "https://api.bigcommerce.com/stores/abc/v3/x?y=1"},
		{"an API call that names its store", capture.Exchange{Door: capture.API, Kind: capture.Call, Store: "abc", Target: "/stores/abc/v2/x"}, Options{}, "https://api.bigcommerce.com/stores/abc/v2/x"},
		{"through the door", capture.Exchange{Door: capture.API, Kind: capture.Call, Store: "abc", Target: "/v3/x"}, Options{ViaDoor: true}, "http://127.0.0.1:7070/v3/x"},
		{"an exchange", capture.Exchange{Door: capture.API, Kind: capture.Token, Target: "/oauth2/token"}, Options{}, "https://login.bigcommerce.com/oauth2/token"},
		{"the storefront's API", capture.Exchange{Door: capture.API, Kind: capture.Call, Store: "abc", Target: "/storefront/graphql"}, Options{}, "http://127.0.0.1:7070/storefront/graphql"},
		{"a webhook to the app", capture.Exchange{Door: capture.Public, Kind: capture.Hook, Target: "/webhooks", Host: "you.ngrok.app"}, Options{App: "http://localhost:3000/"}, "http://localhost:3000/webhooks"},
		{"a webhook without an app", capture.Exchange{Door: capture.Public, Kind: capture.Hook, Target: "/webhooks", Host: "you.ngrok.app"}, Options{}, "https://you.ngrok.app/webhooks"},
		{"a replay to an app of another place", capture.Exchange{Door: capture.Local, Kind: capture.Hook, Target: "/webhooks", Host: "127.0.0.1:4000"}, Options{}, "http://127.0.0.1:4000/webhooks"},
		{"absolute form", capture.Exchange{Door: capture.API, Kind: capture.Call, Target: "https://api.bigcommerce.com/stores/a/v3/x"}, Options{}, "https://api.bigcommerce.com/stores/a/v3/x"},
		{"a target in another's words", capture.Exchange{Door: capture.API, Kind: capture.Call, Store: "a", Target: "/v3/\r\nX: y\" z"}, Options{}, "https://api.bigcommerce.com/stores/a/v3/%0D%0AX:%20y%22%20z"},
	} {
		if got := newRequest(c.e, c.o).url; got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

const (
	secretToken = "q7w2e9r4t1y6u3i8o5p06oyh"
	secretCode  = "d3mb7lnt511jb1zl3o833ojeuy8f9r8"
	secretJWT   = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzIn0.c2lnbmF0dXJl"
	secretApp   = "client-secret-of-the-app"
	secretID    = "session-cookie-value"
)

// secretive is a journal as it would be if nothing had been masked.
func secretive() []capture.Exchange {
	jar := http.Header{"Cookie": {"sid=" + secretID}, "X-Auth-Token": {secretToken}, "Authorization": {"Bearer " + secretToken}, "Content-Type": {"application/json"}}
	out := http.Header{"Set-Cookie": {"sid=" + secretID}, "Location": {"/welcome?access_token=" + secretToken}, "Content-Type": {"application/json"}}
	return []capture.Exchange{
		{ID: 1, Door: capture.Public, Kind: capture.Auth, Method: "GET", Target: "/auth?code=" + secretCode + "&context=stores%2Fa", Status: 302, Request: capture.Message{Header: jar}, Response: capture.Message{Header: out}},
		{ID: 2, Door: capture.Public, Kind: capture.Load, Method: "GET", Target: "/load?signed_payload_jwt=" + secretJWT, Status: 200, Request: capture.Message{Header: jar}},
		{ID: 3, Door: capture.API, Kind: capture.Call, Store: "abc", Method: "GET", Target: "/v3/x", Status: 200, Request: capture.Message{Header: jar}, Response: capture.Message{Header: out, Body: []byte(`{}`), Size: 2}},
		{ID: 4, Door: capture.API, Kind: capture.Token, Method: "POST", Target: "/oauth2/token", Status: 200,
			Request:  capture.Message{Header: jar, Body: []byte(`{"client_secret":"` + secretApp + `","code":"` + secretCode + `"}`)},
			Response: capture.Message{Header: out, Body: []byte(`{"access_token":"` + secretToken + `"}`)}},
	}
}

func TestNothingThatLeavesHoldsASecret(t *testing.T) { // I16, I17
	all := secretive()
	texts := map[string]string{}
	har, err := HAR(all, Options{})
	if err != nil {
		t.Fatal(err)
	}
	collection, environment, err := Postman(all, Options{})
	if err != nil {
		t.Fatal(err)
	}
	texts["HAR"], texts["Postman collection"], texts["Postman environment"] = string(har), string(collection), string(environment)
	for name, write := range writers() {
		for _, e := range all {
			texts[fmt.Sprintf("%s of #%d", name, e.ID)] = write(e, Options{})
		}
	}
	for name, text := range texts {
		for _, secret := range []string{secretToken, secretCode, secretJWT, secretApp, secretID, "Cookie:", `"Cookie"`, `"Set-Cookie"`} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %q:\n%.800s", name, secret, text)
			}
		}
	}
}

func writers() map[string]func(capture.Exchange, Options) string {
	return map[string]func(capture.Exchange, Options) string{
		"curl": Curl, "HTTP": HTTP, "fetch": Fetch, "Go": Go, "PHP": PHP, "PowerShell": PowerShell,
	}
}

func TestTheTokenIsAPlaceholderUnlessAskedFor(t *testing.T) { // I16
	e := secretive()[2]
	secrets := Options{WithSecrets: func(store string) string { return secretToken + "-of-" + store }}
	for name, write := range writers() {
		if text := write(e, Options{}); !strings.Contains(text, TokenVariable) {
			t.Errorf("%s has no placeholder:\n%s", name, text)
		}
		if text := write(e, secrets); !strings.Contains(text, secretToken+"-of-abc") || strings.Contains(text, TokenVariable) {
			t.Errorf("%s with secrets:\n%s", name, text)
		}
		if text := write(e, Options{ViaDoor: true, WithSecrets: secrets.WithSecrets}); strings.Contains(text, "X-Auth-Token") {
			t.Errorf("%s through the door brings a token:\n%s", name, text)
		}
	}
	if har, _ := HAR([]capture.Exchange{e}, secrets); !bytes.Contains(har, []byte(secretToken+"-of-abc")) {
		t.Error("the HAR with secrets has no token")
	}
	if collection, _, _ := Postman([]capture.Exchange{e}, secrets); bytes.Contains(collection, []byte(secretToken)) {
		t.Error("the collection has a token")
	}
}

func TestWhatIsLeftOutIsSaid(t *testing.T) {
	e := secretive()[2]
	e.Request.Truncated = true
	text := Curl(e, Options{})
	for _, want := range []string{"# left out because it is secret: Authorization\n", "# the body was not kept whole\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestPostmanIsACollectionWithTheDoorAsVariable(t *testing.T) {
	all := []capture.Exchange{cases()["PUT JSON"], {ID: 9, Door: capture.Public, Kind: capture.Hook, Topic: "store/order/created", Method: "POST", Target: "/webhooks",
		Request: capture.Message{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"scope":"store/order/created"}`)}, Status: 200}}
	collection, environment, err := Postman(all, Options{Door: "http://127.0.0.1:9999"})
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Info struct{ Name, Schema string }
		Item []struct {
			Name string
			Item []struct {
				Request struct {
					Method string
					URL    struct {
						Raw   string
						Host  []string
						Path  []string
						Query []postmanVar
					}
					Header []postmanVar
					Body   struct{ Mode, Raw string }
				}
				Response []json.RawMessage
			}
		}
		Variable []postmanVar
	}
	if err := json.Unmarshal(collection, &c); err != nil {
		t.Fatal(err)
	}
	if c.Info.Schema != postmanSchema || len(c.Item) != 2 || !slices.Contains(c.Variable, postmanVar{"base_url", "http://127.0.0.1:9999"}) {
		t.Fatalf("collection: %s", collection)
	}
	hook := c.Item[0].Item[0].Request
	if c.Item[0].Name != "webhooks" || hook.URL.Raw != "{{app_url}}/webhooks" || hook.Body.Raw != `{"scope":"store/order/created"}` {
		t.Errorf("webhook: %+v", hook)
	}
	call := c.Item[1].Item[0].Request
	if c.Item[1].Name != "API, store abc123xyz" || call.Method != http.MethodPut || call.Body.Raw != `{"a":1}` || call.Body.Mode != "raw" ||
		!strings.HasPrefix(call.URL.Raw, "{{base_url}}/stores/abc123xyz/v3/x?a='b'&") ||
		!slices.Equal(call.URL.Path, []string{"stores", "abc123xyz", "v3", "x"}) || len(call.URL.Query) != 5 {
		t.Errorf("call: %+v", call)
	}
	if !bytes.Contains(environment, []byte(`"key": "base_url"`)) || !bytes.Contains(environment, []byte(`"_postman_variable_scope": "environment"`)) {
		t.Errorf("environment: %s", environment)
	}
}
