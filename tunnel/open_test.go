package tunnel_test

import (
	"net/http"
	"testing"

	"bcdev/internal/edge"
	"bcdev/tunnel"
)

func TestAVisitorReachesTheHandler(t *testing.T) {
	e := startEdge(t, edge.Options{Tokens: []string{token}})
	tun := open(t, optionsFor(e))
	serve(t, tun, http.HandlerFunc(hello))

	if tun.URL() != e.DevURL(token) {
		t.Errorf("URL is %s, want the dev domain %s", tun.URL(), e.DevURL(token))
	}
	if s, since := tun.State(); s != tunnel.Up || since.IsZero() {
		t.Errorf("state is %q since %v", s, since)
	}
	got := get(t, e.Client(), tun.URL()+"/auth?code=1")
	if got.status != http.StatusOK || got.body != "hello /auth" {
		t.Errorf("got %d %q", got.status, got.body)
	}
	if a := e.Auths(); len(a) != 1 || a[0].Token != token || a[0].ClientType != "bcdev" || a[0].Version != "1.2.3" {
		t.Errorf("the edge saw %+v", a)
	}
}
