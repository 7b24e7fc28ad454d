package deliver

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"bcdev/capture"
)

// passTimeout is how long a browser's callback waits for the header of the app's answer: long
// enough for a breakpoint, not for ever. The body may stream for as long as it likes.
const passTimeout = 10 * time.Minute

// errSlow is the cause of a pass that ran into passTimeout.
var errSlow = errors.New("the app did not answer in time")

// Forward passes a browser's callback, e, to the local app, and the app's own answer back. It
// reports false, having written nothing, when there is no app. When the app does not run, the
// browser gets a page that says so and tries again by itself.
func (d *Deliverer) Forward(w http.ResponseWriter, r *http.Request, e capture.Exchange) bool {
	to, ok := d.place(e)
	if !ok {
		return false
	}
	if err := d.check(to.url); err != nil {
		d.showFailure(w, to.url, err)
		return true
	}
	d.pass(w, r, e, to)
	return true
}

func (d *Deliverer) pass(w http.ResponseWriter, r *http.Request, e capture.Exchange, to target) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	slow := time.AfterFunc(passTimeout, func() { cancel(errSlow) })
	defer slow.Stop()

	trip := &recordedTrip{d: d, of: e, answered: slow.Stop}
	// The answer may break off in the middle, and then ServeHTTP panics to let the browser know.
	defer func() {
		if trip.attempt != nil {
			d.keep(r.Context(), d.judged(r.Context(), trip.attempt.end(trip.err)))
		}
	}()
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(pr *httputil.ProxyRequest) { d.rewrite(pr, to) },
		Transport:     trip,
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(d.o.Logger.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			if errors.Is(context.Cause(ctx), errSlow) {
				err = context.DeadlineExceeded
			}
			trip.err = err
			d.showFailure(w, to.url, err)
		},
	}
	proxy.ServeHTTP(w, r.WithContext(ctx))
}

// rewrite aims the request at the app and changes nothing else of it.
func (d *Deliverer) rewrite(pr *httputil.ProxyRequest, to target) {
	out := pr.Out
	out.URL.RawQuery = pr.In.URL.RawQuery // also what net/url cannot read
	if path, _, _ := strings.Cut(pr.In.RequestURI, "?"); strings.HasPrefix(path, "/") {
		setPath(out.URL, path)
	}
	to.aim(out.URL)
	out.Host = ""
	out.Header.Del("Connection")
	out.Header.Del("Upgrade") // a callback is a page, not a socket
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = nil // Go would add its own
	}
	d.forwarded(out.Header, pr.In.Host, pr.In.RemoteAddr)
}

// recordedTrip sends one request to the app and keeps it with its answer.
type recordedTrip struct {
	d        *Deliverer
	of       capture.Exchange
	answered func() bool
	attempt  *attempt
	err      error
}

// RoundTrip implements http.RoundTripper.
func (t *recordedTrip) RoundTrip(req *http.Request) (*http.Response, error) {
	t.attempt = t.d.begin(req, t.of, "pass")
	if req.Body != nil {
		req.Body = &tee{ReadCloser: req.Body, keep: t.attempt.asked}
	}
	resp, err := t.d.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	t.answered()
	t.d.reached(req.Context(), req.URL.Host)
	t.attempt.answer(resp)
	return resp, nil
}
