package capture

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseStatus(t *testing.T) {
	for s, want := range map[string][2]int{"404": {404, 404}, "4xx": {400, 499}, "5XX": {500, 599}, "<400": {1, 399}, "<=400": {1, 400},
		">=500": {500, 999}, "> 499": {500, 999}, "0": {0, 0}, " 200 ": {200, 200}} {
		low, high, err := ParseStatus(s)
		if err != nil || low != want[0] || high != want[1] {
			t.Errorf("%q is %d to %d, %v", s, low, high, err)
		}
	}
	for _, s := range []string{"", "xx", "4x", "0xx", "=200", "-1", "1000", "<", "four", "4xx5"} {
		if _, _, err := ParseStatus(s); err == nil {
			t.Errorf("%q was understood", s)
		}
	}
}

func FuzzParseStatus(f *testing.F) {
	for _, s := range []string{"404", "4xx", "<400", ">=500", "0", "", "<", "９９９"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		low, high, err := ParseStatus(s)
		if err == nil && (low < 0 || high > 999+1) {
			t.Errorf("%q is %d to %d", s, low, high)
		}
	})
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"17", "latest", "latest auth", "latest store/order/created", "", "-1", "../x", "latest store/%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseRef(s)
		if err == nil && r.id <= 0 && !strings.Contains(s, "latest") {
			t.Errorf("%q became %+v", s, r)
		}
	})
}

func FuzzReadHead(f *testing.F) {
	f.Add(appendHead(nil, &Message{Header: http.Header{"A": {"1", "\xff"}}, Size: 5, SHA256: emptyHash}, &Message{Truncated: true}))
	f.Add([]byte{1, 4, 2, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		request, response, err := readHead(b)
		if err != nil || len(b) == 0 {
			return
		}
		again, other, err := readHead(appendHead(nil, &request, &response))
		if err != nil || !cmp.Equal(request, again) || !cmp.Equal(response, other) {
			t.Errorf("%+v became %+v, %v", request, again, err)
		}
	})
}

func FuzzAgainst(f *testing.F) {
	for _, s := range []string{"/", "/a?b", "//x", "/%zz", "http://h/p", "*", "/a|b?", "?q"} {
		f.Add(s)
	}
	base := &url.URL{Scheme: "http", Host: "local:1"}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := against(base, target)
		if err != nil {
			return
		}
		if u.Host != base.Host || u.Scheme != base.Scheme {
			t.Fatalf("%q goes to %s", target, u.Host)
		}
		exact := strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//") // net/url escapes behind "//"
		if exact && u.RequestURI() != target {
			t.Errorf("%q becomes %q", target, u.RequestURI())
		}
	})
}
