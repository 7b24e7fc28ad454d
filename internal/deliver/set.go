package deliver

import (
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"bcdev/internal/bigcommerce"
)

// changes are the parts of Replay.Set, sorted by what they change.
type changes struct {
	method, path string
	query        []change
	body         []change
	claims       []change
}

type change struct{ name, value string }

// parseSet sorts what is to be set. Header fields are checked here and set last of all.
func parseSet(set map[string]string) (changes, error) {
	var c changes
	for _, key := range sortedKeys(set) {
		kind, name, _ := strings.Cut(key, ".")
		one := change{name, set[key]}
		switch {
		case key == "method":
			if !httpguts.ValidHeaderFieldName(one.value) {
				return c, badSet(key, "a method is one word")
			}
			c.method = one.value
		case key == "path":
			if !strings.HasPrefix(one.value, "/") {
				return c, badSet(key, "a path starts with /")
			}
			c.path = one.value
		case name == "":
			return c, badSet(key, "there is nothing of that name")
		case kind == "query":
			c.query = append(c.query, one)
		case kind == "body":
			c.body = append(c.body, one)
		case kind == "claims" || kind == "claim":
			c.claims = append(c.claims, one)
		case kind == "header":
			if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(one.value) {
				return c, badSet(key, "that is no header field")
			}
		default:
			return c, badSet(key, "there is nothing of that name")
		}
	}
	return c, nil
}

// checkHeader refuses fields that cannot be sent.
func checkHeader(h http.Header) error {
	for name, values := range h {
		for _, v := range values {
			if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(v) {
				return badSet("header."+name, "that is no header field")
			}
		}
	}
	return nil
}

func badSet(key, problem string) error {
	return &ReplayError{
		Problem: fmt.Sprintf("setting %q: %s", key, problem),
		Next:    "what can be set: method, path, query.NAME, header.NAME, body.a.b, claims.url",
	}
}

// change applies everything but claims and header fields.
func (p *prepared) change(c changes) error {
	if c.method != "" {
		p.differ("method: %s, was %s", c.method, p.req.Method)
		p.req.Method = c.method
	}
	if c.path != "" {
		path, query, found := strings.Cut(c.path, "?")
		p.differ("path: %s, was %s", path, pathOf(p.req.URL))
		setPath(p.req.URL, path)
		if found {
			p.req.URL.RawQuery = query
		}
	}
	for _, q := range c.query {
		p.differ("query %s: changed", q.name)
		p.req.URL.RawQuery = setQuery(p.req.URL.RawQuery, q.name, q.value)
	}
	for _, b := range c.body {
		if err := p.setBody(b); err != nil {
			return err
		}
		p.differ("body %s: changed", b.name)
	}
	return nil
}

func (p *prepared) setBody(b change) error {
	if isForm(p.req.Header) {
		p.body = []byte(setQuery(string(p.body), b.name, b.value))
		return nil
	}
	if p.req.Header.Get("Content-Encoding") != "" {
		return badSet("body."+b.name, "the body is compressed")
	}
	body, err := bigcommerce.SetJSON(p.body, b.name, b.value)
	if err != nil {
		return badSet("body."+b.name, err.Error())
	}
	p.body = body
	return nil
}

func isForm(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded")
}
