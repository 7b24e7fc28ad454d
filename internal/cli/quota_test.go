package cli

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestStoresTellTheQuotaOfTheLastAnswerThatNamedIt(t *testing.T) {
	far := newBigCommerce(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		if strings.HasSuffix(r.URL.Path, "/v3/catalog/products") {
			w.Header().Set("X-Rate-Limit-Requests-Left", "140") // and nothing of the window
		}
		io.WriteString(w, `{}`)
	})
	env := []string{"BCDEV_STORES={hash: nffse6w1bi, token: " + guideToken + "}"}
	r := start(t, env, "up", "--json", "--config", configFile(t, guideConfig(far)))
	door := r.next("ready").text("proxy_url")
	ask(t, "GET", door+"/v3/catalog/products", "")
	r.next("exchange")
	ask(t, "GET", door+"/v2/time", "")
	r.next("exchange")
	code, out, errs := r.command(env, "stores", "--json")
	if code != 0 || !strings.Contains(out, `"left":140`) {
		t.Errorf("exit code %d, printed:\n%s%s", code, out, errs)
	}
	if code := r.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
