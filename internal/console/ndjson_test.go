package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
)

func speakJSON(o *Options) { o.JSON = true }

// The promised members come first and in this order; a line may go on behind them.
func TestNDJSONIsToTheLetter(t *testing.T) {
	e, in := install(t)
	h, w := hook()
	for _, c := range []struct {
		name string
		say  func(*Console)
		want string
	}{
		{"ready", func(c *Console) { c.Ready(ready()) },
			`{"v":1,"event":"ready","public_url":"https://you.ngrok-free.app","proxy_url":"http://127.0.0.1:7070","inspector_url":"http://127.0.0.1:7071/?key=k3y&x=1","forward_url":"","tunnel_listen":"","callbacks":{"auth":"https://you.ngrok-free.app/auth","load":"https://you.ngrok-free.app/load","uninstall":"https://you.ngrok-free.app/uninstall","remove_user":"https://you.ngrok-free.app/remove_user","webhooks":"https://you.ngrok-free.app/webhooks"}`},
		{"the sandbox's ready", func(c *Console) { c.SandboxReady(SandboxReady{LoginURL: "l", APIURL: "a", ClientSecret: "s"}) },
			`{"v":1,"event":"ready","login_url":"l","api_url":"a","edge_addr":"","edge_ca":"","control_url":"","client_id":"","client_secret":"s","authtoken":"","store":""}` + "\n"},
		{"callback", func(c *Console) { c.Callback(e, in, nil, nil) },
			`{"v":1,"event":"callback","id":17,"kind":"auth","store":"nffse6w1bi","code":"d3mb7lnt511jb1zl3o833ojeuy8f9r8","context":"stores/nffse6w1bi","scope":["store_v2_content","store_v2_customers","store_v2_customers_login","store_v2_default","store_v2_information_read_only","store_v2_marketing","store_v2_orders","store_v2_products","users_basic_information"]`},
		{"a callback of a signed payload", func(c *Console) {
			c.Lifecycle(capture.Exchange{ID: 21, Kind: capture.Load}, payload(), nil)
		}, `{"v":1,"event":"callback","id":21,"kind":"load","store":"abc123xyz","valid":true,"user":{"id":1001,"email":"merchant@example.com","locale":"en-US"}`},
		{"grant", func(c *Console) { c.Granted(e, grant(), "keyring", false) },
			`{"v":1,"event":"grant","id":17,"store":"abc123xyz","scope":["store_v2_products","store_v2_default"],"user":{"id":1,"email":"merchant@example.com","username":"merchant"},"token":"••••6oyh"`},
		{"a grant without scopes has an empty list", func(c *Console) { c.Granted(e, bigcommerce.Grant{}, "", false) },
			`{"v":1,"event":"grant","id":17,"store":"","scope":[],"user":{"id":0,"email":""},"token":""`},
		{"exchange", func(c *Console) { c.Exchange(apiCall()) },
			`{"v":1,"event":"exchange","id":18,"door":"api","method":"GET","path":"/v3/catalog/products","store":"abc123xyz","status":200,"ms":41,"hint":""`},
		{"exchange by its full path", func(c *Console) {
			e := apiCall()
			e.Target = "/stores/abc123xyz/v3/catalog/products"
			c.Exchange(e)
		}, `{"v":1,"event":"exchange","id":18,"door":"api","method":"GET","path":"/v3/catalog/products","store":"abc123xyz","status":200,"ms":41,"hint":""`},
		{"webhook", func(c *Console) { c.Webhook(h, w, nil) },
			`{"v":1,"event":"webhook","id":19,"scope":"store/order/created","store":"abc123xyz","signature":"valid"`},
		{"webhook without a signature", func(c *Console) { c.Webhook(h, w, &bigcommerce.SignatureError{Cause: "absent"}) },
			`{"v":1,"event":"webhook","id":19,"scope":"store/order/created","store":"abc123xyz","signature":"absent"`},
		{"webhook with a wrong signature", func(c *Console) { c.Webhook(h, w, &bigcommerce.SignatureError{Cause: "too_old"}) },
			`{"v":1,"event":"webhook","id":19,"scope":"store/order/created","store":"abc123xyz","signature":"invalid"`},
		{"delivery", func(c *Console) { c.Delivery(delivery(200)) },
			`{"v":1,"event":"delivery","id":20,"of":19,"status":200,"ms":12,"verdict":"same","error":""`},
		{"replay", func(c *Console) { c.Replay(Replayed{Exchange: delivery(0)}) },
			`{"v":1,"event":"delivery","id":20,"of":19,"status":0,"ms":12,"verdict":"failing","error":"connect: connection refused"`},
		{"link", func(c *Console) { c.Link("up", noon, "") },
			`{"v":1,"event":"link","state":"up","since":"2026-11-22T21:00:00Z"`},
		{"problem", func(c *Console) { c.Problem("exchange_refused", helpful{"no", "yes"}) },
			`{"v":1,"event":"problem","code":"exchange_refused","message":"no","hint":"yes"}` + "\n"},
		{"a refused exchange", func(c *Console) { c.Refused(e, &bigcommerce.ExchangeError{Code: "invalid_grant", Text: "spent"}) },
			`{"v":1,"event":"problem","code":"exchange_refused","message":"`},
		{"summary", func(c *Console) { c.Summary(true, map[string]bool{"replay": true, "tunnel": true}) },
			`{"v":1,"event":"summary","ok":true,"steps":{"tunnel":true,"callback":false,"exchange":false,"proxy":false,"webhook":false,"replay":true}}` + "\n"},
		{"fields of the caller's own", func(c *Console) { c.JSONLine("x", map[string]int{"a": 1}) }, `{"v":1,"event":"x","a":1}` + "\n"},
		{"no fields", func(c *Console) { c.JSONLine("x", nil) }, `{"v":1,"event":"x"}` + "\n"},
		{"empty fields", func(c *Console) { c.JSONLine("x", struct{}{}) }, `{"v":1,"event":"x"}` + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScreen(speakJSON)
			c.say(s.Console)
			if got := s.out.String(); !strings.HasPrefix(got, c.want) {
				t.Errorf("got\n%s\nwant it to begin with\n%s", got, c.want)
			}
			if s.err.Len() > 0 {
				t.Errorf("standard error: %s", s.err)
			}
		})
	}
}

func TestJSONModeIsNDJSONAndNothingElse(t *testing.T) {
	s := newScreen(func(o *Options) { o.JSON, o.Color, o.Width = true, true, 40 })
	everything(t, s.Console)
	s.Notef("aside")
	d := json.NewDecoder(bytes.NewReader(s.out.Bytes()))
	lines := strings.Count(s.out.String(), "\n")
	for n := range lines {
		var line map[string]any
		if err := d.Decode(&line); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		if line["v"] != 1.0 || line["event"] == "" {
			t.Errorf("line %d has no v or event: %v", n, line)
		}
	}
	if d.More() {
		t.Error("more values than lines")
	}
	if !strings.Contains(s.err.String(), "bcdev: aside") {
		t.Errorf("the note is not on standard error: %q", s.err)
	}
}

func TestShowInJSONHasTheWholeExchange(t *testing.T) {
	s := newScreen(speakJSON)
	e := apiCall()
	e.Response.Body, e.Response.Truncated, e.Response.Size = []byte{0xff, 0}, true, 9000
	s.Show(e, ShowOptions{})
	var got struct {
		ID       int
		Kind     string
		Query    string
		Request  struct{ Headers http.Header }
		Response struct {
			Body, Encoding string
			Size           int
			Truncated      bool
		}
	}
	if err := json.Unmarshal(s.out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != 18 || got.Kind != "api" || got.Query != "include=images,variants" || got.Request.Headers.Get("Accept") != "application/json" {
		t.Errorf("request: %+v", got)
	}
	if r := got.Response; r.Body != "/wA=" || r.Encoding != "base64" || r.Size != 9000 || !r.Truncated {
		t.Errorf("response: %+v", r)
	}
}

func TestShownInstallHasItsCodeAndNoSignedPayload(t *testing.T) {
	e, _ := install(t)
	load := capture.Exchange{ID: 1, Door: capture.Public, Kind: capture.Load, Method: "GET", Target: "/load?signed_payload_jwt=eyJh.eyJz.c2ln"}
	for _, speaksJSON := range []bool{false, true} {
		s := newScreen(func(o *Options) { o.JSON = speaksJSON })
		s.Show(e, ShowOptions{})
		if !strings.Contains(s.out.String(), "d3mb7lnt511jb1zl3o833ojeuy8f9r8") {
			t.Errorf("the code is not shown: %s", s.out)
		}
		s.Show(load, ShowOptions{Headers: true})
		s.List([]capture.Exchange{load})
		s.Exchange(load)
		if strings.Contains(s.out.String(), "eyJ") {
			t.Errorf("the payload is shown: %s", s.out)
		}
	}
}

func TestATokenIsNeverShown(t *testing.T) {
	for _, speaksJSON := range []bool{false, true} {
		s := newScreen(func(o *Options) { o.JSON, o.Verbose = speaksJSON, true })
		everything(t, s.Console)
		if all := s.out.String() + s.err.String(); strings.Contains(all, "q7w2e9r4") {
			t.Error("the token is on the screen")
		} else if !strings.Contains(all, "••••6oyh") {
			t.Error("the token's tail is not")
		}
	}
}

type brokenPipe struct{ writes int }

func (b *brokenPipe) Write([]byte) (int, error) { b.writes++; return 0, syscall.EPIPE }

func TestABrokenPipeIsRememberedAndNothingFollows(t *testing.T) {
	pipe := &brokenPipe{}
	c := New(Options{Out: pipe, Err: io.Discard})
	if c.Err() != nil {
		t.Fatal("an error before the first write")
	}
	c.Exchange(apiCall())
	c.Exchange(apiCall())
	c.Print("x")
	if !errors.Is(c.Err(), syscall.EPIPE) || pipe.writes != 1 {
		t.Errorf("error %v after %d writes", c.Err(), pipe.writes)
	}
}

// counter counts writes and notes whether each was whole lines.
type counter struct {
	writes, torn int
}

func (w *counter) Write(p []byte) (int, error) {
	w.writes++
	if !bytes.HasSuffix(p, []byte("\n")) {
		w.torn++
	}
	return len(p), nil
}

func TestEveryEventIsOneWriteAlsoFromManySides(t *testing.T) {
	for _, speaksJSON := range []bool{false, true} {
		w := &counter{}
		c := New(Options{Out: w, Err: io.Discard, JSON: speaksJSON, Color: true})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 20 {
					c.Exchange(apiCall())
					c.Link("up", time.Now(), "")
				}
			})
		}
		all.Wait()
		if w.writes != 320 || w.torn != 0 {
			t.Errorf("%d writes, %d of them torn", w.writes, w.torn)
		}
	}
}

func TestLinesStayTheSameJSONWhenMadeVisible(t *testing.T) {
	for _, text := range []string{"plain", "<&>", "\x1b]0;x\a", "\u009b31m", "a\u202eb\u200bc", "\U000e0041", "\U0001f600", "\u2028", "é漢", "\x7f", "\\u0041", "bad \xff"} {
		line, err := encode(map[string]string{"t": text})
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if diff := cmp.Diff(strings.ToValidUTF8(text, "\ufffd"), got["t"]); diff != "" {
			t.Errorf("%q changed: %s", text, diff)
		}
		if escape(string(line)) != string(line) {
			t.Errorf("%q is not fit for a terminal: %q", text, line)
		}
	}
}
