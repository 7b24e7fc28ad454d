package serve

import (
	"encoding/json"
	"net/http"
)

// Refuse answers with an error of bcdev's own: JSON {"error":{"code","message","hint"}} and the
// header Bcdev-Error. Nothing of the request is in it.
func Refuse(w http.ResponseWriter, status int, code, message, hint string) {
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Hint    string `json:"hint"`
		} `json:"error"`
	}
	body.Error.Code, body.Error.Message, body.Error.Hint = code, message, hint
	text, _ := json.Marshal(body) // strings alone cannot fail
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Bcdev-Error", code)
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}

// refusal is one way the guard says no.
type refusal struct {
	status              int
	code, message, hint string
}

var (
	badHost = refusal{http.StatusBadRequest, "bad_host",
		"the request names no host", "send a Host header: HTTP/1.1 clients do"}
	hostNotAllowed = refusal{http.StatusForbidden, "host_not_allowed",
		"this door answers to its own local address only", "use the address that was shown at start, port included"}
	absoluteForm = refusal{http.StatusBadRequest, "absolute_form",
		"this door is not a forward proxy", "use it as a base URL; for HTTPS_PROXY, start the forward door (forward_proxy.listen)"}
	connectNotHere = refusal{http.StatusMethodNotAllowed, "connect_not_here",
		"this door opens no tunnels", "for HTTPS_PROXY, start the forward door (forward_proxy.listen)"}
	tunnelledRequest = refusal{http.StatusForbidden, "tunnelled_request",
		"this request came through a tunnel or a foreign proxy", "point tunnels at the app's callbacks, never at this door: it holds your credentials"}
	crossSite = refusal{http.StatusForbidden, "cross_site",
		"another site's page may not call this door", "if it is your own app, name its origin in proxy.allow_origins"}
	missingKey = refusal{http.StatusUnauthorized, "missing_key",
		"this door needs its key", "begin the path with /k/<key>; the key was shown at start"}
	badKey = refusal{http.StatusUnauthorized, "bad_key",
		"this is not the key of this door", "begin the path with /k/<key>; the key was shown at start and is a new one each time"}
	unknownRoute = refusal{http.StatusNotFound, "unknown_route",
		"this door has no such route", "leave out /k/<key>: no key is needed here"}
)
