package redact

import (
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// queryNames are the parameters whose values are secrets wherever they stand in a URL or a form.
var queryNames = map[string]bool{
	"signed_payload": true, "signed_payload_jwt": true,
	"access_token": true, "refresh_token": true, "client_secret": true,
	"code": true, "token": true, "key": true,
}

// apiFilters are names of [queryNames] that mean something harmless on the REST API: a coupon's
// code, a metafield's key.
var apiFilters = map[string]bool{"code": true, "token": true, "key": true}

var (
	apiPath   = regexp.MustCompile(`^(/stores/[^/]+)?/v[23]/`)
	keyPrefix = regexp.MustCompile(`^/k/([^/]+)`)
	jwtInPath = regexp.MustCompile(`/login/token/([^/]+)`)
	userInfo  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)@`)
)

// Query masks the values of code, signed_payload, signed_payload_jwt, access_token,
// refresh_token, client_secret, token and key in a raw query or a form body, however their names
// are escaped. A value that is itself a URL with such a parameter is masked whole. All else
// stays byte for byte; changed says whether anything was masked.
func Query(rawQuery string) (masked string, changed bool) {
	return maskPairs(rawQuery, func(name string) bool { return queryNames[name] })
}

// Target masks the query of a request target or URL like [Query], its user info, a proxy key in
// its path (/k/{key}/...) and a customer login token (/login/token/{jwt}). On paths of the REST
// API, code, token and key are filters and stay, unless context stands beside them, as in an
// auth callback.
func Target(target string) (masked string, changed bool) {
	target, fragment, hasFragment := strings.Cut(target, "#")
	path, query, hasQuery := strings.Cut(target, "?")
	masked = maskPath(path)
	if hasQuery {
		clean, _ := maskPairs(query, secretNamesOn(path, query))
		masked += "?" + clean
	}
	changed = masked != target
	if hasFragment {
		clean, hidden := Query(fragment)
		masked, changed = masked+"#"+clean, changed || hidden
	}
	return masked, changed
}

func secretNamesOn(path, query string) func(string) bool {
	filters := sync.OnceValue(func() bool { return filtersOn(path, query) }) // most queries need not know
	return func(name string) bool {
		return queryNames[name] && (!apiFilters[name] || !filters())
	}
}

// filtersOn reports whether the names of [apiFilters] are harmless on path.
func filtersOn(path, query string) bool {
	if i := strings.Index(path, "://"); i >= 0 {
		path = path[i+3:]
		path = path[len(path)-len(strings.TrimLeft(path, "/")):]
		if slash := strings.IndexByte(path, '/'); slash >= 0 {
			path = path[slash:]
		}
	}
	path = keyPrefix.ReplaceAllString(path, "")
	values, _ := url.ParseQuery(query)
	return apiPath.MatchString(path) && !values.Has("context")
}

func maskPath(path string) string {
	if strings.Contains(path, "@") {
		path = maskGroup(userInfo, path)
	}
	if strings.HasPrefix(path, "/k/") {
		path = maskGroup(keyPrefix, path)
	}
	if strings.Contains(path, "/login/token/") {
		path = maskGroup(jwtInPath, path)
	}
	return path
}

// maskGroup puts the mask in the place of the first group of every match.
func maskGroup(re *regexp.Regexp, s string) string {
	var out strings.Builder
	end := 0
	for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
		out.WriteString(s[end:m[2]])
		out.WriteString(Mask)
		end = m[3]
	}
	out.WriteString(s[end:])
	return out.String()
}

// maskPairs walks name=value pairs. Old frameworks also separate pairs by a semicolon, so a
// secret name after one counts, while a secret value reaches to the next ampersand.
func maskPairs(s string, secret func(name string) bool) (string, bool) {
	var out strings.Builder
	changed := false
	for i := 0; i < len(s); {
		end := i + segmentLen(s[i:], "&")
		name, _, found := strings.Cut(s[i:end], "=")
		if semi := strings.IndexByte(name, ';'); semi >= 0 { // a bare name before the next pair
			out.WriteString(s[i : i+semi+1])
			i += semi + 1
			continue
		}
		start := i + len(name) + 1
		switch {
		case found && start < end && s[start:end] != Mask && secret(plainName(name)):
			out.WriteString(s[i:start] + Mask)
			changed = true
		case found:
			end = i + segmentLen(s[i:], "&;")
			value := s[start:end]
			if carriesSecret(value) {
				value, changed = Mask, true
			}
			out.WriteString(s[i:start] + value)
		default:
			out.WriteString(s[i:end])
		}
		if i = end; i < len(s) {
			out.WriteByte(s[i])
			i++
		}
	}
	return out.String(), changed
}

// segmentLen is the length of s up to the first of the separators.
func segmentLen(s, separators string) int {
	if n := strings.IndexAny(s, separators); n >= 0 {
		return n
	}
	return len(s)
}

func plainName(name string) string {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	return strings.ToLower(strings.TrimSpace(name))
}

// carriesSecret reports whether a value is an escaped URL with a secret of its own, such as a
// return address.
func carriesSecret(value string) bool {
	if !strings.Contains(value, "%") && !strings.Contains(value, "?") {
		return false
	}
	plain, err := url.QueryUnescape(value)
	if err != nil {
		return false
	}
	_, query, found := strings.Cut(plain, "?")
	if !found {
		return false
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, v, _ := strings.Cut(pair, "=")
		if v != "" && v != Mask && queryNames[plainName(name)] {
			return true
		}
	}
	return false
}
