package e2e

import (
	_ "embed"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// attack is a function of the page: (base, [read, write]) => what could be read, by way.
//
//go:embed stranger.js
var attack string

// attacked runs the attack from the page that is open.
func attacked(b *tab, base string, paths ...string) map[string]string {
	b.t.Helper()
	list, err := json.Marshal(paths)
	if err != nil {
		b.t.Fatal(err)
	}
	return evaluate[map[string]string](b, "("+attack+")("+quote(base)+", "+string(list)+")")
}

// pageServer serves an empty page, under whatever name it is called.
func pageServer(t *testing.T) (port string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte("<!doctype html><title>a page</title><body>hello"))
	}))
	t.Cleanup(s.Close)
	return portOf(t, s.Listener.Addr().String())
}

func portOf(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(addr, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestAPageOfAnotherOriginNeitherReadsNorWritesThroughTheDoor(t *testing.T) {
	far, port := openFarSide(t), pageServer(t)
	env := append(far.env(t.TempDir()), "BCDEV_PROXY_LISTEN="+freeAddr(t), "BCDEV_INSPECTOR_LISTEN="+freeAddr(t),
		"BCDEV_PROXY_ALLOW_ORIGINS=http://friend.localhost:"+port)
	near := startNearSide(t, far, env)
	near.install()
	doorPort := portOf(t, near.door())
	paths := []string{"/v3/catalog/products", "/v3/catalog/products"}
	b := openTab(t, "host-resolver-rules", "MAP evil.example 127.0.0.1")

	for _, from := range []struct{ name, page, door string }{
		{"another name of this machine", "http://evil.localhost:" + port, near.door()},
		{"another port of the same address", "http://127.0.0.1:" + port, near.door()},
		{"another port of localhost", "http://localhost:" + port, "http://localhost:" + doorPort},
		{"a stranger's name", "http://evil.example:" + port, near.door()},
		{"a stranger's name, calling the door by it", "http://evil.example:" + port, "http://evil.example:" + doorPort},
		// The page came from the stranger's own server; then its name was pointed at the door,
		// with which it shares its origin from now on.
		{"a rebound name", "http://evil.example:" + doorPort, "http://evil.example:" + doorPort},
	} {
		t.Run(from.name, func(t *testing.T) {
			far.forget()
			near.skip()
			at := &tab{t, b.ctx}
			at.open(from.page + "/")
			for way, read := range attacked(at, from.door, paths...) {
				if strings.Contains(read, `"data"`) {
					t.Errorf("%s: it read %s", way, brief(read))
				}
			}
			if came := far.received("", "/"); len(came) > 0 {
				t.Errorf("%d requests reached BigCommerce, the first is %s %s", len(came), came[0].Method, came[0].Path)
			}
			if p := near.next("problem"); p.text("code") != "cross_site" && p.text("code") != "host_not_allowed" {
				t.Errorf("the door refused with %v", p) // and it was the door that did, no rule of the browser alone
			}
		})
	}
	t.Run("an origin that is allowed, for comparison", func(t *testing.T) {
		far.forget()
		at := &tab{t, b.ctx}
		at.open("http://friend.localhost:" + port + "/")
		got := attacked(at, near.door(), paths...)
		if !strings.Contains(got["fetch"], `"data"`) || !strings.Contains(got["xhr"], `"data"`) || !strings.Contains(got["post of JSON"], "from a stranger") {
			t.Errorf("a friend could read %v", got)
		}
		if len(far.received("POST", "/stores/")) == 0 {
			t.Error("a friend could not write")
		}
	})
}
