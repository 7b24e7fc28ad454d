package redact

import (
	"net/http"
	"slices"
	"strings"
)

// headerNames are the fields whose whole value is a credential. X-Auth-Client is not here: the
// client id is printed on every install link.
var headerNames = map[string]bool{
	"x-auth-token":               true,
	"sf-api-token":               true,
	"x-bc-customer-access-token": true,
	"x-bc-trusted-proxy-secret":  true,
	"authtoken":                  true, // B2B Edition, before 2025-09-30
	"x-api-key":                  true,
}

// schemes of Authorization that are words, not secrets.
var schemes = []string{"Basic", "Bearer", "Digest", "Negotiate", "PAT", "Token"}

// Header returns a copy of h in which credentials are masked. The scheme of Authorization, the
// names of cookies and the attributes of Set-Cookie stay, and so do URLs in Referer and Location
// as [Target] shows them. The header of a nil h is nil.
func Header(h http.Header) http.Header {
	out := h.Clone()
	for name, values := range out {
		for i, v := range values {
			values[i] = headerValue(strings.ToLower(name), v)
		}
	}
	return out
}

func headerValue(name, v string) string {
	switch name {
	case "authorization", "proxy-authorization":
		return maskAuthorization(v)
	case "cookie":
		return maskCookies(v)
	case "set-cookie":
		pair, attributes, found := strings.Cut(v, ";")
		if found {
			return maskCookie(pair) + ";" + attributes
		}
		return maskCookie(pair)
	case "referer", "location", "content-location", "x-original-url", "x-original-uri":
		v, _ = Target(v)
		return v
	}
	if headerNames[name] && v != "" {
		return Mask
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
