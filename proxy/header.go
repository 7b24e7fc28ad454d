package proxy

import (
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Headers that never pass upstream: hop-by-hop fields (RFC 9110, section 7.6.1), credentials of
// somebody else, claims about where the request came from, and fields that change what it asks for.
func dropped(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings", "Expect",
		"Cookie", "Cookie2", "Authorization", "X-Auth-Token",
		"Forwarded", "Via", "X-Real-Ip", "X-Original-Url", "X-Rewrite-Url":
		return true
	}
	return strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "X-Forwarded") ||
		strings.HasPrefix(name, "Sec-Websocket-") || strings.HasPrefix(name, "Bcdev-") || overrides(name)
}

// overrides reports whether a server may take the value of the field for the method.
func overrides(name string) bool {
	switch name {
	case "X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Original-Method":
		return true
	}
	return false
}

// nominated reports whether a Connection field names the header as hop-by-hop.
func nominated(connection []string, name string) bool {
	for _, line := range connection {
		for field := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(field), name) {
				return true
			}
		}
	}
	return false
}

// hopByHop copies a header without what may not travel on. Value slices are shared.
func (c *call) hopByHop(in http.Header) http.Header {
	out := make(http.Header, len(in)+5)
	connection := in["Connection"]
	for name, values := range in {
		if overrides(name) {
			c.override = true
		}
		if dropped(name) || len(connection) > 0 && nominated(connection, name) {
			continue
		}
		out[name] = values
	}
	if _, sent := out["User-Agent"]; !sent {
		out["User-Agent"] = []string{""} // else net/http introduces itself
	}
	return out
}

// storeHeader is the header of a call to a store's API.
func (c *call) storeHeader(in http.Header) http.Header {
	p := c.p
	if len(in["X-Auth-Token"]) > 0 {
		p.ownToken.Do(func() {
			p.o.Notice("a program sent an X-Auth-Token of its own: it is never sent on, the proxy adds the store's token by itself")
		})
	}
	out := c.hopByHop(in)
	if c.kind == kindStorefront {
		// A storefront compares Origin with the token's list, and a private token has none.
		delete(out, "Origin")
		delete(out, "Referer")
		delete(out, "X-Auth-Client")
	} else {
		if p.o.ClientHeader && p.o.ClientID != "" {
			out["X-Auth-Client"] = p.values.client
		}
		for name, values := range p.added {
			if _, sent := out[name]; !sent {
				out[name] = values
			}
		}
	}
	if accept := out["Accept"]; len(accept) == 0 || len(accept) == 1 && (accept[0] == "*/*" || accept[0] == "") {
		out["Accept"] = p.values.json
	}
	if len(out["Content-Type"]) == 0 {
		out["Content-Type"] = p.values.json
	}
	return out
}

// keptBack are upstream's headers that would do harm on a local address: its cookies, its claim
// that this host speaks TLS only, its word about other origins, and hop-by-hop fields.
func keptBack(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Set-Cookie", "Set-Cookie2", "Strict-Transport-Security", "Alt-Svc", "Clear-Site-Data",
		"Public-Key-Pins", "Timing-Allow-Origin", "X-Auth-Token":
		return true
	}
	return strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "Access-Control-")
}

// passHeader puts upstream's header on the client's answer, beside what a handler in front has put
// there for CORS. Value slices are shared, and so are not appended to in place.
func (c *call) passHeader(res *http.Response, out http.Header) {
	connection := res.Header["Connection"]
	for name, values := range res.Header {
		if c.kind == kindPlain && hop(name) || c.kind != kindPlain && keptBack(name) || len(connection) > 0 && nominated(connection, name) {
			continue
		}
		if before := out[name]; name == "Vary" && len(before) > 0 {
			values = append(before[:len(before):len(before)], values...)
		}
		out[name] = values
	}
	location := res.Header.Get("Location")
	if location == "" || c.kind == kindPlain {
		return
	}
	if to, inside := c.locate(location); inside {
		out["Location"] = []string{to}
	} else if res.StatusCode/100 == 3 {
		c.noticeRedirect(res.StatusCode, location)
	}
}

func cleanTrailer(in http.Header) http.Header {
	if len(in) == 0 {
		return nil
	}
	out := make(http.Header, len(in))
	for name, values := range in {
		if keptBack(name) {
			continue
		}
		for _, v := range values { // a copy: the recorder may be reading the original
			out[name] = append(out[name], printable(v))
		}
	}
	return out
}

// hop reports the fields that no proxy passes on.
func hop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return strings.HasPrefix(name, "Proxy-")
}

// neutralise makes header values harmless for the terminal, the journal and the next parser: a
// control byte that upstream smuggled in becomes its visible escape.
func neutralise(h http.Header) {
	for _, values := range h {
		for i, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				values[i] = printable(v)
			}
		}
	}
}

// printable writes control bytes as \x1b.
func printable(s string) string {
	if httpguts.ValidHeaderFieldValue(s) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\t') || c == 0x7f {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// checkHeader holds configured headers to what may be added to a request.
func checkHeader(name string, values []string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("header %q: not a header name", name)
	}
	switch canonical := http.CanonicalHeaderKey(name); {
	case canonical == "Authorization" || canonical == "Cookie":
	case canonical == "Host" || canonical == "Content-Length" || dropped(canonical):
		return fmt.Errorf("header %s: it belongs to the proxy and cannot be set", canonical)
	}
	for _, v := range values {
		if !httpguts.ValidHeaderFieldValue(v) {
			return fmt.Errorf("header %s: its value holds a control character", name)
		}
	}
	return nil
}
