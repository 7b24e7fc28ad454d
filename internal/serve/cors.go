package serve

import (
	"net/http"
	"strings"
)

// preflight answers a browser that asks whether a page of an allowed origin may send a request
// (Fetch standard, CORS-preflight fetch). It never allows credentials: the door adds its own.
func preflight(w http.ResponseWriter, r *http.Request, origin string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
	if names := headerNames(r.Header.Get("Access-Control-Request-Headers")); names != "" {
		h.Set("Access-Control-Allow-Headers", names)
	}
	// A public page that calls a private address asks for this one, too.
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
	h.Set("Access-Control-Max-Age", "600")
	h.Set("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network")
	w.WriteHeader(http.StatusNoContent)
}

// headerNames keeps what can be the name of a header, at most 32 of them.
func headerNames(list string) string {
	var names []string
	for name := range strings.SplitSeq(strings.ToLower(list), ",") {
		name = strings.TrimSpace(name)
		odd := strings.ContainsFunc(name, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
		})
		if name != "" && !odd && len(names) < 32 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// sharedWriter lets a page of an allowed origin read the answer. The headers are set at the last
// moment: proxies below replace the header map's content by upstream's.
type sharedWriter struct {
	http.ResponseWriter
	origin string
	wrote  bool
}

// WriteHeader adds what the browser asks for.
func (w *sharedWriter) WriteHeader(status int) {
	if !w.wrote {
		w.wrote = status >= 200 // 1xx come before the answer
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", w.origin)
		h.Set("Access-Control-Expose-Headers", "*")
		h.Add("Vary", "Origin")
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write begins the answer when nobody has.
func (w *sharedWriter) Write(b []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// Flush keeps streams streaming.
func (w *sharedWriter) Flush() {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap serves [http.ResponseController].
func (w *sharedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
