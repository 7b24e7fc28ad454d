package cli

import (
	"net/http"
	"os"
	"testing"
)

func TestADemoThatIsInterruptedOnItsWayEndsInOrder(t *testing.T) {
	r := start(t, nil, "demo", "--json", "--port", "0")
	r.next("ready")
	if code := r.end(); code != 0 {
		t.Errorf("exit code %d; it said:\n%s", code, r.said())
	}
}

func TestASecondInterruptEndsWhatTheFirstOneWaitsFor(t *testing.T) {
	asked, done := make(chan struct{}), make(chan struct{})
	far := newBigCommerce(t, func(_ http.ResponseWriter, _ *http.Request, _ string) {
		close(asked)
		<-done
	})
	t.Cleanup(func() { close(done) }) // before far is closed: it waits for its requests
	r := start(t, nil, "up", "--json", "--config", configFile(t, guideConfig(far)))
	listen := r.next("ready").text("tunnel_listen")
	go func() {
		res, err := http.Get("http://" + listen + "/?code=c1&context=stores%2Fabc123&scope=store_v2_products")
		if err == nil {
			res.Body.Close()
		}
	}()
	<-asked
	r.signals <- os.Interrupt
	if code := r.end(); code != exitFailed {
		t.Errorf("exit code %d, want %d: the exchange was given up", code, exitFailed)
	}
}
