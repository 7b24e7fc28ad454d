package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestWebhooksOfARouteGoThereAndOthersToTheApp(t *testing.T) {
	f := startFar(t)
	got := make(chan string, 10)
	place := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			got <- name + " " + r.URL.Path
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	config := configFile(t, "app:\n  forward_to: "+place("app")+"\n  routes: [{scope: store/order/*, to: "+place("orders")+"/orders}]\n")
	r := start(t, f.env, "up", "--json", "--config", config)
	public := r.next("ready").text("public_url")
	for _, c := range []struct{ scope, want string }{
		{"store/order/created", "orders /orders"}, {"store/product/updated", "app /webhooks"},
	} {
		f.control("webhook", `{"scope":"`+c.scope+`","destination":"`+public+`/webhooks"}`)
		if went := <-got; went != c.want {
			t.Errorf("%s went to %q, not to %q", c.scope, went, c.want)
		}
	}
}

func TestTheSessionFileIsThereWhileBcdevRunsAndForItsOwnerAlone(t *testing.T) {
	f := startFar(t)
	r := start(t, f.env, "up", "--json")
	ready := r.next("ready")
	file := filepath.Join(r.state, "session.json")
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if found, ok := findRunning(r.state); !ok || found.PublicURL != ready.text("public_url") || found.ProxyURL != ready.text("proxy_url") || found.PID != os.Getpid() {
		t.Errorf("found %+v", found)
	}
	left, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r.end()
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("after the end: %v", err)
	}
	if err := os.WriteFile(file, left, 0o600); err != nil { // as a crash leaves it
		t.Fatal(err)
	}
	if found, ok := findRunning(r.state); ok {
		t.Errorf("what a crash left counts as running: %+v", found)
	}
}
