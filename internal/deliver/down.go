package deliver

import (
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
)

//go:embed down.html
var downSource string

var downPage = template.Must(template.New("down").Parse(downSource))

// downPolicy allows the page's own style and nothing else; BigCommerce shows it in an iframe.
const downPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors *"

// showFailure tells the browser why there is no answer of the app. While the app is not running
// the page tries again by itself: the callback is kept, and its code is not spent twice.
func showFailure(w http.ResponseWriter, to *url.URL, err error) {
	v := struct {
		App, Problem string
		Retry        bool
	}{App: to.Scheme + "://" + to.Host, Problem: why(err), Retry: isDown(err)}
	status := http.StatusBadGateway
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", downPolicy)
	if v.Retry {
		status = http.StatusServiceUnavailable
		h.Set("Retry-After", "3")
	}
	w.WriteHeader(status)
	_ = downPage.Execute(w, v)
}
