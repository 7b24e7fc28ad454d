package callback

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
)

// PayloadDetail is the Detail of a load, uninstall or remove_user in the journal: the claims as
// signed, without the signature.
type PayloadDetail struct {
	bigcommerce.Payload
	Problem *Problem `json:"problem,omitempty"`
}

// load is what opens the app: a browser's GET inside the control panel.
func (h *Handler) load(w http.ResponseWriter, r *http.Request) {
	e, p, err := h.lifecycle(w, r, capture.Load)
	switch {
	case e.Method == "": // answered already
	case err != nil:
		h.pages.unverified(w, err)
	case h.o.Forward != nil && h.o.Forward(w, r, e):
	default:
		h.pages.loaded(w, h.o, p)
	}
}

// uninstall ends the grant. BigCommerce's server asks, and wants no more than a 200
// (BigCommerce docs, Apps > Callbacks).
func (h *Handler) uninstall(w http.ResponseWriter, r *http.Request) {
	e, p, err := h.lifecycle(w, r, capture.Uninstall)
	switch {
	case e.Method == "":
	case err != nil:
		refuseJSON(w, err)
	default:
		h.forget(e, p.Store)
		answerJSON(w)
	}
}

func (h *Handler) removeUser(w http.ResponseWriter, r *http.Request) {
	e, _, err := h.lifecycle(w, r, capture.RemoveUser)
	switch {
	case e.Method == "":
	case err != nil:
		refuseJSON(w, err)
	default:
		answerJSON(w)
	}
}

// lifecycle verifies, records and tells one signed callback. The exchange has no method when the
// request has been refused already.
func (h *Handler) lifecycle(w http.ResponseWriter, r *http.Request, kind capture.Kind) (capture.Exchange, bigcommerce.Payload, error) {
	if len(r.URL.RawQuery) > queryLimit {
		h.pages.tooLong(w)
		return capture.Exchange{}, bigcommerce.Payload{}, nil
	}
	body, err := h.readBody(w, r, plainBodyLimit)
	if err != nil {
		h.refuseBody(w, err)
		return capture.Exchange{}, bigcommerce.Payload{}, nil
	}
	p, invalid := h.verify(r.URL.RawQuery)
	e := h.arrived(r, kind, len(body))
	key := ""
	d := PayloadDetail{Payload: p}
	if invalid != nil {
		// A stranger's claims name no store: nothing is filed under it.
		d.Problem = problemOf(invalid)
		e.Marks = []string{"signature:invalid", "invalid:" + d.Problem.Code}
		e.Hint = d.Problem.Hint
	} else {
		e.Store, e.Marks = p.Store, []string{"signature:valid"}
		if kind != capture.Load && h.queued(e) {
			key = p.Store + "/lifecycle"
		}
	}
	e.Detail = detail(d)
	e, err = h.commit(r, e, key)
	if err != nil {
		h.o.Logger.Error("the callback could not be recorded", "kind", kind, "error", err)
	}
	h.o.Told.Lifecycle(e, p, invalid)
	return e, p, invalid
}

// verify checks the signed payload of a query, the JWT before the legacy form.
func (h *Handler) verify(rawQuery string) (bigcommerce.Payload, error) {
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return bigcommerce.Payload{}, malformedPayload("the query cannot be read")
	}
	for _, name := range []string{"signed_payload_jwt", "signed_payload"} {
		switch given := values[name]; {
		case len(given) > 1:
			return bigcommerce.Payload{}, malformedPayload(name + " is given more than once")
		case len(given) == 0 || given[0] == "":
			continue
		case name == "signed_payload_jwt":
			return h.o.App.VerifyPayload(given[0], h.o.Now())
		default:
			return h.o.App.VerifyLegacy(given[0])
		}
	}
	return bigcommerce.Payload{}, malformedPayload("the request carries no signed_payload_jwt")
}

func malformedPayload(text string) error {
	return &bigcommerce.PayloadError{
		Cause: "malformed",
		Text:  text,
		Next:  "BigCommerce adds signed_payload_jwt to every load, uninstall and remove_user; check that the callback URL in the Developer Portal is the one printed at start",
	}
}

func (h *Handler) forget(e capture.Exchange, store string) {
	h.disembark(store)
	if h.o.Forget == nil {
		return
	}
	if err := h.o.Forget(store); err != nil {
		h.o.Told.Refused(e, fmt.Errorf("forgetting the grant of %s: %w", store, err))
	}
}

// deepLink is the url claim when it is a path on the app's own host. Browsers read "//x" and
// "/\x" as another host.
func deepLink(claim string) string {
	if !strings.HasPrefix(claim, "/") || strings.HasPrefix(claim, "//") || strings.ContainsAny(claim, "\\\t\r\n") {
		return ""
	}
	return claim
}

func answerJSON(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte("{}"))
}

// refuseJSON answers a server's callback that is not to be believed.
func refuseJSON(w http.ResponseWriter, err error) {
	p := problemOf(err)
	body, _ := json.Marshal(map[string]any{
		"error": map[string]string{"code": p.Code, "message": p.Text, "hint": p.Hint},
	})
	guardHeaders(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Bcdev-Error", p.Code)
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write(append(body, '\n'))
}
