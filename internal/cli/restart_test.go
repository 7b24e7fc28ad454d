package cli

import (
	"strings"
	"testing"
)

// sandboxEnv is the environment of an up that lives in a sandbox.
func sandboxEnv(ready event) []string {
	return []string{
		"BC_CLIENT_ID=" + ready.text("client_id"), "BC_CLIENT_SECRET=" + ready.text("client_secret"),
		"NGROK_AUTHTOKEN=" + ready.text("authtoken"),
		"BCDEV_TUNNEL_CONNECT_URL=" + ready.text("edge_addr"), "BCDEV_TUNNEL_CONNECT_CAS=" + ready.text("edge_ca"),
		"BCDEV_BIGCOMMERCE_LOGIN_URL=" + ready.text("login_url"), "BCDEV_BIGCOMMERCE_API_URL=" + ready.text("api_url"),
		"BCDEV_PROXY_LISTEN=127.0.0.1:0", "BCDEV_INSPECTOR_LISTEN=127.0.0.1:0",
	}
}

func TestALinkComesBackToASandboxThatWasStartedAgain(t *testing.T) {
	far := start(t, nil, "sandbox", "--json", "--listen", "127.0.0.1:0", "--edge-listen", "127.0.0.1:0", "--public-listen", "127.0.0.1:0")
	first := far.next("ready")
	r := start(t, sandboxEnv(first), "up", "--json")
	up := r.next("ready")
	if got := up.text("public_url"); got != first.text("public_url") {
		t.Errorf("the sandbox said %s, and the tunnel is at %s", first.text("public_url"), got)
	}
	r.next("link")
	if code := far.end(); code != 0 {
		t.Fatalf("the sandbox ended with %d", code)
	}
	if link := r.next("link"); link.text("state") != "down" {
		t.Errorf("the sandbox is gone and the link is %q", link.text("state"))
	}

	public := first.text("public_url")
	again := &run{t: t, state: far.state, signals: far.signals, events: make(chan event, 1000), code: make(chan int, 1)}
	again.start(nil, "sandbox", "--json", "--listen", strings.TrimPrefix(first.text("login_url"), "http://"),
		"--edge-listen", first.text("edge_addr"), "--public-listen", "127.0.0.1"+public[strings.LastIndex(public, ":"):])
	second := again.next("ready")
	for r.next("link").text("state") != "up" { // a try in between may fail
		continue
	}
	body := `{"store":"abc123xyz","callback":"` + up["callbacks"].(map[string]any)["auth"].(string) + `"}`
	if res, text := ask(t, "POST", second.text("control_url")+"/install", body, "Content-Type", "application/json"); res.StatusCode != 200 {
		t.Fatalf("the install at the old public URL: %d %s", res.StatusCode, text)
	}
	if callback := r.next("callback"); callback.text("store") != "abc123xyz" {
		t.Errorf("the callback is of store %q", callback.text("store"))
	}
	if code := r.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestASandboxGivesTheAddressThatTunnelURLAsksFor(t *testing.T) {
	far := start(t, nil, "sandbox", "--json", "--listen", "127.0.0.1:0", "--edge-listen", "127.0.0.1:0", "--public-listen", "127.0.0.1:0")
	r := start(t, sandboxEnv(far.next("ready")), "up", "--json", "--url", "https://shop.localhost")
	if got := r.next("ready").text("public_url"); !strings.HasPrefix(got, "https://shop.localhost:") {
		t.Errorf("the tunnel is at %s", got)
	}
}
