package bigcommerce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Answer is what Explain looks at.
type Answer struct {
	Method, Path string // the API path, /stores/{hash} included or not
	Status       int
	Header       http.Header
	Body         []byte   // at most the first 64 KiB
	Granted      []string // empty when the token's scopes are not known
}

// Explain says in one or two sentences what an API answer means for a developer who has not
// seen it before, and what to do; "" when there is nothing to add. The text is one line of ASCII,
// fit for a header.
func Explain(a Answer) string { return ascii(explain(a)) }

func explain(a Answer) string {
	if strings.HasSuffix(pathOf(a.Path), "/graphql") {
		if text := explainGraphQL(a); text != "" {
			return text
		}
	}
	switch a.Status {
	case http.StatusNoContent:
		if isRead(a.Method) && version(a.Path) == "v2" {
			return "V2 answers 204 with no body when a list is empty; read it as []."
		}
	case http.StatusMultiStatus:
		return "A part of the batch failed; the errors in the body say which."
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return "BigCommerce redirects this address; ask for the one in Location, and always by https."
	case http.StatusBadRequest:
		return explainFields(a, "The request is not valid")
	case http.StatusUnauthorized:
		return explainUnauthorized(a)
	case http.StatusForbidden:
		return explainForbidden(a)
	case http.StatusNotFound:
		return explainNotFound(a)
	case http.StatusMethodNotAllowed:
		return "This path does not take " + oneLine(a.Method, 20) + "; the API reference lists its methods."
	case http.StatusNotAcceptable:
		return "BigCommerce cannot answer in the format that Accept asks for; send Accept: application/json."
	case http.StatusConflict:
		return explainFields(a, "Something like this is there already, or is being changed at this moment")
	case http.StatusRequestEntityTooLarge:
		return "The limit parameter or the batch is too large; most lists allow 250 a page, and batches 10 to 100 items."
	case http.StatusUnsupportedMediaType:
		return "BigCommerce does not read this body; send JSON with Content-Type: application/json."
	case http.StatusUnprocessableEntity:
		return explainFields(a, "BigCommerce understands the request and refuses its content")
	case http.StatusLocked:
		return "The resource is locked by another change; try again later."
	case http.StatusTooManyRequests:
		return explainTooMany(a)
	}
	return explainServer(a)
}

func explainServer(a Answer) string {
	switch {
	case a.Status == http.StatusNotImplemented:
		return "BigCommerce does not offer this method here (501)."
	case a.Status == http.StatusServiceUnavailable:
		return "The store is down, suspended or being upgraded (503); try again in some minutes, and look at status.bigcommerce.com."
	case a.Status == http.StatusInsufficientStorage:
		return "The store has reached a limit of its plan (507); delete something or change the plan."
	case a.Status >= 500:
		text := fmt.Sprintf("BigCommerce failed (%d), not the request; try again three to five times with a minute or more between.", a.Status)
		if !isRead(a.Method) {
			text += " The change may have been made all the same: look before repeating it."
		}
		return text
	}
	return ""
}

func explainUnauthorized(a Answer) string {
	if strings.Contains(string(a.Body), "10001") && strings.Contains(a.Path, "payments") {
		return "The Payments API wants Authorization: PAT {token}, and Accept: application/vnd.bc.v1+json; the scheme is misspelt or missing."
	}
	return "The access token no longer works for this store. A token dies when the app is uninstalled, when it is installed again " +
		"(after a change of its scopes or of the store owner's e-mail), or when its API account is deleted. Install the app again to get a new one."
}

func explainForbidden(a Answer) string {
	body := strings.ToLower(string(a.Body))
	slash := strings.HasSuffix(pathOf(a.Path), "/")
	if strings.Contains(body, "authentication required") && slash {
		return "BigCommerce answers 403 \"Authentication Required\" to a path that ends with a slash; leave the slash off."
	}
	named := strings.Contains(body, "required scope") || strings.Contains(body, "scope does not include")
	// What a static token may do is unknown; then only the body can tell.
	if missing := Missing(a.Method, a.Path, a.Granted); len(missing) > 0 && (named || len(a.Granted) > 0) {
		return explainMissing(missing)
	}
	switch {
	case named && strings.Contains(a.Path, "/content/scripts"):
		return "A script with visibility checkout or all_pages needs Checkout Content (modify) beside Content. " + newInstall
	case named:
		return "A scope is missing that the documentation does not name for this path. Compare the app's scopes with the API reference. " + newInstall
	case slash:
		return "The path ends with a slash, which BigCommerce refuses; leave the slash off."
	}
	return "BigCommerce refuses this, and not for a scope: look for a wrong path or store hash, a limit of the platform, " +
		"or a store whose owner has changed."
}

const newInstall = "Changing scopes in the Developer Portal means a new install, which brings a new token."

func explainMissing(missing []Requirement) string {
	ids := make([]string, len(missing))
	weak := true
	for i, r := range missing {
		ids[i], weak = r.Scope, weak && r.Weak
	}
	text := fmt.Sprintf("The scope %s is missing [%s]. ", Names(missing), strings.Join(ids, " or "))
	if weak {
		text = fmt.Sprintf("The scope %s is probably missing [%s]; the sources are uncertain about this path. ", Names(missing), strings.Join(ids, " or "))
	}
	return text + newInstall
}

func explainNotFound(a Answer) string {
	segments := apiSegments(a.Path)
	if len(segments) > 1 && len(ScopesFor(http.MethodGet, a.Path)) == 0 && len(ScopesFor(http.MethodPost, a.Path)) == 0 {
		other := "v2"
		if segments[0] == "v2" {
			other = "v3"
		}
		moved := "/" + other + "/" + strings.Join(segments[1:], "/")
		if len(ScopesFor(http.MethodGet, moved)) > 0 {
			return fmt.Sprintf("There is no such path; this resource lives at /%s/%s.", other, oneLine(segments[1], 60))
		}
		return "There is no such path in the API reference; look for a typing error, and for v2 instead of v3."
	}
	return "No such resource: either the id is of another store or deleted, or the store hash is wrong."
}

func explainTooMany(a Answer) string {
	q, ok := ParseQuota(a.Header)
	const safe = "The request was not executed, so a write can be repeated, too."
	switch {
	case q.Wait() > 0:
		return fmt.Sprintf("The store's quota is spent, which all its apps share; it refills in %s. %s", Words(q.Wait()), safe)
	case ok:
		return "The store's quota is spent, which all its apps share, or too many calls of one kind run at once. Wait a moment. " + safe
	}
	return "429 without X-Rate-Limit headers means that the whole store is under load. Back off and try again later. " + safe
}

// explainFields names the fields that an error body complains of.
func explainFields(a Answer, lead string) string {
	fields := errorFields(a.Body)
	if strings.Contains(string(a.Body), "has_invalid_suffix") {
		return "An origin in allowed_cors_origins ends with a slash; leave the slash off."
	}
	if len(fields) == 0 {
		if a.Status == http.StatusBadRequest && !isRead(a.Method) && a.Header.Get("Content-Type") == "" {
			return lead + "; check that the body is JSON and Content-Type is application/json."
		}
		return lead + "; the title in the body says why."
	}
	return lead + ": " + strings.Join(fields, "; ") + "."
}

// errorFields reads V3's errors object ({"field":"reason"}) and V2's list of messages.
func errorFields(body []byte) []string {
	const most = 6
	var v3 struct{ Errors json.RawMessage }
	var lines []string
	if json.Unmarshal(body, &v3) == nil {
		fields, _ := parseObject(v3.Errors)
		for _, f := range fields {
			lines = append(lines, oneLine(f.name, 60)+" ("+oneLine(reason(f.value), 100)+")")
		}
	}
	var v2 []struct{ Message string }
	if json.Unmarshal(body, &v2) == nil {
		for _, e := range v2 {
			lines = append(lines, strings.TrimRight(oneLine(e.Message, 150), "."))
		}
	}
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("and %d more", len(lines)-most))
	}
	return slices.DeleteFunc(lines, func(s string) bool { return s == "" })
}

func reason(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

func pathOf(target string) string {
	path, _, _ := strings.Cut(target, "?")
	return path
}

func version(path string) string {
	if segments := apiSegments(path); len(segments) > 0 {
		return segments[0]
	}
	return ""
}

// ascii writes every rune beyond ASCII, and every control character, as an escape.
func ascii(s string) string {
	plain := true
	for i := range len(s) {
		plain = plain && s[i] >= ' ' && s[i] < utf8.RuneSelf && s[i] != 0x7f
	}
	if plain {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		if r >= ' ' && r < 0x7f {
			out.WriteRune(r)
			continue
		}
		out.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
	}
	return out.String()
}
