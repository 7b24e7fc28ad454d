package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

const exchange = `{"client_id":"c","client_secret":"s","code":"abc","grant_type":"authorization_code"}`

func TestASpentCodeIsAnsweredHere(t *testing.T) {
	u := newUpstream(t, false, nil)
	var seen string
	s := openDoor(t, u, func(o *Options) {
		o.Token = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
			seen = string(body)
			io.WriteString(w, `{"access_token":"x"}`)
			return true
		}
	})
	res, body := do(t, "POST", s.URL+"/oauth2/token", nil, strings.NewReader(exchange))
	if res.StatusCode != http.StatusOK || body != `{"access_token":"x"}` || seen != exchange {
		t.Errorf("answer %d %q; Token saw %q", res.StatusCode, body, seen)
	}
	u.none(t)
}

func TestAnotherExchangeGoesUpstreamUnsignedAndIsLearned(t *testing.T) {
	for status, learns := range map[int]bool{200: true, 400: false} {
		u := newUpstream(t, true, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, `{"access_token":"y"}`)
		})
		var learned []string
		s := openDoor(t, u, func(o *Options) {
			o.Token = func(http.ResponseWriter, *http.Request, []byte) bool { return false }
			o.Learned = func(request, response []byte) { learned = append(learned, string(request)+string(response)) }
			o.Headers = http.Header{"Authorization": {"Basic abc"}}
			o.ReadOnly = func(string) bool { return true }
		})
		res, body := do(t, "POST", s.URL+"/oauth2/token", http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "X-Auth-Token": {"a"}, "Cookie": {"b=c"}, "Accept-Encoding": {"gzip"},
		}, strings.NewReader(exchange))
		if res.StatusCode != status || body != `{"access_token":"y"}` {
			t.Errorf("answer %d %q", res.StatusCode, body)
		}
		got := u.only(t)
		if got.Method != http.MethodPost || got.URI != "/oauth2/token" || got.Body != exchange || got.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("the login host received %+v", got)
		}
		for _, name := range []string{"X-Auth-Token", "X-Auth-Client", "Authorization", "Cookie", "Accept-Encoding"} {
			if got.Header.Get(name) != "" {
				t.Errorf("the login host received %s: %s", name, got.Header.Get(name))
			}
		}
		if learns != (len(learned) == 1 && learned[0] == exchange+`{"access_token":"y"}`) {
			t.Errorf("status %d: learned %q", status, learned)
		}
	}
}

func TestAnExchangeWithoutEndIsRefused(t *testing.T) {
	u := newUpstream(t, false, nil)
	s := openDoor(t, u, nil)
	res, body := do(t, "POST", s.URL+"/oauth2/token", nil, strings.NewReader(strings.Repeat("a", tokenBody+1)))
	refused(t, res, body, 413, "body_too_large")
	u.none(t)
}
