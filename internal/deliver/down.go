package deliver

import (
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
)

//go:embed down.html
var downSource string

var downPage = template.Must(template.New("down").Parse(downSource))

// downPolicy allows the page's own style and nothing else; BigCommerce shows it in an iframe.
const downPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors *"

// A page that waits for the app tries again quickly for a minute, and then at leisure: a tab left
// open over lunch should not fill the journal.
const (
	retrySoon  = 3  // seconds
	retryLater = 15 // seconds
	soonTimes  = 20
)

// showFailure tells the browser why there is no answer of the app. While the app is not running
// the page tries again by itself: the callback is kept, and its code is not spent twice.
func (d *Deliverer) showFailure(w http.ResponseWriter, to *url.URL, err error) {
	v := struct {
		App, Problem string
		Retry        int // seconds; 0 is never
	}{App: to.Scheme + "://" + to.Host, Problem: why(err)}
	if isDown(err) {
		v.Retry = retrySoon
		if d.gates.miss(to.Host) > soonTimes {
			v.Retry = retryLater
		}
	}
	status := http.StatusBadGateway
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", downPolicy)
	if v.Retry > 0 {
		status = http.StatusServiceUnavailable
		h.Set("Retry-After", strconv.Itoa(v.Retry))
	}
	w.WriteHeader(status)
	_ = downPage.Execute(w, v)
}
