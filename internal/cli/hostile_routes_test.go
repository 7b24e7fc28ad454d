package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

// startWith starts bcdev with a configuration of its own.
func startWith(t *testing.T, far *recordingAPI, config string, env []string, args ...string) *world {
	t.Helper()
	w := &world{run: start(t, env, append([]string{"up", "--json", "--config", configFile(t, config)}, args...)...), far: far}
	w.isReady(w.next("ready"))
	return w
}

func TestWithoutAStoreTheDoorSaysSo(t *testing.T) {
	t.Parallel()
	far := newRecordingAPI(t, nil)
	config, _, _ := strings.Cut(hostileConfig(far.URL), "stores:")
	config = strings.Replace(config, ", store: aaa111", "", 1) + fmt.Sprintf("bigcommerce: {login_url: %q, api_url: %q}\n", far.URL, far.URL)
	w := startWith(t, far, config, nil)
	for _, c := range []struct {
		target, code string
		status       int
	}{
		{"/v3/x", "no_grant", 401},
		{"/graphql", "no_grant", 401},
		{"/stores/aaa111/v3/x", "unknown_store", 404},
	} {
		checkRefusal(t, w.raw(t, w.door, "GET "+c.target+" HTTP/1.1\r\nHost: {door}\r\n\r\n"), c.status, c.code)
	}
	checkHealth(t, w, 0)
	if far.hits() != 0 {
		t.Error("upstream was asked")
	}
	w.finish()
}

func TestWithSeveralStoresAndNoneChosenTheDoorAsks(t *testing.T) {
	t.Parallel()
	far := newRecordingAPI(t, nil)
	w := startWith(t, far, strings.Replace(hostileConfig(far.URL), ", store: aaa111", "", 1), nil)
	for _, target := range []string{"/v3/x", "/v2/x", "/graphql", "/storefront/graphql"} {
		checkRefusal(t, w.raw(t, w.door, "GET "+target+" HTTP/1.1\r\nHost: {door}\r\n\r\n"), 409, "which_store")
	}
	if a := w.raw(t, w.door, toStore+"\r\n"); a.StatusCode != 200 || far.hits() != 1 {
		t.Errorf("a store that is named: %d, upstream was asked %d times", a.StatusCode, far.hits())
	}
	checkHealth(t, w, 2)
	w.finish()
}

func checkHealth(t *testing.T, w *world, stores int) {
	t.Helper()
	a := w.raw(t, w.door, "GET /_bcdev/health HTTP/1.1\r\nHost: {door}\r\n\r\n")
	var h struct {
		Status, Tunnel string
		Stores         []any
	}
	if err := json.Unmarshal([]byte(a.body), &h); err != nil || a.StatusCode != 200 || h.Status != "ok" || h.Tunnel != "up" || len(h.Stores) != stores || h.Stores == nil {
		t.Errorf("health is %d %q", a.StatusCode, a.body)
	}
}

func TestRoutesLeadWhereTheyShould(t *testing.T) {
	t.Parallel()
	far := newRecordingAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/storefront/api-token") || strings.HasSuffix(r.URL.Path, "/api-token-customer-impersonation") || strings.Contains(r.URL.Path, "api-token"):
			fmt.Fprint(w, `{"data":{"token":"storefront0token0of0the0proxys0own"},"meta":{}}`)
		default:
			fmt.Fprint(w, `{}`)
		}
	})
	w := newWorld(t, far, nil)
	w.secrets = append(w.secrets, "storefront0token0of0the0proxys0own")
	for _, c := range []struct{ request, target string }{
		{"GET /v2/store", "/stores/aaa111/v2/store"},
		{"GET /v3/catalog/products?limit=1", "/stores/aaa111/v3/catalog/products?limit=1"},
		{"POST /graphql", "/stores/aaa111/graphql"},
		{"POST /stores/bbb222/graphql", "/stores/bbb222/graphql"},
		{"POST /storefront/graphql", "/graphql"},
		{"POST /stores/bbb222/storefront/graphql", "/graphql"},
		{"POST /oauth2/token", "/oauth2/token"},
	} {
		t.Run(c.request, func(t *testing.T) {
			before := far.hits()
			a := w.raw(t, w.door, c.request+" HTTP/1.1\r\nHost: {door}\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}")
			seen := far.since(before)
			if a.StatusCode != 200 || len(seen) == 0 || seen[len(seen)-1].target != c.target {
				t.Fatalf("%d %q; upstream received %+v", a.StatusCode, a.body, seen)
			}
			got := seen[len(seen)-1].header
			switch c.target {
			case "/graphql":
				if got.Get("X-Auth-Token") != "" || got.Get("Authorization") != "Bearer storefront0token0of0the0proxys0own" {
					t.Errorf("the storefront received %v", got)
				}
			case "/oauth2/token":
				if got.Get("X-Auth-Token") != "" || got.Get("X-Auth-Client") != "" {
					t.Errorf("the login host received %v", got)
				}
			default:
				if got.Get("X-Auth-Token") == "" {
					t.Errorf("the API received %v", got)
				}
			}
		})
	}
	w.finish()
}
