package vault

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// ErrDestination means that a token may not go where a request goes.
var ErrDestination = errors.New("a token may not go there")

// Authorize signs r for the store that its path names: it sets X-Auth-Token. It is to be called
// on the final request, when nothing can change its URL any more. Scheme, host and path are
// checked here and not trusted: https (http only to this machine), one of [Options.Hosts], and
// /stores/{hash}/… with no dot segment, and no way out of that store in any decoding. Errors:
// ErrDestination, ErrNoGrant.
func (v *Vault) Authorize(r *http.Request) error {
	r.Header.Del("X-Auth-Token")
	if err := v.destination(r); err != nil {
		return err
	}
	hash, ok := storeOf(r.URL)
	if !ok {
		return &StoreError{Err: ErrDestination, next: "the path must be /stores/{hash}/…"}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.refresh(); err != nil {
		return err
	}
	token, err := v.token(hash)
	if err != nil {
		return err
	}
	r.Header.Set("X-Auth-Token", token.Reveal())
	return nil
}

func (v *Vault) destination(r *http.Request) error {
	u := r.URL
	port := "443"
	if u.Scheme == "http" {
		port = "80"
	}
	host := withPort(u.Host, port)
	switch {
	case u.User != nil:
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
	case r.Host != "" && withPort(r.Host, port) != host:
	case !slices.Contains(v.hosts, host):
	default:
		return nil
	}
	return &StoreError{Err: ErrDestination, next: "tokens go to the API host of the configuration only (bigcommerce.api_url)"}
}

// withPort brings a host into the form it is compared in.
func withPort(hostport, port string) string {
	hostport = strings.ToLower(hostport)
	if _, _, err := net.SplitHostPort(hostport); err == nil {
		return hostport
	}
	return net.JoinHostPort(strings.Trim(hostport, "[]"), port)
}

func isLoopback(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// storeOf reads the store out of the path as it will be sent. Servers differ in when they decode
// %2e and %2f, so a path that could mean another store in any decoding names none. Within its own
// store, what is left after one decoding is BigCommerce's business: %252e%252e is a name like others.
func storeOf(u *url.URL) (hash string, ok bool) {
	escaped := u.EscapedPath()
	if u.Opaque != "" { // a path that net/url would write differently
		escaped = u.Opaque
	}
	rest, ok := strings.CutPrefix(escaped, "/stores/")
	if !ok {
		return "", false
	}
	hash, _, ok = strings.Cut(rest, "/")
	if !ok || !storeHash.MatchString(hash) {
		return "", false
	}
	for path, rounds := escaped, 0; rounds < 4; rounds++ {
		if rounds < 2 && hasDotSegment(path) || leaves(path, "/stores/"+hash+"/") {
			return "", false
		}
		decoded, err := url.PathUnescape(path)
		if err != nil || decoded == path {
			return hash, err == nil || rounds > 0
		}
		path = decoded
	}
	return "", false // encoded more than three times: nobody does that honestly
}

func hasDotSegment(path string) bool {
	return slices.ContainsFunc(segments(path), func(s string) bool { return s == "." || s == ".." })
}

// leaves reports that a server which resolves dot segments could end up outside folder.
func leaves(path, folder string) bool {
	depth, most := 0, len(segments(folder))
	for _, s := range segments(path) {
		switch s {
		case ".":
		case "..":
			if depth--; depth < most {
				return true
			}
		default:
			depth++
		}
	}
	return false
}

// segments are a path's names, whatever a server takes for a separator or cuts off a name.
func segments(path string) []string {
	all := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' })
	for i, s := range all {
		all[i], _, _ = strings.Cut(s, ";") // "..;x" is ".." to some servers
	}
	return all
}
