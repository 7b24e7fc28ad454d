package cli

import (
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bcdev/internal/bigcommerce"
)

// TestS06AfterAFullSessionNoSecretLiesAnywhere does everything a day has, and then looks at every
// byte that is left: on the screen, in the state folder, in what was exported.
func TestS06AfterAFullSessionNoSecretLiesAnywhere(t *testing.T) {
	t.Parallel()
	const (
		code      = "full0session0code0that0is0spent"
		appCookie = "app0cookie0of0the0merchant"
	)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "s", Value: appCookie})
		io.WriteString(w, "hello from the app")
	}))
	defer app.Close()
	far := tokenEndpoint(t)
	w := newWorld(t, far, []string{"BCDEV_APP_FORWARD_TO=" + app.URL, forwardOn}, "-v")

	// the install, the app's own exchange of the same code, the load, a webhook
	w.call(t, "/auth?code="+code+"&context=stores%2Fccc333&scope=store_v2_products&account_uuid=u", "Cookie: a=browser0cookie0of0merchant")
	w.next("grant")
	own := `{"client_id":"bcdev0clientid0example","client_secret":"` + guideSecret + `","code":"` + code + `","context":"stores/ccc333","scope":"store_v2_products","grant_type":"authorization_code","redirect_uri":"https://tunnel.example/auth"}`
	res, body := ask(t, "POST", "http://"+w.door+"/oauth2/token", own, "Content-Type", "application/json")
	if res.StatusCode != 200 || !strings.Contains(body, grantedToken) || far.hits() != 1 {
		t.Errorf("the app's own exchange: %d %q, login was asked %d times", res.StatusCode, body, far.hits())
	}
	now := time.Now().Unix()
	jwt := token(`{"typ":"JWT","alg":"HS256"}`, map[string]any{
		"aud": "bcdev0clientid0example", "iss": "bc", "iat": now, "nbf": now - 5, "exp": now + 3600, "jti": "j", "sub": "stores/ccc333",
		"user": map[string]any{"id": 1, "email": "a@example.com"}, "owner": map[string]any{"id": 1, "email": "a@example.com"}, "url": "/", "channel_id": nil,
	}, sha256.New, guideSecret)
	w.call(t, "/load?signed_payload_jwt="+jwt)
	hook := `{"scope":"store/order/created","producer":"stores/ccc333","hash":"h","created_at":1,"store_id":"1","data":{"type":"order","id":1}}`
	signed := bigcommerce.App{ClientID: "bcdev0clientid0example", ClientSecret: guideSecret}.SignWebhook("msg_1", time.Now(), []byte(hook))
	var lines []string
	for name := range signed {
		lines = append(lines, name, signed.Get(name))
	}
	if res, _ := ask(t, "POST", "http://"+w.public+"/webhooks", hook, append(lines, "Content-Type", "application/json")...); res.StatusCode != 200 {
		t.Errorf("the webhook: %d", res.StatusCode)
	}
	if e := w.next("webhook"); e.text("signature") != "valid" {
		t.Errorf("the webhook was told as %v", e)
	}
	w.next("delivery")

	// calls with everything a client may carry, at both doors
	w.raw(t, w.door, "GET /stores/ccc333/v3/x?access_token="+grantedToken+" HTTP/1.1\r\nHost: {door}\r\nAuthorization: Bearer client0bearer0token\r\nCookie: c=client0cookie0value\r\nX-Auth-Token: client0made0this\r\n\r\n")
	in := w.through(t, "api.bigcommerce.com")
	request := "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: api.bigcommerce.com\r\nX-Auth-Token: client0made0this\r\nConnection: close\r\n\r\n"
	io.WriteString(in, request)
	readAnswer(t, in, request)
	in.Close()

	// what the commands show and write
	config := configFile(t, hostileConfig(far.URL))
	out := t.TempDir()
	for _, args := range [][]string{
		{"list"}, {"list", "--json"}, {"show", "latest", "auth"}, {"show", "latest", "auth", "--json"}, {"show", "latest", "load"}, {"show", "latest"},
		{"stores"}, {"stores", "--json"}, {"export", "latest", "--as", "curl"}, {"export", "latest", "auth", "--as", "curl"},
		{"export", "--since", "1h", "--as", "har", "-o", filepath.Join(out, "all.har")}, {"export", "--since", "1h", "--as", "postman", "-o", filepath.Join(out, "all.json")},
	} {
		exit, stdout, stderr := w.command(nil, append(args, "--config", config)...)
		if exit != 0 {
			t.Errorf("%q ends with %d: %s", args, exit, stderr)
		}
		for _, s := range []string{grantedToken, tokenA, tokenB, guideSecret, jwt[len(jwt)-43:], appCookie, "client0bearer0token", "client0cookie0value", "client0made0this", "browser0cookie0of0merchant"} {
			if strings.Contains(stdout+stderr, s) {
				t.Errorf("%q shows %q", args, s)
			}
		}
	}
	w.secrets = append(w.secrets, grantedToken, jwt[len(jwt)-43:], appCookie, "client0bearer0token", "client0cookie0value", "client0made0this", "browser0cookie0of0merchant")
	w.finish()
	checkClean(t, "", w.state, code)
	checkClean(t, "", out, append(w.secrets, code)...)
	if left, err := os.ReadDir(out); err != nil || len(left) == 0 {
		t.Errorf("nothing was exported: %v", err)
	}
}
