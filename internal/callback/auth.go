package callback

import (
	"errors"
	"net/http"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
)

// InstallDetail is the Detail of an install callback in the journal. The code is not in it.
type InstallDetail struct {
	Context     string            `json:"context"`
	Scopes      []string          `json:"scope"`
	AccountUUID string            `json:"account_uuid,omitempty"`
	External    bool              `json:"external_install,omitempty"`
	Missing     []string          `json:"missing,omitempty"` // wanted by the developer, not in Scopes
	Extra       []string          `json:"extra,omitempty"`   // in Scopes, not wanted
	User        *bigcommerce.User `json:"user,omitempty"`    // who installed, once the code is spent
	Owner       *bigcommerce.User `json:"owner,omitempty"`
	Granted     []string          `json:"granted,omitempty"`
	Problem     *Problem          `json:"problem,omitempty"`
}

// Problem is what is wrong with an exchange, for the journal's readers.
type Problem struct {
	Code  string `json:"code"`
	Claim string `json:"claim,omitempty"`
	Text  string `json:"text"`
	Hint  string `json:"hint,omitempty"`
}

// auth is the install callback: a browser's GET inside the control panel. The app is installed
// when the code is spent, not when this is answered (BigCommerce docs, Apps > Auth callback).
func (h *Handler) auth(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.RawQuery) > queryLimit {
		h.pages.tooLong(w)
		return
	}
	body, err := h.readBody(w, r, plainBodyLimit)
	if err != nil {
		h.refuseBody(w, err)
		return
	}
	in, err := bigcommerce.ParseInstall(r.URL.RawQuery)
	if err != nil {
		e := h.arrived(r, capture.Auth, len(body))
		h.o.Told.Refused(e, err)
		h.pages.malformed(w, err)
		return
	}
	h.install(w, r, in, len(body))
}

func (h *Handler) install(w http.ResponseWriter, r *http.Request, in bigcommerce.Install, size int) {
	d := h.installDetail(in)
	e := h.arrived(r, capture.Auth, size)
	e.Store, e.Detail = in.Store, detail(d)
	f, first := h.board(in.Code)
	if !first {
		e.Marks, e.Of = []string{"repeat"}, f.exchange()
	}
	e, err := h.commit(r, e, "")
	if err != nil {
		// The install is worth more than its record: go on, and say so.
		h.o.Logger.Error("the install callback could not be recorded", "store", in.Store, "error", err)
	}
	h.o.Told.Callback(e, in)
	if first {
		h.fly(r.Context(), f, e, in)
	}
	select {
	case <-f.done:
	case <-r.Context().Done(): // the tab is closed; the exchange goes on without it
		return
	}
	h.landing(w, r, e, in, d, f, !first)
}

// landing answers the browser when it is known what became of the code.
func (h *Handler) landing(w http.ResponseWriter, r *http.Request, e capture.Exchange, in bigcommerce.Install, d InstallDetail, f *flight, again bool) {
	if again {
		e.Of = f.exchange()
	}
	switch {
	case f.err != nil:
		d.Problem = problemOf(f.err)
		e.Detail, e.Hint = detail(d), hintOf(f.err)
		h.note(r, e)
		if again {
			h.o.Told.Refused(e, f.err)
		}
		h.pages.refused(w, h.o, in, f.err)
		return
	case f.grant.Store != "":
		d.User, d.Owner, d.Granted = &f.grant.User, &f.grant.Owner, f.grant.Scopes
		e.Detail = detail(d)
		h.note(r, e)
		if again {
			h.o.Told.Granted(e, f.grant, true)
		}
	}
	if h.o.Forward != nil && h.o.Forward(w, r, e) {
		return
	}
	h.pages.installed(w, h.o, in, f.grant, d)
}

func (h *Handler) installDetail(in bigcommerce.Install) InstallDetail {
	d := InstallDetail{
		Context:     in.Context,
		Scopes:      in.Scopes,
		AccountUUID: in.AccountUUID,
		External:    in.External,
	}
	if len(h.o.Wanted) > 0 {
		d.Missing, d.Extra = bigcommerce.Compare(h.o.Wanted, in.Scopes)
	}
	return d
}

// problemOf turns an error of the protocol into what the journal keeps of it.
func problemOf(err error) *Problem {
	p := &Problem{Code: "failed", Text: err.Error(), Hint: hintOf(err)}
	var callback *bigcommerce.CallbackError
	var exchange *bigcommerce.ExchangeError
	var payload *bigcommerce.PayloadError
	var signature *bigcommerce.SignatureError
	switch {
	case errors.As(err, &callback):
		p.Code = callback.Code
	case errors.As(err, &exchange):
		p.Code = exchange.Code
	case errors.As(err, &payload):
		p.Code, p.Claim = payload.Cause, payload.Claim
	case errors.As(err, &signature):
		p.Code = signature.Cause
	}
	return p
}
