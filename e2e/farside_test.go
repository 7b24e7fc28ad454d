package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// farSide is "bcdev sandbox": BigCommerce and ngrok, in a process of their own.
type farSide struct {
	t     *testing.T
	ready event
}

// received is one request that reached the far side.
type received struct {
	Method  string
	Path    string
	Headers http.Header
	Body    string
	Status  int
}

// visit is what an app answered to a callback that the sandbox made.
type visit struct {
	URL     string
	Code    string
	Status  int
	Headers http.Header
	Body    string
}

func openFarSide(t *testing.T) *farSide {
	t.Helper()
	p := run(t, []string{"BCDEV_STATE_DIR=" + t.TempDir()}, bcdev, "sandbox", "--json",
		"--listen", "127.0.0.1:0", "--edge-listen", "127.0.0.1:0", "--public-listen", "127.0.0.1:0")
	return &farSide{t, p.next("ready")}
}

func (f *farSide) store() string { return f.ready.text("store") }

// env is the environment in which bcdev takes this far side for BigCommerce and ngrok.
func (f *farSide) env(state string) []string {
	r := f.ready
	return []string{
		"BC_CLIENT_ID=" + r.text("client_id"), "BC_CLIENT_SECRET=" + r.text("client_secret"),
		"NGROK_AUTHTOKEN=" + r.text("authtoken"), "BCDEV_STATE_DIR=" + state,
		"BCDEV_TUNNEL_CONNECT_URL=" + r.text("edge_addr"), "BCDEV_TUNNEL_CONNECT_CAS=" + r.text("edge_ca"),
		"BCDEV_BIGCOMMERCE_LOGIN_URL=" + r.text("login_url"), "BCDEV_BIGCOMMERCE_API_URL=" + r.text("api_url"),
		"BCDEV_BIGCOMMERCE_STOREFRONT_URL=" + r.text("api_url") + "/storefront/{hash}",
	}
}

// control tells the far side what to do.
func (f *farSide) control(what string, body any, into any) {
	f.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		f.t.Fatal(err)
	}
	res, text := call(f.t, http.MethodPost, f.ready.text("control_url")+what, string(b), "Content-Type", "application/json")
	if res.StatusCode != http.StatusOK {
		f.t.Fatalf("POST %s: %d %s", what, res.StatusCode, text)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		f.t.Fatalf("POST %s answered %q: %v", what, text, err)
	}
}

func (f *farSide) visit(what string, body map[string]any) visit {
	f.t.Helper()
	var v visit
	f.control(what, body, &v)
	return v
}

// received is what came in that matches a method and a path's beginning, in order.
func (f *farSide) received(method, prefix string) []received {
	f.t.Helper()
	_, text := call(f.t, http.MethodGet, f.ready.text("control_url")+"/received", "")
	var all, some []received
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		f.t.Fatalf("GET /received answered %q: %v", text, err)
	}
	for _, r := range all {
		if strings.HasPrefix(r.Method, method) && strings.HasPrefix(r.Path, prefix) {
			some = append(some, r)
		}
	}
	return some
}

// public is a client out there, which trusts the edge.
func (f *farSide) public() *http.Client {
	f.t.Helper()
	pem, err := os.ReadFile(f.edgeCA())
	if err != nil {
		f.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(addr) // *.localhost is on loopback, whatever DNS says
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	}}
}

// edgeCA is where the far side keeps the certificate that signs its public names.
func (f *farSide) edgeCA() string {
	if file := f.ready.text("edge_ca"); file != "" {
		return file
	}
	return filepath.Join(f.ready.text("state_dir"), "edge-ca.pem") // a demo's
}

// browse opens a page on the public side as a browser does and returns its status.
func (f *farSide) browse(page string) int {
	f.t.Helper()
	res, err := f.public().Get(page)
	return f.status(res, err)
}

// post sends JSON to the public side, from somebody who has no secret to sign it with.
func (f *farSide) post(page, body string) int {
	f.t.Helper()
	res, err := f.public().Post(page, "application/json", strings.NewReader(body))
	return f.status(res, err)
}

func (f *farSide) status(res *http.Response, err error) int {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// forget empties the list of what came in.
func (f *farSide) forget() {
	f.t.Helper()
	call(f.t, http.MethodDelete, f.ready.text("control_url")+"/received", "")
}

// nearSide is "bcdev up" against a far side, with addresses that are known before it starts.
type nearSide struct {
	*program
	far   *farSide
	ready event
	env   []string // for other commands on the same state
}

func openNearSide(t *testing.T, far *farSide, args ...string) *nearSide {
	t.Helper()
	env := append(far.env(t.TempDir()),
		"BCDEV_PROXY_LISTEN="+freeAddr(t), "BCDEV_INSPECTOR_LISTEN="+freeAddr(t))
	return startNearSide(t, far, env, args...)
}

func startNearSide(t *testing.T, far *farSide, env []string, args ...string) *nearSide {
	t.Helper()
	p := run(t, env, bcdev, append([]string{"up", "--json"}, args...)...)
	n := &nearSide{program: p, far: far, ready: p.next("ready"), env: env}
	urls := map[string]string{}
	for _, kind := range []string{"auth", "load", "uninstall", "remove_user", "webhooks"} {
		urls[kind] = n.ready.callback(kind)
	}
	far.control("/callbacks", urls, nil)
	return n
}

func (n *nearSide) door() string { return n.ready.text("proxy_url") }

// install makes the far side install the app, and fails the test unless that spent the code.
func (n *nearSide) install() visit {
	n.t.Helper()
	var v struct {
		visit
		Installed bool
	}
	n.far.control("/install", map[string]any{}, &v)
	if !v.Installed {
		n.t.Fatalf("the install was not finished; the callback was answered with %d %s", v.Status, v.Body)
	}
	return v.visit
}
