package sandbox

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

const statusCodesPage = "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes"

// reply is what a route answers. Its body is marshalled after the store's lock is released, so
// it must hold nothing that changes later.
type reply struct {
	status int
	body   any // nil means no body
	header http.Header
	kind   string // content type, when it is not application/json
}

// plain is a body that is sent as it is.
type plain string

// envelope is how V3 wraps everything.
type envelope struct {
	Data any `json:"data"`
	Meta any `json:"meta"`
}

// problem is how V3 refuses.
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Type   string `json:"type"`
	Errors any    `json:"errors,omitempty"`
}

// v2Problem is one element of how V2 refuses: always a list.
type v2Problem struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
}

func data(v any) reply {
	return reply{status: http.StatusOK, body: envelope{v, struct{}{}}}
}

func bare(v any) reply { return reply{status: http.StatusOK, body: v} }

func noContent() reply { return reply{status: http.StatusNoContent} }

func refuse(status int, title string) reply { return refuseFields(status, title, nil) }

func refuseFields(status int, title string, errors any) reply {
	return reply{
		status: status, kind: "application/problem+json",
		body: problem{Status: status, Title: title, Type: statusCodesPage, Errors: errors},
	}
}

// refuseV2 is BigCommerce's older form.
func refuseV2(status int, message string) reply {
	return reply{status: status, body: []v2Problem{{status, message}}}
}

// The words are BigCommerce's: its OpenAPI documents for webhooks, store information and
// orders, and the body its API is seen to send when a scope is missing.
const (
	wordsUnauthorized = "Unauthorized - the v3 Auth client ID or token in the request are not a valid combination for this store."
	wordsNoScope      = "You don't have a required scope to access the endpoint"
	wordsNotFound     = "The resource at that URL is not found."
	wordsNotFoundV2   = "The requested resource was not found."
	wordsBadJSON      = "JSON data is missing or invalid"
	wordsBadInput     = "Input is invalid."
	wordsMissing      = "error.path.missing"
)

func unauthorized() reply { return refuse(http.StatusUnauthorized, wordsUnauthorized) }

func noScope() reply {
	return refuseFields(http.StatusForbidden, wordsNoScope, struct{}{})
}

func notFound() reply { return refuse(http.StatusNotFound, wordsNotFound) }

func notFoundV2() reply { return refuseV2(http.StatusNotFound, wordsNotFoundV2) }

func unprocessable(field, reason string) reply {
	return refuseFields(http.StatusUnprocessableEntity, wordsBadJSON, map[string]string{field: reason})
}

// usual is BigCommerce's answer of a status, for faults that name nothing else.
func usual(status int) reply {
	switch status {
	case http.StatusUnauthorized:
		return unauthorized()
	case http.StatusForbidden:
		return noScope()
	case http.StatusNotFound:
		return notFound()
	case http.StatusNoContent, http.StatusNotModified:
		return reply{status: status}
	}
	if status < 400 {
		return reply{status: status, body: envelope{struct{}{}, struct{}{}}}
	}
	return refuse(status, http.StatusText(status))
}

// send writes a reply, compressed when the client takes that and it is worth it.
func send(w http.ResponseWriter, r *http.Request, a reply) {
	h := w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	var body []byte
	if text, ok := a.body.(plain); ok {
		body = []byte(text)
	} else {
		var err error
		if body, err = encode(a.body); err != nil {
			http.Error(w, "the answer could not be written as JSON", http.StatusInternalServerError)
			return
		}
	}
	if a.kind == "" {
		a.kind = "application/json"
	}
	h.Set("Content-Type", a.kind)
	h.Set("Vary", "Accept-Encoding")
	if len(body) > 1400 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = squeeze(body)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(body)
}

// encode is JSON as BigCommerce writes it: no HTML escapes, no newline at the end.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func squeeze(body []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}
