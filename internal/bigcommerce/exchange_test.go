package bigcommerce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	registered = "https://you.ngrok-free.app/?a=1&b=<2>"
	goodAnswer = `{"access_token":"q7w2e9r4t1y6u3i8o5p0a2s4d6f8g1h","scope":"store_v2_orders store_v2_default","user":{"id":1001,"username":"dev@example.com","email":"dev@example.com"},"owner":{"id":1000,"username":"owner@example.com","email":"owner@example.com"},"context":"stores/nffse6w1bi","account_uuid":"5e0f6f7a"}`
)

// loginHost is a token endpoint that keeps what it received and answers what it is told.
type loginHost struct {
	*httptest.Server
	mu       sync.Mutex
	received []*http.Request
	bodies   []string
}

func newLoginHost(t *testing.T, answer http.HandlerFunc) *loginHost {
	t.Helper()
	h := &loginHost{}
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.received, h.bodies = append(h.received, r), append(h.bodies, string(body))
		h.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *loginHost) asked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.received)
}

func (h *loginHost) client(t *testing.T) Client {
	t.Helper()
	login, err := url.Parse(h.URL)
	if err != nil {
		t.Fatal(err)
	}
	return Client{Login: login, HTTP: h.Client(), App: vectorApp, Now: func() time.Time { return issued }}
}

func says(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestExchangeSendsTheSevenParametersAndReadsTheGrant(t *testing.T) {
	host := newLoginHost(t, says(200, "application/json", goodAnswer))
	g, err := host.client(t).Exchange(t.Context(), guideInstall, registered)
	if err != nil {
		t.Fatal(err)
	}
	want := Grant{
		Store: "nffse6w1bi", Context: "stores/nffse6w1bi", Scopes: []string{"store_v2_orders", "store_v2_default"},
		User:        User{ID: 1001, Username: "dev@example.com", Email: "dev@example.com"},
		Owner:       User{ID: 1000, Username: "owner@example.com", Email: "owner@example.com"},
		AccountUUID: "5e0f6f7a", Token: "q7w2e9r4t1y6u3i8o5p0a2s4d6f8g1h", At: issued, Answer: goodAnswer,
	}
	if diff := cmp.Diff(want, g); diff != "" {
		t.Error(diff)
	}
	r := host.received[0]
	if host.asked() != 1 || r.Method != http.MethodPost || r.URL.Path != "/oauth2/token" || r.URL.RawQuery != "" ||
		r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Accept") != "application/json" || r.Header.Get("Authorization") != "" {
		t.Errorf("asked %d times: %s %s %v", host.asked(), r.Method, r.URL, r.Header)
	}
	var sent map[string]any
	if err := json.Unmarshal([]byte(host.bodies[0]), &sent); err != nil {
		t.Fatal(err)
	}
	wantSent := map[string]any{
		"client_id": vectorApp.ClientID, "client_secret": vectorApp.ClientSecret.Reveal(), "code": guideInstall.Code,
		"scope": strings.Join(guideInstall.Scopes, " "), "grant_type": "authorization_code",
		"redirect_uri": registered, "context": "stores/nffse6w1bi",
	}
	if diff := cmp.Diff(wantSent, sent); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(host.bodies[0], registered) {
		t.Errorf("redirect_uri is not there byte for byte: %s", host.bodies[0])
	}
}

func TestALoginHostMayHaveAPath(t *testing.T) {
	host := newLoginHost(t, says(200, "application/json", goodAnswer))
	c := host.client(t)
	c.Login = c.Login.JoinPath("login/")
	if _, err := c.Exchange(t.Context(), guideInstall, registered); err != nil {
		t.Fatal(err)
	}
	if got := host.received[0].URL.Path; got != "/login/oauth2/token" {
		t.Errorf("asked %s", got)
	}
}

func TestExchangeReadsOldAnswers(t *testing.T) {
	for name, answer := range map[string]string{
		"no owner, an id in quotes":  `{"access_token":"tok-1","scope":"a","user":{"id":"1001","email":"dev@example.com"},"context":"stores/nffse6w1bi"}`,
		"no context, a list, a null": `{"access_token":"tok-1","scope":["a"],"user":{"id":1001,"email":"dev@example.com"},"owner":null,"account_uuid":null}`,
		"an owner that is no object": `{"access_token":"tok-1","scope":"a","user":{"id":1001,"email":"dev@example.com"},"owner":"x","context":"stores/nffse6w1bi"}`,
	} {
		host := newLoginHost(t, says(200, "application/json", answer))
		g, err := host.client(t).Exchange(t.Context(), guideInstall, registered)
		if err != nil || g.User.ID != 1001 || g.Store != "nffse6w1bi" || g.Context != "stores/nffse6w1bi" || g.Owner != (User{}) || len(g.Scopes) != 1 {
			t.Errorf("%s: %+v, %v", name, g, err)
		}
	}
}

func TestExchangeExplainsEveryRefusal(t *testing.T) {
	const jsonType = "application/json"
	redirects := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }
	quiet := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://evil.example/?code=abc")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
	for name, c := range map[string]struct {
		answer           http.HandlerFunc
		code, text, next string
	}{
		"another redirect_uri, with a code":    {says(400, jsonType, `{"error":"redirect_uri_mismatch","error_description":"Parameter redirect_uri does not match registered URI"}`), "redirect_uri_mismatch", "Auth callback URL", registered},
		"another redirect_uri, as bare text":   {says(400, jsonType, `{"error":"Parameter redirect_uri does not match registered URI"}`), "redirect_uri_mismatch", "", "earlier tunnel"},
		"a spent code":                         {says(400, jsonType, `{"error":"invalid_grant","error_description":"The access grant you supplied is invalid"}`), "invalid_grant", "spent", "install the app again"},
		"an unknown client":                    {says(400, jsonType, `{"error":"Invalid client id."}`), "invalid_client", "Invalid client id.", "client_secret"},
		"a wrong secret":                       {says(400, jsonType, `{"error":"invalid_client","error_description":"Parameter client_secret does not match"}`), "invalid_client", "does not match", "Developer Portal"},
		"401 every time":                       {says(401, jsonType, `{"status":401,"title":"Not you"}`), "invalid_client", "Not you", "Developer Portal"},
		"a missing parameter":                  {says(400, jsonType, `{"error":"invalid_request","error_description":"Missing required parameter code"}`), "invalid_request", "Missing required parameter code", "install"},
		"a strange grant type":                 {says(400, jsonType, `{"error":"unsupported_grant_type"}`), "unsupported_grant_type", "", ""},
		"a scope nobody granted":               {says(400, jsonType, `{"error":"invalid_scope","error_description":"The request scope was never granted by the user"}`), "invalid_scope", "never granted", "scopes"},
		"an error with status 200":             {says(200, jsonType, `{"error":"invalid_grant"}`), "invalid_grant", "spent", ""},
		"the redirect page":                    {says(302, "text/html", `<html><body>You are being <a href="https://login.bigcommerce.com/login">redirected</a>.</body></html>`), "html", "web page", "install"},
		"a web page with status 200":           {says(200, "text/html", "\n<!DOCTYPE html><title>x</title>"), "html", "web page", ""},
		"a redirect, with Go's page":           {redirects, "refused", "redirects to /elsewhere", "login_url"},
		"a redirect without a page":            {quiet, "refused", "https://evil.example/?code=••••", ""},
		"words":                                {says(400, "text/plain", "no"), "not_json", "", "login_url"},
		"an empty answer":                      {says(200, jsonType, ""), "not_json", "", ""},
		"a list":                               {says(200, jsonType, "[]"), "not_json", "", ""},
		"no token":                             {says(200, jsonType, `{"scope":"a","context":"stores/nffse6w1bi"}`), "no_token", "", ""},
		"a token with a line break":            {says(200, jsonType, `{"access_token":"a\r\nX: b","scope":"a","context":"stores/nffse6w1bi"}`), "no_token", "", ""},
		"scope null":                           {says(200, jsonType, `{"access_token":"tok-12345","scope":null,"context":"stores/nffse6w1bi"}`), "no_scope", "403", "context"},
		"another store":                        {says(200, jsonType, strings.Replace(goodAnswer, "nffse6w1bi", "abc", 1)), "refused", "stores/abc", ""},
		"a store that climbs":                  {says(200, jsonType, strings.Replace(goodAnswer, "nffse6w1bi", "../x", 1)), "refused", "names no store", ""},
		"trouble":                              {says(503, "text/plain", "down"), "refused", "trouble", "wait"},
		"trouble, in JSON":                     {says(500, jsonType, `{"message":"oops"}`), "refused", "trouble: oops", "wait"},
		"too many":                             {says(429, jsonType, `{"title":"slow down"}`), "refused", "slow down", "wait a minute"},
		"an answer without end":                {says(200, jsonType, strings.Repeat(" ", maxAnswer)+goodAnswer), "not_json", "longer than 65536", ""},
		"an error that types on your terminal": {says(400, jsonType, `{"error":"\u001b]0;x\u0007"}`), "refused", `\x1b]0;x\x07`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			host := newLoginHost(t, c.answer)
			_, err := host.client(t).Exchange(t.Context(), guideInstall, registered)
			var e *ExchangeError
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *ExchangeError", err)
			}
			if e.Code != c.code || !strings.Contains(e.Text, c.text) || !strings.Contains(e.Next, c.next) || e.Next == "" || e.Status == 0 {
				t.Errorf("got %s (%d): %s; %s", e.Code, e.Status, e.Text, e.Next)
			}
			if host.asked() != 1 {
				t.Errorf("the host was asked %d times", host.asked())
			}
			if len(e.Body) > maxErrorBody || strings.ContainsRune(e.Error(), 0x1b) {
				t.Errorf("not fit to be shown: %q %q", e.Error(), e.Body)
			}
		})
	}
}

func TestBracesAroundTheCredentialsAreNamed(t *testing.T) {
	host := newLoginHost(t, says(400, "application/json", `{"error":"Invalid client id."}`))
	c := host.client(t)
	c.App.ClientID = "{" + c.App.ClientID + "}"
	var e *ExchangeError
	if _, err := c.Exchange(t.Context(), guideInstall, registered); !errors.As(err, &e) || !strings.Contains(e.Next, "braces") {
		t.Errorf("got %v", err)
	}
}

func TestATokenWithoutScopesIsStillHandedBack(t *testing.T) {
	host := newLoginHost(t, says(200, "application/json", `{"access_token":"tok-12345","scope":null,"context":"stores/nffse6w1bi"}`))
	g, err := host.client(t).Exchange(t.Context(), guideInstall, registered)
	if err == nil || g.Token != "tok-12345" {
		t.Errorf("got %v, %v", g, err)
	}
}

func TestNoSecretIsInAnError(t *testing.T) {
	secret := vectorApp.ClientSecret.Reveal()
	echoes := map[string]http.HandlerFunc{
		"everything as JSON": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":"bad %s and %s","access_token":"tok-sentinel","client_secret":%q}`, secret, guideInstall.Code, secret)
		},
		"everything as words":   says(500, "text/plain", "secret="+secret+" code "+guideInstall.Code),
		"the secret, cut off":   says(400, "text/plain", strings.Repeat("x", 480)+secret),
		"cut at the limit":      says(400, "text/plain", strings.Repeat("x", maxAnswer-20)+secret),
		"a token without scope": says(200, "application/json", `{"access_token":"tok-sentinel","scope":null,"context":"stores/nffse6w1bi"}`),
		"a token for another":   says(200, "application/json", `{"access_token":"tok-sentinel","scope":"a","context":"stores/zzz"}`),
	}
	for name, answer := range echoes {
		t.Run(name, func(t *testing.T) {
			host := newLoginHost(t, answer)
			_, err := host.client(t).Exchange(t.Context(), guideInstall, registered)
			var e *ExchangeError
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			all := fmt.Sprintf("%v %+v %#v %s", err, *e, e, e.Hint())
			for _, s := range []string{secret, secret[:12], guideInstall.Code, "tok-sentinel"} {
				if strings.Contains(all, s) {
					t.Errorf("%q is in %s", s, all)
				}
			}
		})
	}
}

func TestExchangeAsksNobodyWithoutWhatItNeeds(t *testing.T) {
	host := newLoginHost(t, says(200, "application/json", goodAnswer))
	without := func(change func(*Client, *Install, *string)) (Client, Install, string) {
		c, in, uri := host.client(t), guideInstall, registered
		change(&c, &in, &uri)
		return c, in, uri
	}
	for name, change := range map[string]func(*Client, *Install, *string){
		"a client id":     func(c *Client, _ *Install, _ *string) { c.App.ClientID = "" },
		"a client secret": func(c *Client, _ *Install, _ *string) { c.App.ClientSecret = "" },
		"a code":          func(_ *Client, in *Install, _ *string) { in.Code = "" },
		"a context":       func(_ *Client, in *Install, _ *string) { in.Context = "" },
		"a redirect_uri":  func(_ *Client, _ *Install, uri *string) { *uri = "" },
		"a login host":    func(c *Client, _ *Install, _ *string) { c.Login = nil },
	} {
		c, in, uri := without(change)
		var e *ExchangeError
		if _, err := c.Exchange(t.Context(), in, uri); !errors.As(err, &e) || e.Status != 0 || e.Hint() == "" {
			t.Errorf("without %s: %v", name, err)
		}
	}
	if host.asked() > 0 {
		t.Errorf("the host was asked %d times", host.asked())
	}
}

func TestExchangeExplainsWhyThereIsNoAnswer(t *testing.T) {
	hang := newLoginHost(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	slow := hang.client(t)
	slow.HTTP.Timeout = 30 * time.Millisecond
	stopped, stop := context.WithCancel(t.Context())
	stop()
	closed := newLoginHost(t, says(200, "", ""))
	gone := closed.client(t)
	closed.Close()
	distrusted := newLoginHost(t, says(200, "application/json", goodAnswer)).client(t)
	distrusted.HTTP = nil
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	short := slow
	short.HTTP = &http.Client{Timeout: 30 * time.Millisecond}
	short.Login = &url.URL{Scheme: "https", Host: silent.Addr().String()}
	plain := httptest.NewServer(says(200, "application/json", goodAnswer))
	t.Cleanup(plain.Close)
	clear := slow
	clear.HTTP = nil
	clear.Login = &url.URL{Scheme: "https", Host: plain.Listener.Addr().String()}
	breaks := newLoginHost(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"access_token":"tok-sentinel"`)
	}).client(t)
	for name, c := range map[string]struct {
		client     Client
		ctx        context.Context
		code, text string
	}{
		"a host that hangs":                      {slow, t.Context(), "timeout", "did not answer in time"},
		"a host that does not even shake hands":  {short, t.Context(), "timeout", "did not answer in time"},
		"a caller that stops":                    {slow, stopped, "unreachable", "stopped"},
		"a port where nobody listens":            {gone, t.Context(), "unreachable", "cannot be reached"},
		"a certificate nobody trusts":            {distrusted, t.Context(), "unreachable", "certificate"},
		"a host that speaks no TLS":              {clear, t.Context(), "unreachable", ""},
		"a connection that breaks in the answer": {breaks, t.Context(), "unreachable", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.client.Exchange(c.ctx, guideInstall, registered)
			var e *ExchangeError
			if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Text, c.text) || e.Status != 0 || e.Err == nil || e.Hint() == "" {
				t.Fatalf("got %#v", err)
			}
			if s := fmt.Sprintf("%v %v %#v %+v", err, e.Err, *e, *e); strings.Contains(s, vectorApp.ClientSecret.Reveal()) || strings.Contains(s, "sentinel") {
				t.Errorf("a secret is in %s", s)
			}
		})
	}
	if _, err := slow.Exchange(stopped, guideInstall, registered); !errors.Is(err, context.Canceled) {
		t.Errorf("the cause is hidden: %v", err)
	}
}

func TestRedirectsAreNotFollowedWhateverTheClientSays(t *testing.T) {
	other := newLoginHost(t, says(200, "application/json", goodAnswer))
	host := newLoginHost(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/oauth2/token", http.StatusPermanentRedirect)
	})
	c := host.client(t)
	c.HTTP.CheckRedirect = func(*http.Request, []*http.Request) error { return nil }
	if _, err := c.Exchange(t.Context(), guideInstall, registered); err == nil {
		t.Error("a redirect is a grant")
	}
	if other.asked() > 0 {
		t.Error("the redirect was followed")
	}
}
