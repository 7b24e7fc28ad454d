package cli

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Who may come in: browser origins that are named, holders of the key, and readers only.

func TestAllowedOriginsMayCallAndNobodyElse(t *testing.T) {
	t.Parallel()
	far := newRecordingAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Vary", "Accept-Encoding")
		io.WriteString(w, "{}")
	})
	w := newWorld(t, far, []string{"BCDEV_PROXY_ALLOW_ORIGINS=http://localhost:3000"})
	const origin = "http://localhost:3000"
	noCORS := func(t *testing.T, a heard) {
		t.Helper()
		for name := range a.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("the answer has %s", name)
			}
		}
	}
	shared := func(t *testing.T, a heard) {
		t.Helper()
		if got := a.Header.Values("Access-Control-Allow-Origin"); len(got) != 1 || got[0] != origin {
			t.Errorf("Access-Control-Allow-Origin %q", got)
		}
		if !strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Origin") {
			t.Errorf("Vary %q", a.Header.Values("Vary"))
		}
		if got := a.Header.Get("Access-Control-Allow-Credentials"); got != "" {
			t.Errorf("Access-Control-Allow-Credentials %q", got)
		}
	}
	t.Run("P16 its preflight", func(t *testing.T) {
		a := w.raw(t, w.door, "OPTIONS /v3/x HTTP/1.1\r\nHost: {door}\r\nOrigin: "+origin+"\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: content-type\r\n\r\n")
		if a.StatusCode != 204 || far.hits() != 0 {
			t.Errorf("status %d, upstream was asked %d times", a.StatusCode, far.hits())
		}
		shared(t, a)
	})
	t.Run("P16 P80 its call, and upstream's own word about origins", func(t *testing.T) {
		a := w.raw(t, w.door, toStore+"Origin: "+origin+"\r\nSec-Fetch-Site: same-site\r\n\r\n")
		if a.StatusCode != 200 || far.hits() != 1 {
			t.Errorf("status %d, upstream was asked %d times", a.StatusCode, far.hits())
		}
		shared(t, a)
	})
	t.Run("its refusals can be read by it", func(t *testing.T) {
		a := w.raw(t, w.door, "GET /nowhere HTTP/1.1\r\nHost: {door}\r\nOrigin: "+origin+"\r\n\r\n")
		if a.StatusCode != 404 || a.Header.Get("Bcdev-Error") != "unknown_route" {
			t.Errorf("%d %q", a.StatusCode, a.body)
		}
		shared(t, a)
	})
	t.Run("P80 a program, without origin", func(t *testing.T) { noCORS(t, w.raw(t, w.door, toStore+"\r\n")) })
	before := far.hits()
	for _, c := range []struct{ row, headers string }{
		{"P17 a longer name", "Origin: http://localhost:3000.evil.example\r\n"},
		{"P17 another scheme", "Origin: https://localhost:3000\r\n"},
		{"P19 another port", "Origin: http://localhost:3001\r\nSec-Fetch-Site: same-site\r\n"},
		{"P19 the origin twice", "Origin: http://localhost:3000\r\nOrigin: https://evil.example\r\n"},
		{"P19 no origin, another site", "Sec-Fetch-Site: same-site\r\n"},
	} {
		t.Run(c.row, func(t *testing.T) { checkRefusal(t, w.raw(t, w.door, toStore+c.headers+"\r\n"), 403, "cross_site") })
	}
	if far.hits() != before {
		t.Error("upstream was asked")
	}
	w.finish()
}

func TestTheKeyIsAskedForAndNeverSeenAgain(t *testing.T) {
	t.Parallel()
	far := newRecordingAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/moved") {
			w.Header().Set("Location", "/stores/aaa111/v3/there")
			w.WriteHeader(http.StatusFound)
		}
	})
	w := newWorld(t, far, nil, "--key", "required", "-v")
	_, key, found := strings.Cut(w.ready.text("proxy_url"), "/k/")
	if !found || len(key) < 20 {
		t.Fatalf("proxy_url is %q", w.ready.text("proxy_url"))
	}
	wrong := strings.Repeat("A", len(key))
	for _, c := range []struct{ row, target, code string }{
		{"P20 no key", "/stores/aaa111/v3/x", "missing_key"},
		{"P20 not even for our own page", "/_bcdev/health", "missing_key"},
		{"P20 nor for the token endpoint", "/oauth2/token", "missing_key"},
		{"P21 a wrong key of the same length", "/k/" + wrong + "/stores/aaa111/v3/x", "bad_key"},
		{"P21 the beginning of the key", "/k/" + key[:10] + "/stores/aaa111/v3/x", "bad_key"},
		{"P21 an empty key", "/k//stores/aaa111/v3/x", "bad_key"},
		{"P21 the key with an escape in it", "/k/%" + hexOf(key[0]) + key[1:] + "/stores/aaa111/v3/x", "bad_key"},
		{"P21 the key somewhere else", "/stores/aaa111/v3/x?k=" + key, "missing_key"},
	} {
		t.Run(c.row, func(t *testing.T) {
			a := w.raw(t, w.door, "GET "+c.target+" HTTP/1.1\r\nHost: {door}\r\n\r\n")
			checkRefusal(t, a, 401, c.code)
			if strings.Contains(a.wrote, key) {
				t.Error("the answer holds the key")
			}
			if !strings.Contains(a.body, "/k/") {
				t.Errorf("the answer does not say how to pass the key: %s", a.body)
			}
			if far.hits() != 0 {
				t.Error("upstream was asked")
			}
		})
	}
	t.Run("P22 the key", func(t *testing.T) {
		a := w.raw(t, w.door, "GET /k/"+key+"/stores/aaa111/v3/x?y=%20 HTTP/1.1\r\nHost: {door}\r\nReferer: http://{door}/k/"+key+"/\r\n\r\n")
		if a.StatusCode != 200 || far.hits() != 1 {
			t.Fatalf("status %d %q, upstream was asked %d times", a.StatusCode, a.body, far.hits())
		}
		got := far.since(0)[0]
		if got.target != "/stores/aaa111/v3/x?y=%20" {
			t.Errorf("upstream was asked for %q", got.target)
		}
		for name, values := range got.header {
			if strings.Contains(strings.Join(values, ""), key) {
				t.Errorf("upstream received the key in %s", name)
			}
		}
	})
	t.Run("P22 a redirect within the store leads back behind the key", func(t *testing.T) {
		a := w.raw(t, w.door, "GET /k/"+key+"/v3/moved HTTP/1.1\r\nHost: {door}\r\n\r\n")
		if a.StatusCode != 302 || a.Header.Get("Location") != "/k/"+key+"/v3/there" {
			t.Errorf("%d %q", a.StatusCode, a.Header.Get("Location"))
		}
	})
	w.finish()
	for line := range strings.Lines(w.said()) {
		if strings.Contains(line, key) && !strings.Contains(line, `"event":"ready"`) {
			t.Errorf("the key was printed: %s", line)
		}
		if strings.Contains(line, wrong) {
			t.Errorf("a refused key was printed: %s", line)
		}
	}
	for name, content := range filesOf(t, w.state) {
		if name != "proxy.key" && (bytes.Contains(content, []byte(key)) || bytes.Contains(content, []byte(wrong))) {
			t.Errorf("%s holds a key", name)
		}
	}
}

func hexOf(b byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[b>>4], digits[b&15]})
}

func TestReadOnlyRefusesEveryWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newRecordingAPI(t, nil), nil, "--read-only")
	graphql := func(body string) string {
		return "POST /stores/aaa111/graphql HTTP/1.1\r\nHost: {door}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n" + body
	}
	for _, c := range []struct {
		row, request string
		passes       bool
	}{
		{"P87 POST", "POST /stores/aaa111/v3/x HTTP/1.1\r\nHost: {door}\r\nContent-Length: 2\r\n\r\n{}", false},
		{"P87 PUT", "PUT /stores/aaa111/v3/x HTTP/1.1\r\nHost: {door}\r\nContent-Length: 2\r\n\r\n{}", false},
		{"P87 PATCH", "PATCH /stores/aaa111/v3/x HTTP/1.1\r\nHost: {door}\r\nContent-Length: 2\r\n\r\n{}", false},
		{"P87 DELETE", "DELETE /stores/aaa111/v3/x HTTP/1.1\r\nHost: {door}\r\n\r\n", false},
		{"P87 GET", toStore + "\r\n", true},
		{"P54 another method in a header", toStore + "X-HTTP-Method-Override: DELETE\r\n\r\n", false},
		{"P89 a query", graphql(`{"query":"{ store { name } }"}`), true},
		{"P90 a mutation", graphql(`{"query":"mutation { x }"}`), false},
		{"P91 a mutation beside a query", graphql(`{"operationName":"A","query":"query A{a},mutation B{b}"}`), false},
		{"P92 a batch", graphql(`[{"query":"mutation{x}"}]`), false},
		{"P92 a word with an escape", graphql(`{"query":"\u006dutation{x}"}`), false},
		{"P92 the query given twice", graphql(`{"query":"{a}","query":"mutation{x}"}`), false},
		{"P92 in capitals", graphql(`{"query":"{a}","QUERY":"mutation{x}"}`), false},
		{"P92 in the URL", "GET /stores/aaa111/graphql?query=mutation%7Bx%7D HTTP/1.1\r\nHost: {door}\r\n\r\n", false},
	} {
		t.Run(c.row, func(t *testing.T) {
			before := w.far.hits()
			_, body, _ := strings.Cut(c.request, "\r\n\r\n")
			a := w.raw(t, w.door, strings.Replace(c.request, "{length}", itoa(len(body)), 1))
			if c.passes {
				if a.StatusCode != 200 || w.far.hits() != before+1 {
					t.Errorf("%d %q; upstream was asked %d times", a.StatusCode, a.body, w.far.hits()-before)
				}
				return
			}
			checkRefusal(t, a, 403, "read_only")
			if w.far.hits() != before {
				t.Errorf("upstream received %+v", w.far.since(before))
			}
		})
	}
	w.finish()
}
