package tunnel_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bcdev/internal/edge"
	"bcdev/tunnel"
)

const promptly = 3 * time.Second // for a refusal

func TestARefusalComesAtOnceWithItsCodeASentenceAndWhatToDo(t *testing.T) {
	auth := func(code, message string) edge.Options {
		return edge.Options{RefuseAuth: func(edge.AuthRecord) *edge.Refusal { return &edge.Refusal{Code: code, Message: message} }}
	}
	bind := func(code, message string) edge.Options {
		return edge.Options{RefuseBind: func(edge.BindRecord) *edge.Refusal { return &edge.Refusal{Code: code, Message: message} }}
	}
	cases := []struct {
		name   string
		edge   edge.Options
		url    string
		policy string
		code   string
		text   string
		auths  int
	}{
		{name: "bad token", edge: edge.Options{Tokens: []string{"another"}}, code: "ERR_NGROK_107", text: "does not know this authtoken", auths: 1},
		{name: "suspended account", edge: auth("ERR_NGROK_103", "Your account is suspended, "+token), code: "ERR_NGROK_103", text: "suspended", auths: 1},
		{name: "too many agents", edge: auth("ERR_NGROK_108", "limited to 3"), code: "ERR_NGROK_108", text: "too many agents", auths: 1},
		{name: "address of the machine not allowed", edge: auth("ERR_NGROK_115", "IP 10.0.0.1 is not allowed"), code: "ERR_NGROK_115", text: "IP 10.0.0.1 is not allowed", auths: 1},
		{name: "old library", edge: auth("ERR_NGROK_121", "too old"), code: "ERR_NGROK_121", text: "library", auths: 1},
		{name: "a code we have no words for", edge: auth("ERR_NGROK_9999", "The moon is\x1b[31m full."), code: "ERR_NGROK_9999", text: "ngrok refused: The moon is[31m full", auths: 1},
		{name: "name of nobody", url: "https://mine.localhost", code: "ERR_NGROK_319", text: "not reserved", auths: 1},
		{name: "name of somebody else", edge: edge.Options{Reserved: map[string]string{"theirs": "another"}}, url: "https://theirs.localhost", code: "ERR_NGROK_320", text: "another ngrok account", auths: 1},
		{name: "name already online", edge: bind("ERR_NGROK_334", "The endpoint is already online."), code: "ERR_NGROK_334", text: "already online", auths: 1},
		{name: "too many endpoints", edge: bind("ERR_NGROK_324", "too many"), code: "ERR_NGROK_324", text: "too many endpoints", auths: 1},
		{name: "bad policy", policy: "{on_http_request", code: "ERR_NGROK_2201", text: "not valid JSON", auths: 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := startEdge(t, c.edge)
			o := optionsFor(e)
			o.URL, o.TrafficPolicy = c.url, c.policy
			var err error
			took(t, "the refusal", promptly, func() { _, err = tunnel.Open(context.Background(), o) })
			got := problem(t, err)
			if got.Code != c.code || !strings.Contains(got.Error(), c.text) || !strings.Contains(got.Error(), c.code) {
				t.Errorf("got %q with code %q, want %q and %s", got, got.Code, c.text, c.code)
			}
			if strings.ContainsAny(got.Error(), "\r\n\x1b") {
				t.Errorf("%q is not one clean line", got.Error())
			}
			if n := len(e.Auths()); n != c.auths {
				t.Errorf("the edge was asked %d times, want %d", n, c.auths)
			}
		})
	}
}

func TestANameThatIsTakenIsTheSecondOnesProblem(t *testing.T) {
	e := startEdge(t, edge.Options{Reserved: map[string]string{"shop": token}})
	o := optionsFor(e)
	o.URL = "shop.localhost"
	first := open(t, o)
	if want := e.PublicURL("shop"); first.URL() != want {
		t.Errorf("URL is %s, want %s", first.URL(), want)
	}
	var err error
	took(t, "the refusal", promptly, func() { _, err = tunnel.Open(context.Background(), o) })
	if got := problem(t, err); got.Code != "ERR_NGROK_334" {
		t.Errorf("got %v", got)
	}
	if s, _ := first.State(); s != tunnel.Up {
		t.Errorf("the first tunnel is %q", s)
	}
}

func TestANameThatGetsFreeWithinAMomentIsTaken(t *testing.T) {
	var asked atomic.Int32
	e := startEdge(t, edge.Options{RefuseBind: func(edge.BindRecord) *edge.Refusal {
		if asked.Add(1) == 1 {
			return &edge.Refusal{Code: "ERR_NGROK_334", Message: "already online"}
		}
		return nil
	}})
	open(t, optionsFor(e))
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
}

// silentPort accepts connections, counts them and says nothing.
func silentPort(t *testing.T) (string, *atomic.Int32) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		var all []net.Conn
		for {
			c, err := ln.Accept()
			if err != nil {
				for _, c := range all {
					c.Close()
				}
				return
			}
			n.Add(1)
			all = append(all, c)
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String(), &n
}

func TestWhatCannotBeRightIsRefusedBeforeDialling(t *testing.T) {
	addr, dialled := silentPort(t)
	cases := []struct {
		name string
		o    tunnel.Options
		text string
	}{
		{"no token", tunnel.Options{ConnectURL: addr}, "none was given"},
		{"a token of spaces", tunnel.Options{ConnectURL: addr, Authtoken: " \n\t"}, "none was given"},
		{"two tokens", tunnel.Options{ConnectURL: addr, Authtoken: "one two"}, "spaces"},
		{"an edge with a scheme", tunnel.Options{ConnectURL: "tls://" + addr, Authtoken: token}, "not host:port"},
		{"an edge without a port", tunnel.Options{ConnectURL: "127.0.0.1", Authtoken: token}, "not host:port"},
		{"an edge that is only a port", tunnel.Options{ConnectURL: ":443", Authtoken: token}, "not host:port"},
		{"an address without TLS", tunnel.Options{ConnectURL: addr, Authtoken: token, URL: "http://a.localhost"}, "not a public address"},
		{"an address with a path", tunnel.Options{ConnectURL: addr, Authtoken: token, URL: "https://a.localhost/auth"}, "not a public address"},
		{"an address that is none", tunnel.Options{ConnectURL: addr, Authtoken: token, URL: "https://a b\x1b"}, "not a public address"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := tunnel.Open(t.Context(), c.o)
			if got := problem(t, err); !strings.Contains(got.Error(), c.text) || strings.Contains(got.Error(), "\x1b") {
				t.Errorf("got %q, want %q", got, c.text)
			}
		})
	}
	if n := dialled.Load(); n != 0 {
		t.Errorf("dialled %d times", n)
	}
}

func TestAnEdgeThatCannotBeReachedIsGivenUpInTime(t *testing.T) {
	silent, _ := silentPort(t)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for name, c := range map[string]struct{ addr, text string }{
		"refused":         {gone.Addr().String(), "refused"},
		"never answering": {silent, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			o := tunnel.Options{Authtoken: token, ConnectURL: c.addr, ConnectTimeout: 700 * time.Millisecond}
			var err error
			took(t, "giving up", promptly, func() { _, err = tunnel.Open(context.Background(), o) })
			got := problem(t, err)
			if !strings.Contains(got.Error(), c.text) || !strings.Contains(got.Error(), c.addr) || !strings.Contains(got.Error(), "700ms") {
				t.Errorf("got %q", got)
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v is no time limit", err)
			}
		})
	}
}

func TestAnEdgeThatComesLaterIsReached(t *testing.T) {
	e := startEdge(t, edge.Options{})
	e.Cut()
	back := time.AfterFunc(400*time.Millisecond, func() { e.Restart() })
	defer back.Stop()
	open(t, optionsFor(e))
}

func TestAWrongCAIsExplained(t *testing.T) {
	e := startEdge(t, edge.Options{})
	other := startEdge(t, edge.Options{})
	for name, o := range map[string]tunnel.Options{
		"another edge's": {ConnectCAs: other.CertPool()},
		"ngrok's":        {},
	} {
		t.Run(name, func(t *testing.T) {
			o.Authtoken, o.ConnectURL = token, e.AgentAddr()
			var err error
			took(t, "the explanation", promptly, func() { _, err = tunnel.Open(context.Background(), o) })
			got := problem(t, err)
			if !strings.Contains(got.Error(), "authority that is not trusted") || !strings.Contains(got.Hint(), "tunnel.connect_cas") {
				t.Errorf("got %q, hint %q", got, got.Hint())
			}
		})
	}
}

func TestOpeningEndsWithItsContext(t *testing.T) {
	addr, _ := silentPort(t)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	var err error
	took(t, "the end", promptly, func() {
		_, err = tunnel.Open(ctx, tunnel.Options{Authtoken: token, ConnectURL: addr})
	})
	if problem(t, err); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestATunnelOutlivesTheContextItWasOpenedWith(t *testing.T) {
	e := startEdge(t, edge.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	tun, err := tunnel.Open(ctx, optionsFor(e))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tun.Drop)
	serve(t, tun, echoPath())
	cancel()
	if got := get(t, e.Client(), tun.URL()+"/after"); got.body != "hello /after" {
		t.Errorf("got %d %q", got.status, got.body)
	}
}

func TestABindThatIsNeverAnsweredIsGivenUpInTime(t *testing.T) {
	release := make(chan struct{})
	e := startEdge(t, edge.Options{RefuseBind: func(edge.BindRecord) *edge.Refusal { <-release; return nil }})
	t.Cleanup(func() { close(release) })
	o := optionsFor(e)
	o.ConnectTimeout = 700 * time.Millisecond
	var err error
	took(t, "giving up", promptly, func() { _, err = tunnel.Open(context.Background(), o) })
	if got := problem(t, err); !strings.Contains(got.Error(), "no answer") {
		t.Errorf("got %q", got)
	}
}

func TestTheTokenIsNotInTheLog(t *testing.T) {
	e := startEdge(t, edge.Options{Tokens: []string{"another"}})
	var log lockedBuffer
	o := optionsFor(e)
	o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if _, err := tunnel.Open(t.Context(), o); err == nil {
		t.Fatal("opened with a bad token")
	}
	got := log.String()
	if !strings.Contains(got, "ERR_NGROK_107") {
		t.Fatalf("the library's log did not come:\n%s", got)
	}
	if strings.Contains(got, token) {
		t.Errorf("the token is in the log:\n%s", got)
	}
	if bytes.Contains([]byte(got), []byte("level=ERROR")) || bytes.Contains([]byte(got), []byte("level=WARN")) {
		t.Errorf("the library raises its voice:\n%s", got)
	}
}

func TestDiagnoseNamesTheStepThatFails(t *testing.T) {
	e := startEdge(t, edge.Options{})
	other := startEdge(t, edge.Options{})
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	cases := []struct {
		name string
		o    tunnel.Options
		text string
	}{
		{"nothing", tunnel.Options{ConnectURL: e.AgentAddr(), ConnectCAs: e.CertPool()}, ""},
		{"nobody there", tunnel.Options{ConnectURL: gone.Addr().String()}, "cannot connect"},
		{"another CA", tunnel.Options{ConnectURL: e.AgentAddr(), ConnectCAs: other.CertPool()}, "not trusted"},
		{"another protocol", tunnel.Options{ConnectURL: e.PublicAddr(), ConnectCAs: e.CertPool()}, "another name"},
		{"no address", tunnel.Options{ConnectURL: "nowhere"}, "not host:port"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := tunnel.Diagnose(t.Context(), c.o)
			if c.text == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if got := problem(t, err); !strings.Contains(got.Error(), c.text) {
				t.Errorf("got %q, want %q", got, c.text)
			}
		})
	}
	if n := len(e.Auths()); n != 0 {
		t.Errorf("diagnosing gave the token away %d times", n)
	}
}
