package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bcdev/internal/edge"
)

const goodToken = "2abcdefghijklmnopqrstuvwxyz_1234567890abcdefghijklm"

func startEdge(t *testing.T) (*edge.Edge, []string) {
	t.Helper()
	e, err := edge.Start(edge.Options{Tokens: []string{goodToken}, Reserved: map[string]string{"taken": "2somebody0elses0token_000000000000000000000000000000"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, e.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return e, []string{
		"BC_CLIENT_ID=bcdev0clientid0example", "BC_CLIENT_SECRET=" + guideSecret,
		"BCDEV_TUNNEL_CONNECT_URL=" + e.AgentAddr(), "BCDEV_TUNNEL_CONNECT_CAS=" + ca,
		"BCDEV_PROXY_LISTEN=127.0.0.1:0", "BCDEV_INSPECTOR_LISTEN=127.0.0.1:0",
	}
}

func TestThreeVariablesInTheEnvironmentAreEnough(t *testing.T) {
	e, env := startEdge(t)
	r := start(t, append(env, "NGROK_AUTHTOKEN="+goodToken), "up", "--json")
	ready := r.next("ready")
	res, err := e.Client().Get(ready.text("public_url") + "/nothing-here")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 404 || res.Header.Get("Ngrok-Error-Code") != "" {
		t.Errorf("the public door answered %d %q", res.StatusCode, res.Header.Get("Ngrok-Error-Code"))
	}
	if code := r.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestTheTokenOfNgroksOwnConfigurationFileIsFound(t *testing.T) {
	_, env := startEdge(t)
	home := t.TempDir()
	file := filepath.Join(home, ".config", "ngrok", "ngrok.yml")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("version: \"3\"\nagent:\n  authtoken: "+goodToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, append(env, "HOME="+home), "up", "--json")
	r.next("ready")
}

func TestATunnelThatIsRefusedSaysWhyAndWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name, token, url, code string
		exit                   int
	}{
		{"a token that ngrok does not know", "2unknown0token0unknown0_000000000000000000000000000", "", "ERR_NGROK_107", 1},
		{"a name that belongs to somebody else", goodToken, "https://taken.localhost", "ERR_NGROK_320", 1},
		{"no token at all", "", "", "NGROK_AUTHTOKEN", exitUsage},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, env := startEdge(t)
			begun := time.Now()
			r := start(t, append(env, "NGROK_AUTHTOKEN="+c.token, "BCDEV_TUNNEL_URL="+c.url), "up", "--json")
			if code := r.ended(); code != c.exit {
				t.Errorf("exit code %d", code)
			}
			if took := time.Since(begun); took > 3*time.Second {
				t.Errorf("it took %s", took)
			}
			said := r.said()
			if !strings.Contains(said, c.code) || !strings.Contains(said, "hint: ") {
				t.Errorf("it said:\n%s", said)
			}
			if c.token != "" && strings.Contains(said, c.token) {
				t.Error("the token was printed")
			}
		})
	}
}

func TestALinkThatDropsIsSaidAndComesBackWithTheSameURL(t *testing.T) {
	e, env := startEdge(t)
	r := start(t, append(env, "NGROK_AUTHTOKEN="+goodToken), "up", "--json")
	ready := r.next("ready")
	if up := r.next("link"); up.text("state") != "up" {
		t.Fatalf("first %v", up)
	}
	e.Cut()
	if down := r.next("link"); down.text("state") == "up" {
		t.Fatalf("after the cut %v", down)
	}
	_, health := ask(t, "GET", ready.text("proxy_url")+"/_bcdev/health", "")
	if strings.Contains(health, `"tunnel":"up"`) {
		t.Errorf("health says %s", health)
	}
	if err := e.Restart(); err != nil {
		t.Fatal(err)
	}
	for r.next("link").text("state") != "up" { // attempts that fail are told too
	}
	res, err := e.Client().Get(ready.text("public_url") + "/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.Header.Get("Ngrok-Error-Code") != "" {
		t.Errorf("the same URL answers %s", res.Header.Get("Ngrok-Error-Code"))
	}
}

func TestASlipInAVariablesNameIsTold(t *testing.T) {
	_, env := startEdge(t)
	r := start(t, append(env, "NGROK_AUTHTOKEN="+goodToken, "BCDEV_PROXY_LISTN=127.0.0.1:1"), "up", "--json")
	if p := r.next("problem"); p.text("code") != "unknown_variable" || !strings.Contains(p.text("message"), "BCDEV_PROXY_LISTEN") {
		t.Errorf("told %v", p)
	}
	r.next("ready")
}
