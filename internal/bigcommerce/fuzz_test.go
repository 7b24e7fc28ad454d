package bigcommerce

import (
	"strings"
	"testing"
	"time"
	"unicode"
)

func FuzzParseInstall(f *testing.F) {
	for _, seed := range []string{guideQuery, "code=a&code=b", "error=%1b", "code=a&context=stores%2Fa&scope=%ff", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		in, err := ParseInstall(query)
		if err != nil {
			if strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Fatalf("%q is refused with %q", query, err)
			}
			return
		}
		if in.Code == "" || !ValidStoreHash(in.Store) || in.Context != "stores/"+in.Store || len(in.Scopes) == 0 {
			t.Fatalf("%q gives %+v", query, in)
		}
	})
}

func FuzzParseLogLine(f *testing.F) {
	for _, seed := range []string{
		`Started GET "/?` + guideQuery + `" for 1.2.3.4`, `Parameters: {"code"=>"a", "context"=>"stores/a", "scope"=>"b"}`,
		`{"a":{"code":"x","context":"stores/a","scope":"b"}}`, `{"message":"\"code\" => \"a\", \"context\" => \"stores/a\", \"scope\" => \"b\""}`,
		strings.ReplaceAll(guideQuery, "&", "&amp;"), `path="/auth?code=a&context=stores/a&scope=b c"`, vectorJWT,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		in, ok := ParseLogLine(line)
		if ok && (in.Code == "" || !ValidStoreHash(in.Store) || len(in.Scopes) == 0 || strings.ContainsFunc(in.Code, unicode.IsControl)) {
			t.Fatalf("%q gives %+v", line, in)
		}
		FindPayload(line)
	})
}

func FuzzVerifyPayload(f *testing.F) {
	for _, seed := range []string{vectorJWT, vectorLegacy, "a.b.c", ".", "eyJhbGciOiJub25lIn0..", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		trimmed := strings.TrimSpace(token)
		if p, err := vectorApp.VerifyPayload(token, issued); err == nil && trimmed != vectorJWT {
			t.Fatalf("%q is accepted: %+v", token, p)
		}
		if p, err := vectorApp.VerifyLegacy(token); err == nil && p.Store != "abc123xyz" {
			t.Fatalf("%q is accepted: %+v", token, p)
		}
		p, err := DecodePayload(token)
		if err != nil && strings.ContainsFunc(err.Error(), unicode.IsControl) {
			t.Fatalf("%q is refused with %q", token, err)
		}
		SkewWords(p, time.Unix(0, 0))
	})
}

func FuzzWebhook(f *testing.F) {
	f.Add(vectorBody, "data.id", "119")
	f.Add(`{"scope":"store/x","data":[{"price_list_id":5}]}`, "data.0.x", `"`)
	f.Fuzz(func(t *testing.T, body, path, value string) {
		w, err := ParseWebhook([]byte(body))
		if err != nil {
			return
		}
		if _, _, p := w.Resource(); strings.Contains(p, "..") || strings.ContainsFunc(p, unicode.IsSpace) {
			t.Fatalf("%q is fetched from %q", body, p)
		}
		FindEvent(w.Scope)
		if doc, err := SetJSON([]byte(body), path, value); err == nil && path != "scope" && len(doc) > 0 {
			if _, err := parseObject(doc); err != nil {
				t.Fatalf("%q becomes %q", body, doc)
			}
		}
	})
}

func FuzzParseGrant(f *testing.F) {
	f.Add(goodAnswer, "application/json")
	f.Add(`{"access_token":"a","scope":null}`, "")
	f.Fuzz(func(t *testing.T, body, kind string) {
		g, err := ParseGrant([]byte(body), issued)
		if err == nil && (!headerSafe(g.Token.Reveal()) || len(g.Scopes) == 0) {
			t.Fatalf("%q gives %+v", body, g)
		}
		_, _ = ParseTokenRequest(kind, []byte(body))
		Explain(Answer{Method: "POST", Path: "/v3/x", Status: 422, Body: []byte(body)})
	})
}
