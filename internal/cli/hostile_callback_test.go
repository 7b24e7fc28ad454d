package cli

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bcdev/capture"
)

// The public door: strangers with a URL.

const grantedToken = "granted0token0that0must0never0show"

// tokenEndpoint answers every exchange with a grant for the store ccc333.
func tokenEndpoint(t *testing.T) *recordingAPI {
	return newRecordingAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/oauth2/token" {
			fmt.Fprintf(w, `{"access_token":%q,"scope":"store_v2_products","user":{"id":1,"email":"a@example.com"},"context":"stores/ccc333"}`, grantedToken)
			return
		}
		io.WriteString(w, "{}")
	})
}

func (w *world) call(t *testing.T, target string, headers ...string) heard {
	t.Helper()
	return w.raw(t, w.public, "GET "+target+" HTTP/1.1\r\nHost: tunnel.example\r\n"+strings.Join(headers, "\r\n")+strings.Repeat("\r\n", min(len(headers), 1))+"\r\n")
}

func TestThePublicDoorHasTheCallbacksAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tokenEndpoint(t), nil)
	for _, target := range []string{
		"/stores/aaa111/v3/catalog/products", "/v3/catalog/products", "/graphql", "/oauth2/token", // C01
		"/api/requests", "/api/exchanges", "/api/status", "/_/", "/debug/pprof/", "/metrics", "/_bcdev/health", "/_bcdev/ca.pem", "/k/x/v3/x", // C02
		"/", "/favicon.ico", "/auth/", "/auth/..", "/AUTH", "//auth", "/%61uth/x", "/load/x", "/../auth",
		"/?code=abc&context=stores%2Faaa111&scope=x",
	} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			a := w.raw(t, w.public, method+" "+target+" HTTP/1.1\r\nHost: tunnel.example\r\nContent-Length: 0\r\n\r\n")
			if a.StatusCode != 404 {
				t.Errorf("C01 %s %s: %d", method, target, a.StatusCode)
			}
			if strings.Contains(a.wrote, "aaa111") || a.Header.Get("Location") != "" {
				t.Errorf("C01 %s %s tells %q", method, target, a.wrote)
			}
		}
	}
	a := w.raw(t, w.public, "CONNECT api.bigcommerce.com:443 HTTP/1.1\r\nHost: api.bigcommerce.com:443\r\n\r\n")
	b := w.raw(t, w.public, "GET http://"+w.door+"/stores/aaa111/v3/x HTTP/1.1\r\nHost: "+w.door+"\r\n\r\n")
	if a.StatusCode != 404 || b.StatusCode != 404 || w.far.hits() != 0 {
		t.Errorf("C01 as a proxy: %d, %d; upstream was asked %d times", a.StatusCode, b.StatusCode, w.far.hits())
	}
	w.finish()
}

func TestC05OneCodeIsSpentOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tokenEndpoint(t), nil)
	w.secrets = append(w.secrets, grantedToken)
	const callback = "/auth?code=once0only0code&context=stores%2Fccc333&scope=store_v2_products"
	// C19: the address that the exchange names is never what a request says about itself.
	first := w.call(t, callback, "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http", "Forwarded: host=evil.example")
	second := w.call(t, callback)
	if first.StatusCode != 200 || second.StatusCode != 200 || first.body != second.body {
		t.Errorf("%d and %d, the same page: %v", first.StatusCode, second.StatusCode, first.body == second.body)
	}
	if strings.Contains(first.body, grantedToken) {
		t.Error("the page shows the token")
	}
	asked := w.far.since(0)
	if len(asked) != 1 {
		t.Fatalf("the token endpoint was asked %d times", len(asked))
	}
	var sent map[string]string
	if err := json.Unmarshal([]byte(asked[0].body), &sent); err != nil || sent["redirect_uri"] != "https://tunnel.example/auth" {
		t.Errorf("C19: redirect_uri is %q %v", sent["redirect_uri"], err)
	}
	w.finish()
	var marks [][]string
	for _, e := range w.exchanges() {
		if e.Kind == capture.Auth {
			marks = append(marks, e.Marks)
		}
	}
	if len(marks) != 2 || slices.Contains(marks[0], "repeat") || !slices.Contains(marks[1], "repeat") {
		t.Errorf("the journal's marks are %q", marks)
	}
	for name, content := range filesOf(t, w.state) {
		if bytes.Contains(content, []byte("once0only0code")) {
			t.Errorf("%s holds the code", name)
		}
	}
}

func TestCallbacksThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tokenEndpoint(t), nil)
	const scope = "&scope=store_v2_products"
	for _, c := range []struct {
		row, target string
		status      int
	}{
		{"C06 a code twice", "/auth?code=a1&code=b2&context=stores/ccc333" + scope, 400},
		{"C06 a context twice", "/auth?code=a1&context=stores/ccc333&context=stores/ddd444" + scope, 400},
		{"no code", "/auth?context=stores/ccc333" + scope, 400},
		{"a context that is no store", "/auth?code=a1&context=stores/../ccc333" + scope, 400},
		{"a context with a control byte", "/auth?code=a1&context=stores/ccc%0a333" + scope, 400},
		{"nothing", "/auth", 400},
		{"a query of 40 KiB", "/auth?code=" + strings.Repeat("a", 40<<10) + "&context=stores/ccc333" + scope, 414},
	} {
		t.Run(c.row, func(t *testing.T) {
			if a := w.call(t, c.target); a.StatusCode != c.status {
				t.Errorf("status %d, want %d", a.StatusCode, c.status)
			}
		})
	}
	t.Run("HEAD spends nothing", func(t *testing.T) {
		a := w.raw(t, w.public, "HEAD /auth?code=a1&context=stores/ccc333"+scope+" HTTP/1.1\r\nHost: tunnel.example\r\n\r\n")
		if a.StatusCode != 200 {
			t.Errorf("status %d", a.StatusCode)
		}
	})
	t.Run("POST spends nothing", func(t *testing.T) {
		a := w.raw(t, w.public, "POST /auth?code=a1&context=stores/ccc333"+scope+" HTTP/1.1\r\nHost: tunnel.example\r\nContent-Length: 0\r\n\r\n")
		if a.StatusCode != 405 {
			t.Errorf("status %d", a.StatusCode)
		}
	})
	if n := w.far.hits(); n != 0 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	if !strings.Contains(w.said(), "code") {
		t.Error("nothing was said")
	}
	w.finish()
}

// token makes a JWT as an attacker would.
func token(header string, claims map[string]any, newHash func() hash.Hash, secret string) string {
	payload, _ := json.Marshal(claims)
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	if newHash == nil {
		return text + "."
	}
	mac := hmac.New(newHash, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestSignedPayloadsThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tokenEndpoint(t), nil)
	w.call(t, "/auth?code=code0for0a0store&context=stores%2Fccc333&scope=store_v2_products")
	w.next("grant")
	now := time.Now().Unix()
	claims := map[string]any{
		"aud": "bcdev0clientid0example", "iss": "bc", "iat": now, "nbf": now - 5, "exp": now + 3600, "jti": "j",
		"sub": "stores/ccc333", "user": map[string]any{"id": 1, "email": "a@example.com"}, "owner": map[string]any{"id": 1, "email": "a@example.com"}, "url": "/", "channel_id": nil,
	}
	expired := map[string]any{}
	for k, v := range claims {
		expired[k] = v
	}
	expired["exp"] = now - 60
	const hs256 = `{"typ":"JWT","alg":"HS256"}`
	good := token(hs256, claims, sha256.New, guideSecret)
	for _, c := range []struct{ row, jwt, mark string }{
		{"C15 no algorithm", token(`{"alg":"none"}`, claims, nil, ""), "invalid:algorithm"},
		{"C15 no algorithm, in capitals", token(`{"alg":"NONE"}`, claims, nil, ""), "invalid:algorithm"},
		{"C15 no algorithm, with a signature", token(`{"alg":"none"}`, claims, sha256.New, guideSecret), "invalid:algorithm"},
		{"C16 another secret", token(hs256, claims, sha256.New, "another"), "invalid:signature"},
		{"C16 an empty secret", token(hs256, claims, sha256.New, ""), "invalid:signature"},
		{"C16 RS256", token(`{"alg":"RS256"}`, claims, sha256.New, guideSecret), "invalid:algorithm"},
		{"C16 ES256", token(`{"alg":"ES256"}`, claims, sha256.New, guideSecret), "invalid:algorithm"},
		{"C16 HS512 with the right secret", token(`{"alg":"HS512"}`, claims, sha512.New, guideSecret), "invalid:algorithm"},
		{"C16 a key of its own", token(`{"alg":"HS256","jwk":{"kty":"oct","k":""},"kid":"../../dev/null"}`, claims, sha256.New, ""), "invalid:signature"},
		{"expired", token(hs256, expired, sha256.New, guideSecret), "invalid:exp"},
		{"cut off", good[:len(good)-8], "invalid:"},
		{"nothing", "", "invalid:malformed"},
	} {
		for _, path := range []string{"/load", "/uninstall", "/remove_user"} {
			a := w.call(t, path+"?signed_payload_jwt="+url.QueryEscape(c.jwt))
			if a.StatusCode != 401 {
				t.Errorf("%s: %s is answered %d", c.row, path, a.StatusCode)
			}
			if e := w.next("callback"); e["valid"] != false {
				t.Errorf("%s: %s was told as %v", c.row, path, e)
			}
		}
	}
	if a := w.get(t, "x"); a.StatusCode != 200 {
		t.Errorf("a call is answered %d", a.StatusCode)
	}
	if a := w.raw(t, w.door, "GET /stores/ccc333/v3/x HTTP/1.1\r\nHost: {door}\r\n\r\n"); a.StatusCode != 200 {
		t.Errorf("a forged uninstall has taken the grant: %d", a.StatusCode)
	}
	if a := w.call(t, "/load?signed_payload_jwt="+good); a.StatusCode != 200 {
		t.Errorf("the good one is answered %d", a.StatusCode)
	}
	if a := w.call(t, "/uninstall?signed_payload_jwt="+good); a.StatusCode != 200 {
		t.Errorf("the good uninstall is answered %d", a.StatusCode)
	}
	checkRefusal(t, w.raw(t, w.door, "GET /stores/ccc333/v3/x HTTP/1.1\r\nHost: {door}\r\n\r\n"), 404, "unknown_store")
	signature := good[strings.LastIndexByte(good, '.')+1:]
	w.secrets = append(w.secrets, signature, grantedToken)
	w.finish()
}

func TestC08NothingFromThePublicDoorReachesTheTerminalRaw(t *testing.T) {
	t.Parallel()
	far := tokenEndpoint(t)
	h := startHuman(t, hostileConfig(far.URL), "-v")
	hostile := "\x1b]0;pwned\x07\x1b]52;c;ZXZpbA==\x07\x1b[2J\rfake line\u202egnp.exe\u2066\u200b\u0085\x9b31m\x1b]8;;https://evil.example\x1b\\x"
	escaped := url.QueryEscape(hostile)
	for _, target := range []string{
		"/auth?error=" + escaped + "&error_description=" + escaped,
		"/auth?code=" + escaped + "&context=stores%2Fccc333&scope=" + escaped,
		"/auth?code=abc&context=stores%2Fccc333&scope=x+" + escaped + "&account_uuid=" + escaped,
		"/load?signed_payload_jwt=" + escaped,
		"/load?signed_payload_jwt=" + token(`{"typ":"JWT","alg":"HS256"}`, map[string]any{"sub": hostile, "user": map[string]any{"email": hostile}, "url": hostile}, sha256.New, "x"),
		"/" + url.PathEscape(hostile),
	} {
		res, _ := ask(t, "GET", "http://"+h.public+target, "", "Referer", "x")
		if res.StatusCode/100 == 5 {
			t.Errorf("%s is answered %d", clipped(target), res.StatusCode)
		}
	}
	hook, _ := json.Marshal(map[string]any{"scope": hostile, "producer": "stores/ccc333", "hash": "h", "created_at": 1, "store_id": "1", "data": map[string]any{"type": hostile, "id": 1, hostile: hostile}})
	for _, body := range []string{string(hook), hostile, `{"scope":"store/order/created","producer":"stores/` + hostile + `"}`} {
		ask(t, "POST", "http://"+h.public+"/webhooks", body, "Content-Type", "application/json")
	}
	ask(t, "GET", "http://"+h.door+"/v3/"+url.PathEscape("a\u202eb"), "")
	eventually(t, "the hostile scope is told", func() bool { return strings.Contains(h.said(), `\x1b]0;pwned`) })
	for n := range 6 {
		for _, args := range [][]string{{"show", itoa(n + 1)}, {"list"}} {
			code, out, errs := h.command(nil, append(args, "--config", configFile(t, hostileConfig(far.URL)))...)
			checkPrintable(t, out)
			checkPrintable(t, errs)
			if code != 0 {
				t.Errorf("%q ends with %d: %s", args, code, errs)
			}
		}
	}
	h.finish(tokenA, tokenB)
	w := &world{run: h.run}
	if !slices.ContainsFunc(w.exchanges(), func(e capture.Exchange) bool { return bytes.Equal(e.Request.Body, hook) }) {
		t.Error("C10: the journal does not have the webhook's own bytes")
	}
}

func TestC21ManyPartsAndManyHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tokenEndpoint(t), nil)
	a := w.raw(t, w.public, "GET /auth HTTP/1.1\r\nHost: tunnel.example\r\n"+strings.Repeat("X-A: b\r\n", 20_000)+"\r\n")
	if a.StatusCode != 431 {
		t.Errorf("20 000 header fields: %d", a.StatusCode)
	}
	parts := strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n", 100_000) + "--b--\r\n"
	begun := time.Now()
	a = w.raw(t, w.public, fmt.Sprintf("POST /webhooks HTTP/1.1\r\nHost: tunnel.example\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n%s", len(parts), parts))
	if a.StatusCode != 400 && a.StatusCode != 413 || time.Since(begun) > 5*time.Second {
		t.Errorf("100 000 parts: %d after %s", a.StatusCode, time.Since(begun))
	}
	w.finish()
}

// TestK08ARedirectOfTheTokenEndpointIsNotFollowed: Go's client would carry the body to the new host.
func TestK08ARedirectOfTheTokenEndpointIsNotFollowed(t *testing.T) {
	t.Parallel()
	evil := newRecordingAPI(t, nil)
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect} {
		far := newRecordingAPI(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", evil.URL+"/oauth2/token")
			w.WriteHeader(status)
		})
		w := newWorld(t, far, nil)
		w.call(t, "/auth?code=code0for0a0store&context=stores%2Fccc333&scope=store_v2_products")
		w.next("problem")
		if evil.hits() != 0 || far.hits() != 1 {
			t.Errorf("%d: the other host was asked %d times, login %d times", status, evil.hits(), far.hits())
		}
		w.finish()
	}
}

func TestWebhooksThatArePacked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tokenEndpoint(t), nil)
	for name, body := range bombs(t) {
		if len(body) > 1<<20 {
			body = body[:1<<20]
		}
		a := w.raw(t, w.public, fmt.Sprintf("POST /webhooks HTTP/1.1\r\nHost: tunnel.example\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", name, len(body), body))
		if a.StatusCode != 200 {
			t.Errorf("C12 %s: %d", name, a.StatusCode)
		}
		id := int(w.next("webhook")["id"].(float64))
		if code, out, errs := w.command(nil, "show", itoa(id)); code != 0 || len(out) > 12<<20 {
			t.Errorf("C12 %s: show ends with %d and prints %d bytes\n%s", name, code, len(out), errs)
		}
	}
	w.finish()
}
