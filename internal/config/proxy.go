package config

import (
	"fmt"
	"maps"
	"net/textproto"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

func (l *loader) checkProxy() {
	l.checkHeaders()
	l.oneOf("proxy.key", l.c.Proxy.Key, "off", "required")
	for i := range l.c.Proxy.AllowOrigins {
		l.origin(fmt.Sprintf("proxy.allow_origins[%d]", i), &l.c.Proxy.AllowOrigins[i])
	}
}

// reserved are the headers that the proxy itself, or HTTP, is responsible for.
var reserved = []string{
	"X-Auth-Token", "X-Auth-Client", "Host", "Content-Length", "Connection", "Keep-Alive",
	"Transfer-Encoding", "Te", "Trailer", "Upgrade", "Forwarded", "Via", "Cookie", "Expect",
}

var reservedPrefixes = []string{"Proxy-", "X-Forwarded-", "Bcdev-"}

// checkHeaders also makes the names canonical, so that "added where the client sent none" is
// decided by one spelling.
func (l *loader) checkHeaders() {
	const path = "proxy.headers"
	clean := make(map[string]string, len(l.c.Proxy.Headers))
	for _, name := range slices.Sorted(maps.Keys(l.c.Proxy.Headers)) {
		value, at := l.c.Proxy.Headers[name], path+"."+name
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		_, twice := clean[canonical]
		switch {
		case !token(name):
			l.bad("bad_header", clip(at), "use letters, digits and -", "is not the name of a header")
		case isReserved(canonical):
			l.bad("reserved_header", at, "remove it", "bcdev sets or drops this header itself")
		case twice:
			l.bad("bad_header", at, "keep one of the two", "the same header is given twice")
		case !fieldValue(value):
			l.bad("bad_header", at, "give it on one line", "holds a line break or another control character")
		default:
			clean[canonical] = value
		}
	}
	l.c.Proxy.Headers = clean
}

func isReserved(canonical string) bool {
	return slices.Contains(reserved, canonical) ||
		slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(canonical, p) })
}

// token reports whether s may name a header field (RFC 9110, 5.6.2).
func token(s string) bool {
	const signs = "!#$%&'*+-.^_`|~"
	return s != "" && len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune(signs, r)
	})
}

// fieldValue reports whether s may be the value of a header field (RFC 9110, 5.5), ASCII only.
func fieldValue(s string) bool {
	return len(s) <= 8192 && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 && r != '\t' || r > 0x7e })
}

// origin checks an exact browser origin: scheme, host and port, nothing else.
func (l *loader) origin(path string, value *string) {
	u, err := url.Parse(*value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Contains(u.Host, "*") ||
		u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		l.bad("bad_origin", path, "e.g. http://localhost:3000", "%s is not a browser origin: scheme, host and port", l.show(path, *value))
		return
	}
	*value = strings.ToLower(u.Scheme + "://" + u.Host)
}

// inFolder makes a file's path absolute: against the configuration file's folder when it was
// written there, else against the working folder. A file that was merely found may only name
// what lies in its own folder.
func (l *loader) inFolder(path string, value *string) {
	if *value == "" {
		return
	}
	if !l.byFile(path) {
		*value = l.inDir(*value)
		return
	}
	folder := filepath.Dir(l.c.File)
	full := *value
	if !filepath.IsAbs(full) {
		full = filepath.Join(folder, full)
	}
	if !l.trusted && !inside(folder, full) {
		l.bad("untrusted_file", path, "name the configuration yourself: --config "+l.shown(),
			"a configuration that was merely found here may only name files of its own folder")
		return
	}
	*value = filepath.Clean(full)
}

// inside reports that file lies in folder, links followed as far as it exists.
func inside(folder, file string) bool {
	if real, err := filepath.EvalSymlinks(folder); err == nil {
		if target, err := filepath.EvalSymlinks(file); err == nil {
			folder, file = real, target
		}
	}
	rel, err := filepath.Rel(folder, file)
	return err == nil && filepath.IsLocal(rel)
}
