package redact

import (
	"net/http"
	"slices"
	"strings"
)

// headerKind is what stands in a field's value.
type headerKind int

const (
	harmless headerKind = iota
	credential
	authorization
	cookies
	setCookie
	address
)

// headerKinds are the fields that hold secrets, canonical. X-Auth-Client is not here: the client
// id is printed on every install link.
var headerKinds = map[string]headerKind{
	"X-Auth-Token":               credential,
	"Sf-Api-Token":               credential,
	"X-Bc-Customer-Access-Token": credential,
	"X-Bc-Trusted-Proxy-Secret":  credential,
	"Authtoken":                  credential, // B2B Edition, before 2025-09-30
	"X-Api-Key":                  credential,
	"Authorization":              authorization,
	"Proxy-Authorization":        authorization,
	"Cookie":                     cookies,
	"Set-Cookie":                 setCookie,
	"Referer":                    address,
	"Location":                   address,
	"Content-Location":           address,
	"X-Original-Url":             address,
	"X-Original-Uri":             address,
}

// schemes of Authorization that are words, not secrets.
var schemes = []string{"Basic", "Bearer", "Digest", "Negotiate", "PAT", "Token"}

// Header returns a copy of h in which credentials are masked. The scheme of Authorization, the
// names of cookies and the attributes of Set-Cookie stay, and so do URLs in Referer and Location
// as [Target] shows them. The header of a nil h is nil.
func Header(h http.Header) http.Header {
	out := h.Clone()
	for name, values := range out {
		kind := headerKinds[http.CanonicalHeaderKey(name)] // a canonical name costs nothing
		if kind == harmless {
			continue
		}
		for i, v := range values {
			values[i] = headerValue(kind, v)
		}
	}
	return out
}

func headerValue(kind headerKind, v string) string {
	switch kind {
	case authorization:
		return maskAuthorization(v)
	case cookies:
		return maskCookies(v)
	case setCookie:
		pair, attributes, found := strings.Cut(v, ";")
		if found {
			return maskCookie(pair) + ";" + attributes
		}
		return maskCookie(pair)
	case address:
		v, _ = Target(v)
	case credential:
		if v != "" {
			return Mask
		}
	}
	return v
}

func maskAuthorization(v string) string {
	scheme, rest, _ := strings.Cut(v, " ")
	known := slices.ContainsFunc(schemes, func(s string) bool { return strings.EqualFold(s, scheme) })
	switch {
	case v == "" || known && strings.TrimSpace(rest) == "":
		return v
	case known:
		return scheme + " " + Mask
	default:
		return Mask
	}
}

func maskCookies(v string) string {
	pairs := strings.Split(v, ";")
	for i, pair := range pairs {
		pairs[i] = maskCookie(pair)
	}
	return strings.Join(pairs, ";")
}

func maskCookie(pair string) string {
	name, value, found := strings.Cut(pair, "=")
	switch {
	case found && value != "":
		return name + "=" + Mask
	case !found && strings.TrimSpace(pair) != "":
		return Mask // a nameless cookie is all value
	default:
		return pair
	}
}
