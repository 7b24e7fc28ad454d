package inspect

import (
	"encoding/json"
	"net/http"
	"strings"
)

// GraphQLRequest is a query to one of the two GraphQL APIs of a store.
type GraphQLRequest struct {
	API       string          `json:"api"` // admin or storefront
	Store     string          `json:"store,omitempty"`
	Query     string          `json:"query"`
	Variables json.RawMessage `json:"variables,omitempty"`
	Confirm   bool            `json:"confirm,omitempty"` // of a mutation
}

func (w *window) serveGraphQL(rw http.ResponseWriter, r *http.Request) {
	var g GraphQLRequest
	if err := readJSON(rw, r, &g); err != nil {
		fail(rw, r, err)
		return
	}
	c, err := g.call()
	if err != nil {
		fail(rw, r, err)
		return
	}
	w.answerCall(rw, r, c)
}

func (g GraphQLRequest) call() (CallRequest, error) {
	path := map[string]string{"admin": "/graphql", "": "/graphql", "storefront": "/storefront/graphql"}[g.API]
	switch {
	case path == "":
		return CallRequest{}, refuse(http.StatusBadRequest, "bad_api", "there is no such GraphQL API", `api is "admin" or "storefront"`)
	case strings.TrimSpace(g.Query) == "":
		return CallRequest{}, refuse(http.StatusBadRequest, "no_query", "there is no query", "write one, for example { store { name } }")
	}
	body := map[string]any{"query": g.Query}
	if len(g.Variables) > 0 && string(g.Variables) != "null" {
		body["variables"] = g.Variables
	}
	text, err := json.Marshal(body)
	if err != nil {
		return CallRequest{}, badJSON(err)
	}
	return CallRequest{
		Store: g.Store, Method: http.MethodPost, Path: path, Body: string(text), Confirm: g.Confirm,
		Headers: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}},
	}, nil
}

// hasMutation reports that a GraphQL request may change something. When the body cannot be read it
// says so too: in doubt a person is asked.
func hasMutation(body string) bool {
	var request struct {
		Query string `json:"query"`
	}
	if json.Unmarshal([]byte(body), &request) != nil {
		return true
	}
	depth, text := 0, request.Query
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '#':
			i += lineEnd(text[i:])
		case c == '"':
			i += stringEnd(text[i:])
		case c == '{' || c == '(' || c == '[':
			depth, i = depth+1, i+1
		case c == '}' || c == ')' || c == ']':
			depth, i = max(depth-1, 0), i+1
		case isWord(c):
			n := wordEnd(text[i:])
			if depth == 0 && text[i:i+n] == "mutation" {
				return true
			}
			i += n
		default:
			i++
		}
	}
	return false
}

func isWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func wordEnd(s string) int {
	n := 0
	for n < len(s) && isWord(s[n]) {
		n++
	}
	return n
}

func lineEnd(s string) int {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return i + 1
	}
	return len(s)
}

// stringEnd is where a string ends: one in quotes, or a block in three of them.
func stringEnd(s string) int {
	if strings.HasPrefix(s, `"""`) {
		if i := strings.Index(s[3:], `"""`); i >= 0 {
			return i + 6
		}
		return len(s)
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"', '\n':
			return i + 1
		}
	}
	return len(s)
}
