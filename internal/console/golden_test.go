package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
)

var update = flag.Bool("update", false, "write the golden files anew")

// noon is when everything in these tests happens.
var noon = time.Date(2026, 11, 22, 21, 0, 0, 0, time.UTC)

type screen struct {
	*Console
	out, err *bytes.Buffer
}

func newScreen(change func(*Options)) screen {
	s := screen{out: new(bytes.Buffer), err: new(bytes.Buffer)}
	o := Options{Out: s.out, Err: s.err, Location: time.UTC, Now: func() time.Time { return noon.Add(2 * time.Second) }}
	if change != nil {
		change(&o)
	}
	s.Console = New(o)
	return s
}

const theCallback = "/?code=d3mb7lnt511jb1zl3o833ojeuy8f9r8&context=stores%2Fnffse6w1bi&scope=store_v2_content+store_v2_customers+store_v2_customers_login+store_v2_default+store_v2_information_read_only+store_v2_marketing+store_v2_orders+store_v2_products+users_basic_information"

func install(t *testing.T) (capture.Exchange, bigcommerce.Install) {
	t.Helper()
	in, err := bigcommerce.ParseInstall(theCallback[2:])
	if err != nil {
		t.Fatal(err)
	}
	return capture.Exchange{ID: 17, Door: capture.Public, Kind: capture.Auth, At: noon, Method: "GET",
		Target: theCallback, Store: in.Store, Proto: "HTTP/1.1"}, in
}

func apiCall() capture.Exchange {
	return capture.Exchange{
		ID: 18, Door: capture.API, Kind: capture.Call, At: noon.Add(time.Second), Took: 41 * time.Millisecond,
		First: 40 * time.Millisecond, Method: "GET", Host: "127.0.0.1:7070", Proto: "HTTP/1.1",
		Target: "/v3/catalog/products?include=images,variants", Store: "abc123xyz", Status: 200,
		Request: capture.Message{Header: http.Header{"Accept": {"application/json"}, "Accept-Encoding": {"gzip"}}},
		Response: capture.Message{
			Header: http.Header{"Content-Type": {"application/json"}, "X-Rate-Limit-Requests-Left": {"148"},
				"X-Rate-Limit-Requests-Quota": {"150"}, "X-Rate-Limit-Time-Window-Ms": {"30000"},
				"X-Rate-Limit-Time-Reset-Ms": {"12000"}, "Date": {"Sun, 22 Nov 2026 21:00:01 GMT"}},
			Body: []byte(`{"data":[{"id":12345678901234567890,"name":"Smith Journal","price":9.90,"price":10.0,"tags":[],"on":true}],"meta":{}}`),
			Size: 113, SHA256: "00",
		},
	}
}

func hook() (capture.Exchange, bigcommerce.Webhook) {
	body := []byte(`{"scope":"store/order/created","store_id":"1025646","data":{"type":"order","id":118},"hash":"3f9ea420","created_at":1795381198,"producer":"stores/abc123xyz"}`)
	w, err := bigcommerce.ParseWebhook(body)
	if err != nil {
		panic(err)
	}
	return capture.Exchange{ID: 19, Door: capture.Public, Kind: capture.Hook, Topic: w.Scope, Store: w.Store, At: noon,
		Method: "POST", Target: "/webhooks", Status: 200, Proto: "HTTP/1.1", Took: 3 * time.Millisecond,
		Request: capture.Message{Header: http.Header{"Content-Type": {"application/json"}}, Body: body, Size: int64(len(body))}}, w
}

func delivery(status int) capture.Exchange {
	e := capture.Exchange{ID: 20, Door: capture.Local, Kind: capture.Hook, Topic: "store/order/created", Of: 19, Via: "queue",
		At: noon.Add(time.Second), Method: "POST", Target: "/webhooks", Status: status, Took: 12 * time.Millisecond, Verdict: "same"}
	if status >= 400 {
		e.Verdict = "regressed"
		e.Response = capture.Message{Body: []byte("TypeError: boom\n    at handler (app.js:7)\n"), Size: 42}
		e.Hint = "the app's own log has more"
	}
	if status == 0 {
		e.Verdict, e.Err = "failing", "connect: connection refused"
	}
	return e
}

func ready() Ready {
	base := "https://you.ngrok-free.app"
	return Ready{
		PublicURL: base, ProxyURL: "http://127.0.0.1:7070", InspectorURL: "http://127.0.0.1:7071/?key=k3y&x=1",
		Callbacks: map[string]string{"auth": base + "/auth", "load": base + "/load", "uninstall": base + "/uninstall",
			"remove_user": base + "/remove_user", "webhooks": base + "/webhooks"},
		Forward: "http://localhost:3000", Stores: []string{"dev", "nffse6w1bi"}, VaultWhere: "the keyring of this machine",
		JournalPath: "/home/dev/.local/state/bcdev/journal.db", StateDir: "/home/dev/.local/state/bcdev", Provider: "ngrok",
		Next: []string{"install the app at the address above", "curl http://127.0.0.1:7070/v3/catalog/products"},
	}
}

func payload() bigcommerce.Payload {
	channel := int64(1)
	return bigcommerce.Payload{
		Store: "abc123xyz", User: bigcommerce.User{ID: 1001, Email: "merchant@example.com", Locale: "en-US"},
		Owner: bigcommerce.User{ID: 1000, Email: "owner@example.com"}, URL: "/", ChannelID: &channel,
		IssuedAt: noon.Add(-time.Second), NotBefore: noon.Add(-6 * time.Second), ExpiresAt: noon.Add(24 * time.Hour),
	}
}

func grant() bigcommerce.Grant {
	return bigcommerce.Grant{
		Store: "abc123xyz", Context: "stores/abc123xyz", Scopes: []string{"store_v2_products", "store_v2_default"},
		User:  bigcommerce.User{ID: 1, Username: "merchant", Email: "merchant@example.com"},
		Owner: bigcommerce.User{ID: 2, Email: "owner@example.com"}, Token: "q7w2e9r4t1y6u3i8o5p06oyh",
	}
}

type helpful struct{ text, hint string }

func (h helpful) Error() string { return h.text }
func (h helpful) Hint() string  { return h.hint }

// everything makes the console say all it can say.
func everything(t *testing.T, c *Console) {
	t.Helper()
	e, in := install(t)
	c.Ready(ready())
	c.SandboxReady(SandboxReady{LoginURL: "http://127.0.0.1:7080", APIURL: "http://127.0.0.1:7080", EdgeAddr: "127.0.0.1:7081",
		EdgeCA: "/tmp/ca.pem", ControlURL: "http://127.0.0.1:7080/control", ClientID: "cid", ClientSecret: "sandbox-secret",
		Authtoken: "sandbox-token", Store: "abc123xyz", EnvLines: []string{"export BC_CLIENT_ID='cid'", "bcdev up"}})
	c.Callback(e, in, []string{"store_v2_carts"}, []string{"store_v2_content"})
	c.Granted(e, grant(), "the keyring of this machine", false)
	c.Refused(e, &bigcommerce.ExchangeError{Code: "invalid_grant", Status: 400, Text: "the code is spent", Next: "install again"})
	load := capture.Exchange{ID: 21, Door: capture.Public, Kind: capture.Load, At: noon, Store: "abc123xyz"}
	c.Lifecycle(load, payload(), nil)
	c.Lifecycle(load, payload(), helpful{"the signature does not fit", "is it this app's client secret?"})
	c.Exchange(apiCall())
	failed := apiCall()
	failed.Status, failed.Hint = 403, "the token lacks a scope"
	c.Exchange(failed)
	h, w := hook()
	c.Webhook(h, w, nil)
	h.Marks = []string{"duplicate"}
	c.Webhook(h, w, &bigcommerce.SignatureError{Cause: "mismatch", Text: "the signature does not fit", Next: "check the secret"})
	for _, status := range []int{200, 500, 0} {
		c.Delivery(delivery(status))
	}
	c.Link("up", noon, "")
	c.Link("down", noon.Add(-41*time.Minute), "the edge does not answer; reconnecting")
	c.App(false, noon.Add(-time.Minute), 6)
	c.App(true, noon, 6)
	c.Quota("abc123xyz", 12, 150, 9*time.Second)
	c.Problem("exchange_refused", helpful{"the exchange was refused", "install again"})
	c.Replay(Replayed{Exchange: delivery(200), Resigned: []string{"webhook-signature"}, Differences: []string{"webhook-timestamp: now"}, Diff: "@@ -1 +1 @@\n-old\n+new\n"})
	c.Replay(Replayed{DryRun: true, Sent: []byte("POST /webhooks HTTP/1.1\r\nHost: localhost\r\n\r\n{}")})
	c.Step(1, "the tunnel is open", true, "what comes to the public address arrives here, in this program, and nowhere else")
	c.Next([]string{"bcdev list"})
	c.Summary(true, map[string]bool{"tunnel": true, "callback": true, "exchange": true, "proxy": true, "webhook": true, "replay": true})
	c.Summary(false, map[string]bool{"tunnel": true})
	c.List([]capture.Exchange{h, apiCall(), e, delivery(0)})
	c.Stores([]StoreRow{{Hash: "abc123xyz", Alias: "dev", Scopes: []string{"store_v2_products"}, User: "merchant@example.com",
		At: noon, Where: "keyring", Token: "q7w2e9r4t1y6u3i8o5p06oyh", Current: true}, {Hash: "zzz"}})
	c.Table([]string{"scope", "means"}, [][]string{{"store_v2_products", "Products"}, {"x", ""}})
	e.Detail = json.RawMessage(`{"context":"stores/nffse6w1bi","missing":["store_v2_carts"],"user":{"id":1,"email":"m@example.com"}}`)
	c.Show(e, ShowOptions{})
	c.Show(h, ShowOptions{Headers: true})
	c.Show(apiCall(), ShowOptions{})
	load.Detail = json.RawMessage(`{"store":"abc123xyz","user":{"id":1001},"claims":{"sub":"stores/abc123xyz"},"problem":{"code":"expired","text":"it has expired","hint":"open it anew"}}`)
	c.Show(load, ShowOptions{})
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs (-want +got), run with -update to accept:\n%s", path, diff)
	}
}

func TestHumanOutputIsAsDrawn(t *testing.T) {
	for _, c := range []struct {
		file   string
		change func(*Options)
	}{
		{"plain.golden", nil},
		{"color.golden", func(o *Options) { o.Color, o.Width = true, 100 }},
		{"ascii-60.golden", func(o *Options) { o.ASCII, o.Width = true, 60 }},
	} {
		t.Run(c.file, func(t *testing.T) {
			s := newScreen(c.change)
			everything(t, s.Console)
			golden(t, c.file, s.out.String()+"--- standard error\n"+s.err.String())
		})
	}
}

var colourCode = regexp.MustCompile(`\x1b\[[0-9;]*m`)

func TestColourAddsNothingButColour(t *testing.T) {
	bare, coloured := newScreen(nil), newScreen(func(o *Options) { o.Color = true })
	everything(t, bare.Console)
	everything(t, coloured.Console)
	if strings.Contains(bare.out.String(), "\x1b") {
		t.Error("plain output has escape sequences")
	}
	if !strings.Contains(coloured.out.String(), "\x1b[") {
		t.Error("coloured output has no colour")
	}
	if diff := cmp.Diff(bare.out.String(), colourCode.ReplaceAllString(coloured.out.String(), "")); diff != "" {
		t.Errorf("without its colours the coloured output is not the plain one:\n%s", diff)
	}
}

func TestASCIIOutputIsASCII(t *testing.T) {
	s := newScreen(func(o *Options) { o.ASCII = true })
	everything(t, s.Console)
	for n, r := range s.out.String() {
		if r > 0x7e || r < 0x20 && r != '\n' {
			t.Fatalf("%q at %d: %q", r, n, s.out.String()[max(0, n-40):n+5])
		}
	}
}

func TestAnyWidthIsFine(t *testing.T) {
	for width := range 30 { // K04: one column wide
		s := newScreen(func(o *Options) { o.Width, o.Color, o.Verbose = width, width%2 == 0, true })
		everything(t, s.Console)
		if s.out.Len() == 0 || s.Err() != nil {
			t.Errorf("width %d: %d bytes, %v", width, s.out.Len(), s.Err())
		}
	}
}

func TestAnEmptyWorldIsFine(t *testing.T) {
	for _, speaksJSON := range []bool{false, true} {
		s := newScreen(func(o *Options) { o.JSON = speaksJSON })
		s.Ready(Ready{})
		s.SandboxReady(SandboxReady{})
		s.Callback(capture.Exchange{}, bigcommerce.Install{}, nil, nil)
		s.Lifecycle(capture.Exchange{}, bigcommerce.Payload{}, errors.New("nothing"))
		s.Granted(capture.Exchange{}, bigcommerce.Grant{}, "", true)
		s.Refused(capture.Exchange{}, nil)
		s.Exchange(capture.Exchange{})
		s.Webhook(capture.Exchange{}, bigcommerce.Webhook{}, errors.New("nothing"))
		s.Delivery(capture.Exchange{})
		s.Link("", time.Time{}, "")
		s.Problem("x", nil)
		s.Summary(false, nil)
		s.List(nil)
		s.Stores(nil)
		s.Table(nil, [][]string{{"a"}, nil, {"b", "c"}})
		s.Show(capture.Exchange{}, ShowOptions{})
		s.Show(capture.Exchange{}, ShowOptions{Raw: true})
		s.Replay(Replayed{})
		s.Print("")
		s.Notef("")
	}
	New(Options{}).Ready(ready())
}
