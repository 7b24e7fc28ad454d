package proxy

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// kind is where a call goes.
type kind int

const (
	kindAPI        kind = iota // a store's REST or GraphQL Admin API, signed with its token
	kindStorefront             // a store's GraphQL Storefront API, with a storefront token
	kindLogin                  // POST /oauth2/token, not signed
	kindPlain                  // another host through the forward door, never signed
)

// route is what a path of the door means.
type route struct {
	kind    kind
	named   bool   // the path names a store
	store   string // as it was written: alias or hash
	rest    string // the path behind the store, as it was written
	graphql bool
}

// rawPath returns the path as the client wrote it. Somebody in front may have taken a prefix off,
// in which case the parsed URL counts.
func rawPath(r *http.Request) string {
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(raw, "/") { // absolute form
		_, after, _ := strings.Cut(raw, "://")
		raw = ""
		if i := strings.IndexByte(after, '/'); i >= 0 {
			raw = after[i:]
		}
	}
	if plain, err := url.PathUnescape(raw); err != nil || plain != r.URL.Path {
		raw = r.URL.EscapedPath()
	}
	if raw == "" {
		return "/"
	}
	return raw
}

// checkPath returns what is wrong with a path that travels on byte for byte. It is decoded once:
// no segment may then be a dot segment, whatever a server behind us takes for a separator.
func checkPath(raw string) string {
	if plainPath(raw) {
		return ""
	}
	plain, err := url.PathUnescape(raw)
	switch {
	case err != nil:
		return "its escapes are broken"
	case strings.ContainsAny(raw, `\#`):
		return `it holds a raw \ or #`
	case !utf8.ValidString(plain):
		return "it is not UTF-8"
	case strings.ContainsFunc(plain, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "it holds a control character"
	}
	for segment := range strings.FieldsFuncSeq(plain, func(r rune) bool { return r == '/' || r == '\\' }) {
		if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
			return "it holds a dot segment"
		}
	}
	return ""
}

// plainPath is the quick way for nearly every path: nothing to decode, no dot at the start of a segment.
func plainPath(raw string) bool {
	for i := range len(raw) {
		switch c := raw[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '/', c == '-', c == '_':
		case c == '.' && i > 0 && raw[i-1] != '/' && raw[i-1] != '.':
		default:
			return false
		}
	}
	return true
}

// parseRoute reads a checked path. The fixed words must be written plainly: an escape in them
// leads nowhere. A nil refusal means a route was found.
func parseRoute(raw string) (route, *refusal) {
	rt := route{rest: raw}
	if after, ok := strings.CutPrefix(raw, "/stores/"); ok {
		name, _, _ := strings.Cut(after, "/")
		if !plainName(name) {
			return rt, badPath("the store in it is not a hash or an alias")
		}
		rt.named, rt.store, rt.rest = true, name, after[len(name):]
	}
	switch {
	case isREST(rt.rest):
		rt.kind = kindAPI
	case rt.rest == "/graphql":
		rt.kind, rt.graphql = kindAPI, true
	case rt.rest == "/storefront/graphql":
		rt.kind, rt.graphql = kindStorefront, true
	default:
		return rt, unknownRoute(rt.rest)
	}
	return rt, nil
}

func isREST(rest string) bool {
	return (strings.HasPrefix(rest, "/v3/") || strings.HasPrefix(rest, "/v2/")) && !isB2B(rest)
}

func isB2B(path string) bool {
	return strings.HasPrefix(path, "/v3/io/") || strings.HasPrefix(path, "/api/v3/io") ||
		strings.HasPrefix(path, "/api/v2/io") || strings.HasPrefix(path, "/b2b")
}

// plainName reports whether s can be a store's hash or alias.
func plainName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return s != "" && len(s) <= 64 && s != "." && s != ".."
}

// plainHash reports whether s may stand in the store segment of a URL that is signed.
func plainHash(s string) bool { return plainName(s) && !strings.ContainsAny(s, ".") }

func badPath(why string) *refusal {
	return refuse(http.StatusBadRequest, "bad_path", "this path is not sent on: "+why,
		"send the path in its plain form, e.g. /v3/catalog/products")
}

// unknownRoute names why a path that looks like BigCommerce's is not served.
func unknownRoute(rest string) *refusal {
	message, hint := "this path leads nowhere", "try /v3/..., /v2/..., /graphql, /storefront/graphql, or /stores/{hash}/ in front of them"
	switch {
	case strings.HasPrefix(rest, "/payments"):
		message = "payments are not sent through this proxy: they go to payments.bigcommerce.com with a one-time payment token (PAT), not with the store's token"
		hint = "get the PAT here with POST /v3/payments/access_tokens, then call payments.bigcommerce.com yourself"
	case isB2B(rest):
		message = "B2B Edition is not sent through this proxy: it lives on api-b2b.bigcommerce.com with headers and limits of its own"
		hint = "call https://api-b2b.bigcommerce.com/api/v3/io/ yourself with X-Auth-Token and X-Store-Hash"
	case rest == "/graphql/" || rest == "/storefront/graphql/":
		hint = "leave the slash at the end away"
	}
	return refuse(http.StatusNotFound, "unknown_route", message, hint)
}
