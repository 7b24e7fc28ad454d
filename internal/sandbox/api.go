package sandbox

import (
	"io"
	"mime"
	"net/http"
	"strings"

	"bcdev/internal/bigcommerce"
)

// accountClient is the client id of store-level API accounts. Hooks of one client are invisible
// to the others.
const accountClient = "store0level0api0account00000001"

// serveAPI answers /stores/{hash}/... : token, quota, scope, form, and then the route.
func (s *Sandbox) serveAPI(w http.ResponseWriter, r *http.Request) {
	hash, path := splitAPIPath(r.URL.EscapedPath())
	if hash == "" {
		send(w, r, notFound())
		return
	}
	w.Header().Set("X-Request-Id", inventWord(31))
	if strings.HasSuffix(path, "/") {
		send(w, r, reply{status: http.StatusForbidden, body: plain("Authentication Required"), kind: "text/plain"})
		return
	}
	g, ok := s.grants.of(r.Header.Get("X-Auth-Token"))
	shop := s.findShop(hash)
	if !ok || g.store != hash || shop == nil {
		send(w, r, unauthorized())
		return
	}
	if path == "/graphql" {
		s.serveAdminGraph(w, r, shop)
		return
	}
	send(w, r, s.admit(w.Header(), r, shop, g, path))
}

// splitAPIPath parts /stores/{hash}/v3/x into {hash} and /v3/x.
func splitAPIPath(path string) (hash, rest string) {
	after, ok := strings.CutPrefix(path, "/stores/")
	if !ok {
		return "", ""
	}
	hash, rest, _ = strings.Cut(after, "/")
	return hash, "/" + rest
}

// admit checks quota, scope and form, and runs the route.
func (s *Sandbox) admit(h http.Header, r *http.Request, shop *shop, g grant, path string) reply {
	now := s.clock.Now()
	shop.mu.Lock()
	if !shop.quota.take(now) {
		defer shop.mu.Unlock()
		return shop.quota.limited(now)
	}
	shop.quota.headers(h, now)
	shop.mu.Unlock()

	// A token of no scope opens nothing, not even what needs no selectable scope.
	if len(g.scopes) == 0 || len(bigcommerce.Missing(r.Method, path, g.scopes)) > 0 {
		return noScope()
	}
	if v2 := strings.HasPrefix(path, "/v2/"); v2 {
		path = strings.TrimSuffix(path, ".json")
	}
	found, ids, allowed := findRoute(s.routes, r.Method, path)
	if found.serve == nil {
		return noRoute(path, allowed)
	}
	if bad := badForm(r); bad != nil {
		return *bad
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return refuse(http.StatusBadRequest, wordsBadInput)
	}
	c := &call{
		sandbox: s, shop: shop, request: r, client: s.app.ClientID, query: r.URL.Query(),
		body: body, ids: ids, now: now,
	}
	if g.static {
		c.client = accountClient
	}
	return s.run(c, found)
}

func (s *Sandbox) run(c *call, found route) reply {
	c.shop.mu.Lock()
	answer := found.serve(c)
	c.shop.mu.Unlock()
	for _, e := range c.events {
		s.announce(e)
	}
	return answer
}

func noRoute(path string, allowed []string) reply {
	v2 := strings.HasPrefix(path, "/v2/")
	if len(allowed) > 0 {
		a := refuse(http.StatusMethodNotAllowed, "Method Not Allowed")
		if v2 {
			a = refuseV2(http.StatusMethodNotAllowed, "The requested method is not allowed on this resource.")
		}
		a.header = http.Header{"Allow": {strings.Join(allowed, ", ")}}
		return a
	}
	if v2 {
		return notFoundV2()
	}
	return notFound()
}

// badForm refuses an Accept without JSON and a body that is not declared as JSON.
func badForm(r *http.Request) *reply {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if accept != "" && !strings.Contains(accept, "json") && !strings.Contains(accept, "*") {
		bad := refuse(http.StatusNotAcceptable, "Not Acceptable")
		return &bad
	}
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		bad := refuse(http.StatusUnsupportedMediaType, "Unsupported Media Type")
		return &bad
	}
	return nil
}
