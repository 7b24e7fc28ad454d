package bigcommerce

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"bcdev/internal/redact"
)

// Install is what the auth callback carries (BigCommerce docs, Apps > Auth callback).
type Install struct {
	Code        string   `json:"code"`
	Context     string   `json:"context"` // "stores/{hash}"
	Store       string   `json:"store"`   // the hash alone
	Scopes      []string `json:"scope"`
	AccountUUID string   `json:"account_uuid,omitempty"`
	External    bool     `json:"external_install,omitempty"` // began at an external install link
}

// Sizes no true callback comes near.
const (
	maxQuery  = 16 << 10
	maxValue  = 4 << 10
	maxScopes = 256
	maxHash   = 32
)

// installParams are the parameters we read. Whatever else a callback carries is left alone,
// also when it comes twice.
var installParams = []string{"code", "context", "scope", "account_uuid", "external_install", "error", "error_description"}

// ParseInstall reads the query of an auth callback, with or without its question mark. Its error
// is a *CallbackError.
func ParseInstall(rawQuery string) (Install, error) {
	params, err := readParams(strings.TrimPrefix(rawQuery, "?"))
	if err != nil {
		return Install{}, err
	}
	if params["error"]+params["error_description"] != "" {
		return Install{}, deniedError(params["error"], params["error_description"])
	}
	for _, name := range []string{"code", "context", "scope"} {
		if strings.TrimSpace(params[name]) == "" {
			return Install{}, missingParam(params, name)
		}
	}
	store, ok := StoreOfContext(params["context"])
	if !ok {
		return Install{}, badContext(params["context"])
	}
	scopes := strings.Fields(params["scope"])
	if len(scopes) > maxScopes {
		return Install{}, &CallbackError{"bad_param", "scope", fmt.Sprintf("it names more than %d scopes", maxScopes)}
	}
	_, external := params["external_install"]
	return Install{
		Code: params["code"], Context: params["context"], Store: store, Scopes: scopes,
		AccountUUID: params["account_uuid"], External: external,
	}, nil
}

func readParams(query string) (map[string]string, error) {
	if len(query) > maxQuery {
		return nil, &CallbackError{"bad_param", "", fmt.Sprintf("the query is longer than %d bytes", maxQuery)}
	}
	params := map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil || !slices.Contains(installParams, name) {
			continue
		}
		if _, twice := params[name]; twice {
			return nil, &CallbackError{"duplicate_param", name, "it is there more than once"}
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return nil, &CallbackError{"bad_param", name, "its percent escapes are broken"}
		}
		if problem := badValue(value); problem != "" && !strings.HasPrefix(name, "error") {
			return nil, &CallbackError{"bad_param", name, problem}
		}
		params[name] = value
	}
	return params, nil
}

// badValue says what is wrong with a value, or nothing. The texts of error and
// error_description are not refused for this: they are escaped and shown.
func badValue(v string) string {
	switch {
	case !utf8.ValidString(v):
		return "it is not UTF-8"
	case strings.ContainsFunc(v, func(r rune) bool { return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) }):
		return "it contains control characters"
	case len(v) > maxValue:
		return fmt.Sprintf("it is longer than %d bytes", maxValue)
	}
	return ""
}

func missingParam(params map[string]string, name string) error {
	problem := "it is missing"
	if _, empty := params[name]; empty {
		problem = "it is empty"
	}
	return &CallbackError{"missing_param", name, problem}
}

func badContext(context string) error {
	problem := `it must be "stores/" and a store hash, such as stores/abc123xyz`
	if plain, err := url.QueryUnescape(context); err == nil && plain != context {
		if _, ok := StoreOfContext(plain); ok {
			problem = "it was percent-encoded twice on the way here"
		}
	}
	return &CallbackError{"bad_context", "context", problem}
}

func deniedError(reason, description string) error {
	text := oneLine(reason, 100)
	if description != "" {
		text = strings.TrimPrefix(text+": "+oneLine(description, 400), ": ")
	}
	return &CallbackError{"denied", "error", text}
}

// oneLine makes a stranger's text fit to be shown: escaped, and at most limit bytes of it.
func oneLine(s string, limit int) string {
	cut := ""
	if len(s) > limit {
		for limit > 0 && !utf8.RuneStart(s[limit]) {
			limit--
		}
		s, cut = s[:limit], "..."
	}
	return redact.Terminal(s) + cut
}

// StoreOfContext returns the store hash of "stores/{hash}".
func StoreOfContext(context string) (hash string, ok bool) {
	hash, ok = strings.CutPrefix(context, "stores/")
	if !ok || !ValidStoreHash(hash) {
		return "", false
	}
	return hash, true
}

// ValidStoreHash reports whether s can be a store hash: 1 to 32 lowercase letters and digits.
func ValidStoreHash(s string) bool {
	if s == "" || len(s) > maxHash {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

// CallbackError says which parameter of a callback is wrong, and why. Its texts are escaped.
type CallbackError struct {
	Code    string // stable: "missing_param", "duplicate_param", "bad_context", "bad_param", "denied"
	Param   string
	Problem string
}

func (e *CallbackError) Error() string {
	switch {
	case e.Code == "denied":
		return "reading the auth callback: BigCommerce refused the install: " + e.Problem
	case e.Param == "":
		return "reading the auth callback: " + e.Problem
	}
	return fmt.Sprintf("reading the auth callback: parameter %s: %s", e.Param, e.Problem)
}

// Hint says what to do next.
func (e *CallbackError) Hint() string {
	switch e.Code {
	case "missing_param":
		return "open the app's install button in the control panel (Apps > My Apps > My Draft Apps): BigCommerce then sends code, context and scope"
	case "duplicate_param":
		return "send each parameter once; two values mean that something on the way rewrites the query"
	case "bad_context":
		return "pass the query on as it came, decoded once"
	case "denied":
		return "start the install again in the control panel, as the store's owner"
	}
	return "pass the query on byte for byte, as it came from BigCommerce"
}
