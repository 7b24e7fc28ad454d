package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
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

// The app alone gets the answer to its exchange, and few apps show it: the terminal says why.
func TestARefusedExchangeOfTheAppsOwnIsExplainedOnTheTerminal(t *testing.T) {
	far := startFar(t)
	up := start(t, far.env, "up", "--json")
	ready := up.next("ready")
	registered := ready["callbacks"].(map[string]any)["auth"].(string)
	far.control("install", fmt.Sprintf(`{"callback":%q}`, registered))
	form := url.Values{
		"client_id": {far.ready.text("client_id")}, "client_secret": {far.ready.text("client_secret")}, "code": {up.next("callback").text("code")},
		"grant_type": {"authorization_code"}, "redirect_uri": {"http://localhost:3000/auth"},
	}
	for _, c := range []struct{ name, value, hint string }{
		{"redirect_uri", "http://localhost:3000/auth", `your app sent redirect_uri "http://localhost:3000/auth"; it has to be "` + registered + `"`},
		{"client_secret", "another", "bcdev env"},
	} {
		form.Set(c.name, c.value)
		res, _ := ask(t, "POST", ready.text("proxy_url")+"/oauth2/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		problem := up.next("problem")
		if res.StatusCode != http.StatusBadRequest || problem.text("code") != "exchange_refused" || !strings.Contains(problem.text("hint"), c.hint) {
			t.Errorf("%s: %d, %v", c.name, res.StatusCode, problem)
		}
	}
}
