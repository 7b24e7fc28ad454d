package cli

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
)

// An app that spends its code by itself gets the same grant again for it: on a refresh of the
// page, and when a replay brings the callback to it once more.
func TestACodeThatTheAppHasSpentIsSpentOnce(t *testing.T) {
	values := map[string]string{
		"client_id": "bcdev0clientid0example", "client_secret": guideSecret, "code": guideCode, "scope": guideScope,
		"grant_type": "authorization_code", "redirect_uri": "https://tunnel.example/", "context": "stores/nffse6w1bi",
	}
	form := url.Values{}
	for name, v := range values {
		form.Set(name, v)
	}
	asJSON, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	for kind, body := range map[string]string{"application/json": string(asJSON), "application/x-www-form-urlencoded": form.Encode()} {
		t.Run(kind, func(t *testing.T) {
			far := guideFarSide(t)
			r := start(t, []string{"BCDEV_APP_EXCHANGE=app"}, "up", "--json", "--config", configFile(t, guideConfig(far)))
			ready := r.next("ready")
			ask(t, "GET", "http://"+ready.text("tunnel_listen")+guideQuery, "")
			id := r.next("callback")["id"]
			for range 2 {
				res, text := ask(t, "POST", ready.text("proxy_url")+"/oauth2/token", body, "Content-Type", kind)
				var grant struct {
					Token string `json:"access_token"`
				}
				if err := json.Unmarshal([]byte(text), &grant); err != nil || res.StatusCode != http.StatusOK || grant.Token != guideToken {
					t.Errorf("the app got %d %s", res.StatusCode, text)
				}
			}
			if asked, _ := far.to("/oauth2/token"); len(asked) != 1 {
				t.Errorf("the token endpoint was asked %d times", len(asked))
			}
			if grant := r.next("grant"); grant["id"] != id {
				t.Errorf("the grant is of #%v, the callback is #%v", grant["id"], id)
			}
		})
	}
}
