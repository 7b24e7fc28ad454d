package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A newcomer's second terminal: everything that the demo proposes works with its state folder alone.
func TestCommandsBesideADemoFindItsAppAndStore(t *testing.T) {
	demo := start(t, nil, "demo", "--port", "0", "--json")
	next := demo.next("next")
	if steps := strings.Join(next.texts("steps"), "\n"); !strings.Contains(steps, "bcdev --state-dir "+demo.state+" list") {
		t.Errorf("the steps do not say how to list:\n%s", steps)
	}
	real := []string{"BC_CLIENT_ID=of-a-real-app", "BC_CLIENT_SECRET=of-a-real-app-0123456789"}
	for _, args := range [][]string{
		{"list"}, {"replay", "latest", "auth"}, {"trigger", "load", "--url", "/orders"},
		{"trigger", "store/order/created", "--set", "data.id=118"}, {"trigger", "load", "--public"}, {"hooks", "list"},
	} {
		if code, out, errs := demo.command(real, args...); code != exitFine {
			t.Errorf("%s ended with %d:\n%s%s", strings.Join(args, " "), code, out, errs)
		}
	}
	_, out, _ := demo.command(real, "env")
	if strings.Contains(out, "of-a-real-app") || !strings.Contains(out, "export BC_AUTH_CALLBACK='https://") {
		t.Errorf("env is not the demo's:\n%s", out)
	}
	if code := demo.end(); code != exitFine {
		t.Errorf("the demo ended with %d", code)
	}
	if _, err := os.Stat(filepath.Join(demo.state, demoFile)); err == nil {
		t.Error("the demo's configuration is left behind")
	}
}

func TestReplayFindsTheLocalAppThatUpWasGiven(t *testing.T) {
	came := make(chan string, 10)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { came <- r.URL.Path }))
	defer app.Close()
	env := startFar(t).env
	up := start(t, env, "up", "--json", "--forward-to", app.URL)
	up.next("ready")
	if code, out, errs := up.command(env, "trigger", "load"); code != exitFine {
		t.Fatalf("trigger ended with %d:\n%s%s", code, out, errs)
	}
	if path := <-came; path != "/load" {
		t.Errorf("the app was asked for %s", path)
	}
}

func TestEnvLeavesOutWhatIsNotKnown(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(file, []byte("BC_CLIENT_ID=mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := configFile(t, "stores: [{hash: abc123xyz, token: q7w2e9r4t1y6u3i8o5p0}]\n")
	r := &run{t: t, state: t.TempDir()}
	code, _, errs := r.command(nil, "env", "--config", cfg, "--write", file)
	if code != exitFine || !strings.Contains(errs, "BC_CLIENT_ID is not known") {
		t.Errorf("code %d, stderr: %s", code, errs)
	}
	after, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(after), "BC_CLIENT_ID=mine\n") || strings.Contains(string(after), "BC_CLIENT_SECRET") {
		t.Errorf("the file is %q, %v", after, err)
	}
}
