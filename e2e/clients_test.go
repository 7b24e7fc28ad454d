package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// uselessToken is what the libraries are configured with; it must never reach BigCommerce.
const uselessToken = "of-no-use-to-anyone"

// checkUpstream holds what reached the API to the store's own token, and never to the client's.
func checkUpstream(t *testing.T, far *farSide, least int) {
	t.Helper()
	calls := far.received("", "/stores/")
	if len(calls) < least {
		t.Fatalf("%d calls reached the API, at least %d were made", len(calls), least)
	}
	for _, c := range calls {
		token := c.Headers["X-Auth-Token"]
		if len(token) != 1 || token[0] == "" || token[0] == uselessToken {
			t.Errorf("%s %s reached the API with X-Auth-Token %q", c.Method, c.Path, token)
		}
		if c.Status >= 400 && c.Status != http.StatusNotFound {
			t.Errorf("%s %s was answered %d", c.Method, c.Path, c.Status)
		}
	}
}

func TestALibraryThatTakesABaseURLWorksThroughTheAPIDoor(t *testing.T) {
	far := openFarSide(t)
	near := openNearSide(t, far)
	near.install()
	out := must(t, []string{"BC_API_URL=" + near.door(), "STORE=" + far.store()}, "node", client(t, "reverse.js"))
	var did struct {
		Names         []string
		Made          string
		Changed, Read float64
		Gone          any
	}
	if err := json.Unmarshal([]byte(out), &did); err != nil {
		t.Fatalf("it printed %q: %v", out, err)
	}
	if len(did.Names) < 4 || did.Made != "Made by a library" || did.Changed != 12.25 || did.Read != 12.25 || did.Gone != nil {
		t.Errorf("it did %+v", did)
	}
	checkUpstream(t, far, 7)
}

// openForwarding starts up with a forward door, and returns what "bcdev env --forward" prints for
// a shell that starts a program.
func openForwarding(t *testing.T, far *farSide, args ...string) (*nearSide, string) {
	t.Helper()
	env := append(far.env(t.TempDir()), "BCDEV_PROXY_LISTEN="+freeAddr(t), "BCDEV_INSPECTOR_LISTEN="+freeAddr(t),
		"BCDEV_FORWARD_PROXY_LISTEN="+freeAddr(t))
	near := startNearSide(t, far, env, args...)
	return near, must(t, env, bcdev, "env", "--forward")
}

func TestLibrariesThatKnowOneHostOnlyWorkThroughTheForwardDoor(t *testing.T) {
	t.Parallel()
	far := openFarSide(t)
	near, shell := openForwarding(t, far)
	near.install()
	script := shell + "\nexec node " + client(t, "forward.js")
	out := must(t, []string{"STORE=" + far.store()}, "bash", "-euc", script)
	var did struct {
		Store, Made string
		Names       []string
	}
	if err := json.Unmarshal([]byte(out), &did); err != nil {
		t.Fatalf("it printed %q: %v", out, err)
	}
	if did.Store == "" || did.Made != "Made through the tunnel" || len(did.Names) < 4 {
		t.Errorf("it did %+v", did)
	}
	checkUpstream(t, far, 4)
}

// The path that "bcdev ca path" prints is all that a program needs to trust the door.
func TestAnAppOnAnSDKInstallsThroughTheForwardDoor(t *testing.T) {
	t.Parallel()
	app, far := newApp(t), openFarSide(t)
	near, shell := openForwarding(t, far, "--forward-to", app.url(), "--exchange", "app")
	ca := strings.TrimSpace(must(t, near.env, bcdev, "ca", "path"))
	if !strings.Contains(shell, ca) {
		t.Errorf("env --forward does not name %s:\n%s", ca, shell)
	}
	app.start(near, "APP_LIBRARY=node-bigcommerce", "HTTPS_PROXY="+near.ready.text("forward_url"), "NODE_EXTRA_CA_CERTS="+ca)

	checkInstalled(t, app, near, near.install())
	if v := far.visit("/load", map[string]any{}); v.Status != http.StatusOK || !strings.Contains(v.Body, "welcome") {
		t.Errorf("a load, verified by its legacy payload: %d %s", v.Status, v.Body)
	}
	replayOnAnEmptyApp(t, app, near)
}

func TestNewmanRunsACollectionAgainstTheDoor(t *testing.T) {
	t.Parallel()
	far := openFarSide(t)
	near := openNearSide(t, far)
	near.install()

	t.Run("written by hand", func(t *testing.T) {
		newman(t, client(t, "collection.json"), "--env-var", "door="+near.door(), "--env-var", "store="+far.store())
		checkUpstream(t, far, 4)
	})
	t.Run("exported by bcdev", func(t *testing.T) {
		base := filepath.Join(t.TempDir(), "calls")
		must(t, near.env, bcdev, "export", "--kind", "api", "--status", "2xx", "--as", "postman", "-o", base)
		files := []string{base + ".postman_collection.json", base + ".postman_environment.json"}
		checkHoldNoToken(t, far, files)
		far.forget()
		// The product of the collection by hand is gone, so its DELETE is done again in vain.
		newman(t, files[0], "--environment", files[1])
		checkUpstream(t, far, 4)
	})
}

func newman(t *testing.T, args ...string) {
	t.Helper()
	bin := client(t, filepath.Join("node_modules", ".bin", "newman"))
	out, errs, code := finish(t, nil, bin, append([]string{"run", "--color", "off", "--disable-unicode"}, args...)...)
	if code != 0 {
		t.Errorf("newman %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
}

// checkHoldNoToken greps files for the tokens the far side has seen, the storefront's included.
func checkHoldNoToken(t *testing.T, far *farSide, files []string) {
	t.Helper()
	seen := 0
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range far.received("", "/") {
			for _, header := range []string{"X-Auth-Token", "Authorization"} {
				token := strings.TrimPrefix(c.Headers.Get(header), "Bearer ")
				if len(token) < 16 {
					continue
				}
				seen++
				if strings.Contains(string(content), token) {
					t.Errorf("%s holds the %s of %s %s", filepath.Base(name), header, c.Method, c.Path)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("the far side has seen no token, so this proves nothing")
	}
}
