package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// Bounds of a GraphQL request that is read before it is sent on.
const (
	graphqlBody   = 1 << 20
	graphqlTokens = 20_000
)

// guard keeps the read-only promise. It knows what is allowed, not what is forbidden, and refuses
// whatever it does not understand.
type guard struct {
	p    *Proxy
	next http.RoundTripper
}

// RoundTrip passes on what may be sent.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	to, err := g.p.destination(req)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	if to.kind == kindLogin || minting(req) || !to.graphql && plainRead(req) || !g.p.o.ReadOnly(to.store) {
		return g.next.RoundTrip(req)
	}
	out, no := onlyReads(req, to.graphql)
	if no != nil {
		closeBody(req)
		return no.response(req), nil
	}
	return g.next.RoundTrip(out)
}

// onlyReads returns the request to send, or why it is not sent.
func onlyReads(req *http.Request, graphql bool) (*http.Request, *refusal) {
	switch {
	case overridden(req):
		return nil, readOnly("the request asks for another method by a header or parameter")
	case graphql && req.Method == http.MethodPost:
		return onlyQueries(req)
	case graphql && req.URL.RawQuery != "":
		return nil, readOnly("GraphQL in the address is not understood here")
	case !reads(req.Method):
		return nil, readOnly(req.Method + " changes things")
	}
	return req, nil
}

// plainRead reports whether a call may be sent by everybody, so that nobody has to be asked.
func plainRead(req *http.Request) bool { return reads(req.Method) && !overridden(req) }

func reads(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

func overridden(req *http.Request) bool {
	if c := callOf(req.Context()); c != nil && c.override {
		return true
	}
	for name := range req.Header {
		if overrides(http.CanonicalHeaderKey(name)) {
			return true
		}
	}
	query := strings.ToLower(req.URL.RawQuery)
	if plain, err := url.QueryUnescape(query); err == nil {
		query = plain
	}
	return strings.Contains(query, "_method=")
}

func readOnly(why string) *refusal {
	return refuse(http.StatusForbidden, "read_only", "the proxy is read-only: "+why,
		"switch proxy.read_only (or --read-only) off to allow writes")
}

// onlyQueries reads a GraphQL request and returns it to be sent when all its operations are queries.
func onlyQueries(req *http.Request) (*http.Request, *refusal) {
	if req.URL.RawQuery != "" || req.Header.Get("Content-Encoding") != "" {
		return nil, readOnly("this form of a GraphQL request is not understood here")
	}
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(io.LimitReader(req.Body, graphqlBody+1)); err != nil {
			return nil, bodyRefusal(err)
		}
	}
	if len(body) > graphqlBody {
		return nil, readOnly("a GraphQL request of more than 1 MiB is not looked through")
	}
	if err := checkQueries(req.Header.Get("Content-Type"), body); err != nil {
		return nil, readOnly(err.Error())
	}
	out := req.WithContext(req.Context())
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return out, nil
}

// checkQueries returns why a GraphQL request may do more than read.
func checkQueries(contentType string, body []byte) error {
	document := string(body)
	if !strings.HasPrefix(contentType, "application/graphql") || strings.HasPrefix(contentType, "application/graphql-response") {
		var err error
		if document, err = queryOf(body); err != nil {
			return err
		}
	}
	if !utf8.ValidString(document) {
		return errors.New("the GraphQL document is not UTF-8")
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: document}, graphqlTokens)
	if err != nil || len(doc.Operations) == 0 {
		return errors.New("the GraphQL document cannot be read")
	}
	for _, op := range doc.Operations {
		if op.Operation != ast.Query {
			return errors.New("the GraphQL document holds a " + string(op.Operation))
		}
	}
	return nil
}

// queryOf takes the document out of {"query": …}. A second key, or one in other letters, could mean
// something else to upstream's parser, so it is not guessed at.
func queryOf(body []byte) (string, error) {
	unread := errors.New("the GraphQL request is not one JSON object with a query")
	if !utf8.Valid(body) || !json.Valid(body) {
		return "", unread
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", unread
	}
	document, found := "", false
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		if err != nil || !ok {
			return "", unread
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return "", unread
		}
		if !strings.EqualFold(name, "query") {
			continue
		}
		if found || name != "query" || json.Unmarshal(value, &document) != nil || document == "" {
			return "", unread
		}
		found = true
	}
	if !found {
		return "", unread
	}
	return document, nil
}
