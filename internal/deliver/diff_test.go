package deliver

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"bcdev/capture"
)

func lines(s string) []string { return strings.Split(s, " ") }

func TestADiffShowsChangesWithTheirSurroundings(t *testing.T) {
	for name, c := range map[string]struct{ a, b, want string }{
		"nothing":      {"a b c", "a b c", ""},
		"one line":     {"a b c", "a x c", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"},
		"added":        {"a b", "a b c", "@@ -1,2 +1,3 @@\n a\n b\n+c\n"},
		"removed":      {"a b c", "b c", "@@ -1,3 +1,2 @@\n-a\n b\n c\n"},
		"far apart":    {"a 1 2 3 4 5 6 7 8 b", "x 1 2 3 4 5 6 7 8 y", "@@ -1,4 +1,4 @@\n-a\n+x\n 1\n 2\n 3\n@@ -7,4 +7,4 @@\n 6\n 7\n 8\n-b\n+y\n"},
		"near by":      {"a 1 2 3 4 b", "x 1 2 3 4 y", "@@ -1,6 +1,6 @@\n-a\n+x\n 1\n 2\n 3\n 4\n-b\n+y\n"},
		"in the depth": {"1 2 3 4 5 a 6 7", "1 2 3 4 5 b c 6 7", "@@ -3,6 +3,7 @@\n 3\n 4\n 5\n-a\n+b\n+c\n 6\n 7\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := unified(lines(c.a), lines(c.b)); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestADiffIsBounded(t *testing.T) {
	var a, b []string
	for i := range 50_000 {
		a, b = append(a, fmt.Sprint("a", i)), append(b, strings.Repeat("b", 3000))
	}
	got := unified(a, b)
	if n := strings.Count(got, "\n"); n > diffOutput+3 || len(got) > diffOutput*(diffLine+10) {
		t.Errorf("%d lines, %d bytes", n, len(got))
	}
}

func TestBodiesAreComparedAsPeopleReadThem(t *testing.T) {
	answer := func(encoding, body string) capture.Exchange {
		var e capture.Exchange
		e.Response.Header = http.Header{}
		e.Response.Body = []byte(body)
		if encoding == "gzip" {
			var b bytes.Buffer
			zw := gzip.NewWriter(&b)
			_, _ = zw.Write([]byte(body))
			_ = zw.Close()
			e.Response.Body = b.Bytes()
		}
		if encoding != "" {
			e.Response.Header.Set("Content-Encoding", encoding)
		}
		e.Response.Size = int64(len(e.Response.Body))
		return e
	}
	if got := diffAnswers(answer("gzip", `{"a":1}`), answer("", `{"a":2}`)); got != "@@ -1,3 +1,3 @@\n {\n-  \"a\": 1\n+  \"a\": 2\n }\n" {
		t.Errorf("gzip against plain gives\n%s", got)
	}
	if got := diffAnswers(answer("", `{"a":1}`), answer("", "{ \"a\" : 1 }\n")); got != "" {
		t.Errorf("spaces alone give\n%s", got)
	}
	if got := diffAnswers(answer("", "\xff\x00"), answer("br", "abc")); got != "the bodies differ: 2 bytes before, 3 bytes now\n" {
		t.Errorf("bytes give %q", got)
	}
}
