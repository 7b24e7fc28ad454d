package hooks

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// APIError is an answer that refuses a call.
type APIError struct {
	Status int    // HTTP status
	Title  string // the answer's own words, the fields it complains of included
	next   string
}

func (e *APIError) Error() string {
	if e.Title == "" {
		return fmt.Sprintf("BigCommerce answered %d", e.Status)
	}
	return fmt.Sprintf("BigCommerce answered %d: %s", e.Status, e.Title)
}

// Hint says what to do next.
func (e *APIError) Hint() string { return e.next }

// refusal puts an answer into words. Besides the API's own errors, bcdev's door may refuse, with a
// code in the header Bcdev-Error.
func refusal(res *http.Response, body []byte) *APIError {
	e := &APIError{Status: res.StatusCode, next: res.Header.Get("Bcdev-Hint")}
	var in struct {
		Title  string                     `json:"title"`
		Errors map[string]json.RawMessage `json:"errors"`
		Error  struct{ Message, Hint string }
	}
	if json.Unmarshal(body, &in) == nil {
		words := []string{strings.TrimSuffix(in.Title, ".")}
		for _, field := range slices.Sorted(maps.Keys(in.Errors)) {
			words = append(words, field+": "+strings.Trim(string(in.Errors[field]), `"`))
		}
		e.Title = short(strings.Join(words, "; "))
		if in.Error.Message != "" {
			e.Title, e.next = short(in.Error.Message), short(in.Error.Hint)
		}
	}
	if e.next == "" {
		e.next = nextAfter(res.StatusCode, e.Title)
	}
	return e
}

// nextAfter names the limits of the platform where they bite (BigCommerce docs, Webhooks overview).
func nextAfter(status int, title string) string {
	switch status {
	case http.StatusUnauthorized:
		return "install the app again, or put a fresh token in stores of the configuration"
	case http.StatusForbidden, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusBadRequest:
		if strings.Contains(strings.ToLower(title), "scope") && status == http.StatusBadRequest {
			return "\"bcdev trigger --list\" shows the events there are; a family ends in /*"
		}
		return fmt.Sprintf("a store takes %d webhooks per app and scope, one per destination, https on port 443; \"bcdev hooks list\" shows what is there",
			PerScope)
	case http.StatusNotFound:
		return "\"bcdev hooks list\" shows the webhooks there are; those of other client ids cannot be seen or changed"
	}
	return ""
}

// short bounds a stranger's words.
func short(s string) string {
	const most = 300
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
