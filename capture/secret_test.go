package capture_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"bcdev/capture"
)

const (
	plantedToken  = "tok7h1s1sth3acc3sst0k3n0fth3st0re"
	plantedSecret = "5ecr3t0fth3app5ecr3t0fth3app5ecr3t0fth3app"
	plantedCookie = "c00k13valu3c00k13valu3"
	plantedCode   = "d3mb7lnt511jb1zl3o833ojeuy8f9r8"
	plantedJWT    = "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJhcHAifQ.c2lnbmF0dXJlc2lnbmF0dXJl"
)

// flip seals without being readable.
func flip(b []byte) ([]byte, error) {
	out := bytes.Clone(b)
	for i := range out {
		out[i] ^= 0x55
	}
	return out, nil
}

func TestNoSecretReachesTheFile(t *testing.T) {
	j, path := open(t, capture.Options{Seal: flip, Unseal: flip, Known: func() []string { return []string{plantedToken, plantedSecret} }})
	public := httptest.NewServer(j.Handler(capture.Public, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := capture.NoteOf(r.Context())
		io.Copy(io.Discard, r.Body)
		n.Set(func(e *capture.Exchange) {
			e.Kind, e.Hint, e.Detail = capture.Auth, "used "+plantedSecret, []byte(`{"t":"`+plantedToken+`"}`)
		})
		if _, err := n.Commit(r.Context(), ""); err != nil {
			t.Error(err)
		}
		n.Set(func(e *capture.Exchange) { e.Marks = append(e.Marks, plantedToken) })
		w.Header().Set("Set-Cookie", "session="+plantedCookie)
		io.WriteString(w, "hello")
	})))
	defer public.Close()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Echo", plantedToken)
		if strings.HasSuffix(r.URL.Path, "/oauth2/token") {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, `{"access_token":"`+plantedCode+`","scope":"a"}`)
			z.Close()
			return
		}
		io.WriteString(w, "you sent "+plantedToken+" and "+plantedSecret)
	}))
	defer upstream.Close()

	send := func(c *http.Client, method, url, body string, header http.Header) string {
		t.Helper()
		req, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	send(http.DefaultClient, "GET", public.URL+"/auth?code="+plantedCode+"&context=stores%2Fabc&scope=x", "",
		http.Header{"Cookie": {"a=" + plantedCookie}, "Referer": {"https://x/?code=" + plantedCode}})
	send(http.DefaultClient, "GET", public.URL+"/load?signed_payload_jwt="+plantedJWT, "", http.Header{})
	api := &http.Client{Transport: j.RoundTripper(capture.API, &http.Transport{DisableCompression: true})}
	got := send(api, "GET", upstream.URL+"/stores/abc/v3/x?q="+plantedToken, "", http.Header{"X-Auth-Token": {plantedToken}, "X-Else": {plantedToken}})
	if !strings.Contains(got, plantedToken) {
		t.Errorf("the live answer was changed: %q", got)
	}
	send(api, "POST", upstream.URL+"/oauth2/token", `{"client_secret":"`+plantedSecret+`","code":"`+plantedCode+`"}`,
		http.Header{"Content-Type": {"application/json"}})
	send(api, "POST", upstream.URL+"/oauth2/token", "client_secret="+plantedSecret+"&code="+plantedCode,
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	public.Close()
	flush(t, j)
	if _, err := j.Add(context.Background(), capture.Exchange{Target: "/auth?code=" + plantedCode, Err: plantedToken,
		Request: capture.Message{Header: http.Header{"Cookie": {"x=" + plantedCookie}}, Body: []byte(plantedToken)}}); err != nil {
		t.Fatal(err)
	}

	for _, name := range []string{path, path + "-wal"} {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for what, secret := range map[string]string{"token": plantedToken, "client secret": plantedSecret,
			"cookie": plantedCookie, "code": plantedCode, "JWT": plantedJWT} {
			if i := bytes.Index(raw, []byte(secret)); i >= 0 {
				t.Errorf("%s holds the %s: %q", name, what, raw[max(0, i-60):i+len(secret)])
			}
		}
	}
	e := get(t, j, "1")
	if !e.Sealed || strings.Contains(e.Target, plantedCode) {
		t.Errorf("target %q, sealed %v", e.Target, e.Sealed)
	}
	whole, err := j.Reveal(context.Background(), "1")
	if err != nil || whole.Target != "/auth?code="+plantedCode+"&context=stores%2Fabc&scope=x" {
		t.Errorf("revealed %q, %v", whole.Target, err)
	}
	for _, e := range find(t, j, capture.Query{Kinds: []capture.Kind{capture.Token}, Bodies: true}) {
		text, _, err := e.Response.Decoded(0)
		if err != nil || !strings.Contains(string(text), `"scope":"a"`) || strings.Contains(string(text), plantedCode) {
			t.Errorf("token answer %q, %v", text, err)
		}
	}
	if len(find(t, j, capture.Query{Kinds: []capture.Kind{capture.Token}})) != 2 {
		t.Error("the token exchanges are missing")
	}
}

func TestWithoutASealCodesAreMaskedForGood(t *testing.T) {
	j, _ := open(t, capture.Options{})
	add(t, j, capture.Exchange{Target: "/auth?code=" + plantedCode})
	e, err := j.Reveal(context.Background(), "1")
	if err != nil || e.Sealed || strings.Contains(e.Target, plantedCode) {
		t.Errorf("got %q, %v, %v", e.Target, e.Sealed, err)
	}
}
