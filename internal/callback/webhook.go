package callback

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
)

// WebhookDetail is the Detail of a webhook in the journal.
type WebhookDetail struct {
	bigcommerce.Webhook
	MessageID string   `json:"webhook_id,omitempty"` // the same across BigCommerce's retries
	Resource  string   `json:"resource,omitempty"`   // "order"
	ID        string   `json:"resource_id,omitempty"`
	Path      string   `json:"resource_path,omitempty"` // what fetches it
	Age       float64  `json:"age_s"`                   // seconds between the event and its arrival
	Retry     int      `json:"retry,omitempty"`         // 1 for the first repetition of a message
	Duplicate bool     `json:"duplicate,omitempty"`
	Signature string   `json:"signature"` // "valid", "invalid" or "absent"
	Problem   *Problem `json:"problem,omitempty"`
}

// webhook takes an event: on disk first, then 200 with an empty body, whatever the local app
// does. BigCommerce disables a hook whose address fails for two days, and blocks a domain that
// fails one time in ten (BigCommerce docs, Webhooks overview).
func (h *Handler) webhook(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		notAllowed(w, http.MethodPost)
		return
	}
	if len(r.URL.RawQuery) > queryLimit {
		h.pages.tooLong(w)
		return
	}
	body, err := h.readBody(w, r, h.o.BodyLimit)
	if err != nil {
		h.refuseBody(w, err)
		return
	}
	event, err := parseEvent(r.Header, body)
	if err != nil {
		h.garbled(w, r, len(body), err)
		return
	}
	h.deliver(w, r, event, body)
}

// parseEvent reads a body. An encoded one passes as it is: it is kept and delivered as it came,
// and nobody here unpacks what a stranger packed.
func parseEvent(header http.Header, body []byte) (bigcommerce.Webhook, error) {
	switch strings.ToLower(header.Get("Content-Encoding")) {
	case "", "identity":
		return bigcommerce.ParseWebhook(body)
	}
	return bigcommerce.Webhook{}, nil
}

// garbled keeps what is no webhook, for the developer to look at, and brings it nowhere.
func (h *Handler) garbled(w http.ResponseWriter, r *http.Request, size int, cause error) {
	e := h.arrived(r, capture.Hook, size)
	e.Marks = []string{"malformed"}
	e.Hint = "BigCommerce sends webhooks as JSON; this came from somewhere else"
	e.Detail = detail(map[string]any{"problem": Problem{Code: "malformed", Text: cause.Error(), Hint: e.Hint}})
	e, err := h.commit(r, e, "")
	if err != nil {
		h.o.Logger.Error("the request could not be recorded", "error", err)
	}
	h.o.Told.Refused(e, cause)
	guardHeaders(w.Header())
	w.WriteHeader(http.StatusBadRequest)
}

func (h *Handler) deliver(w http.ResponseWriter, r *http.Request, event bigcommerce.Webhook, body []byte) {
	signature := h.o.App.VerifyWebhook(r.Header, body, h.o.Now())
	message := r.Header.Get("webhook-id")
	entry := h.seen.arrive(message, event.Hash)
	e := h.describe(r, event, signature, entry, len(body))
	key := ""
	if h.o.Passthrough == nil && !entry.again && h.queued(e) {
		key = queueKey(event)
	}
	e, err := h.commit(r, e, key)
	if err != nil {
		// Not on disk is not received: BigCommerce tries again in a minute.
		h.seen.forget(entry)
		h.o.Logger.Error("the webhook could not be recorded", "scope", event.Scope, "error", err)
		guardHeaders(w.Header())
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	h.o.Told.Webhook(e, event, signature)
	if h.o.Passthrough == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	h.passthrough(w, r, e, entry)
}

// passthrough lets the app answer. A message the app refused will come again and is then no
// duplicate.
func (h *Handler) passthrough(w http.ResponseWriter, r *http.Request, e capture.Exchange, entry arrival) {
	answer := &statusWriter{ResponseWriter: w}
	if !h.o.Passthrough(answer, r, e) {
		answer.WriteHeader(http.StatusServiceUnavailable)
	}
	if answer.status < 200 || answer.status > 299 {
		h.seen.refused(entry)
	}
}

func (h *Handler) describe(r *http.Request, event bigcommerce.Webhook, signature error, entry arrival, size int) capture.Exchange {
	e := h.arrived(r, capture.Hook, size)
	e.Topic, e.Store = event.Scope, event.Store
	d := WebhookDetail{
		Webhook:   event,
		MessageID: r.Header.Get("webhook-id"),
		Retry:     entry.retry,
		Duplicate: entry.again || entry.sameHash,
		Signature: "valid",
	}
	d.Resource, d.ID, d.Path = event.Resource()
	if !event.CreatedAt.IsZero() {
		d.Age = e.At.Sub(event.CreatedAt).Round(time.Millisecond).Seconds()
	}
	if signature != nil {
		d.Problem = problemOf(signature)
		d.Signature = "invalid"
		if d.Problem.Code == "absent" {
			d.Signature = "absent"
		} else {
			e.Hint = d.Problem.Hint
		}
	}
	e.Marks = webhookMarks(d)
	if entry.retry > 0 {
		e.Attempt = entry.retry + 1
	}
	e.Detail = detail(d)
	return e
}

func webhookMarks(d WebhookDetail) []string {
	marks := []string{"signature:" + d.Signature}
	if d.Signature == "invalid" {
		marks = append(marks, "invalid:"+d.Problem.Code)
	}
	if d.Duplicate {
		marks = append(marks, "duplicate")
	}
	if d.Retry > 0 {
		marks = append(marks, "retry:"+strconv.Itoa(d.Retry))
	}
	return marks
}

// queueKey orders deliveries: what happened to one resource arrives in the order it happened.
func queueKey(event bigcommerce.Webhook) string {
	kind, id, _ := event.Resource()
	if kind == "" {
		kind = event.Scope
	}
	const most = 200 // bytes; a stranger's scope can be long
	key := event.Store + "/" + kind + "/" + id
	return key[:min(len(key), most)]
}

// statusWriter remembers the status of an answer that passes through.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
