package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"bcdev/internal/redact"
)

// hopByHop fields belong to one connection (RFC 9110, 7.6.1); Host and Content-Length are written
// by the client that sends.
var hopByHop = []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Host", "Content-Length"}

// NewRequest makes the captured request again, against base: method, target, every header value
// and the body byte for byte. Hop-by-hop fields are left out, and so are values that were masked
// when they were stored; a body that was not kept whole is [ErrTruncated]. A path of base stands
// in front of the target's.
func (e Exchange) NewRequest(ctx context.Context, base *url.URL) (*http.Request, error) {
	if e.Request.Truncated || e.Request.Dropped {
		return nil, fmt.Errorf("repeating exchange %d: %w", e.ID, ErrTruncated)
	}
	u, err := against(base, e.Target)
	if err != nil {
		return nil, fmt.Errorf("repeating exchange %d: %w", e.ID, err)
	}
	r, err := http.NewRequestWithContext(ctx, e.Method, base.Scheme+"://"+base.Host+"/", bytes.NewReader(e.Request.Body))
	if err != nil {
		return nil, fmt.Errorf("repeating exchange %d: %w", e.ID, err)
	}
	r.URL = u
	if len(e.Request.Body) == 0 {
		r.Body, r.GetBody = http.NoBody, nil
	}
	r.Header = endToEnd(e.Request.Header)
	if _, named := r.Header["User-Agent"]; !named {
		r.Header["User-Agent"] = []string{""} // none came, so none is added
	}
	if len(e.Request.Trailer) > 0 {
		r.Trailer, r.ContentLength = e.Request.Trailer.Clone(), -1
	}
	return r, nil
}

// endToEnd copies the fields that travel the whole way.
func endToEnd(h http.Header) http.Header {
	out := make(http.Header, len(h))
	for name, values := range h {
		for _, v := range values {
			if !strings.Contains(v, redact.Mask) {
				out[name] = append(out[name], v)
			}
		}
	}
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			delete(out, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)))
		}
	}
	for _, name := range hopByHop {
		delete(out, name)
	}
	return out
}

// against makes a URL that is sent exactly as target stands, behind base.
func against(base *url.URL, target string) (*url.URL, error) {
	if target == "*" {
		return &url.URL{Scheme: base.Scheme, Host: base.Host, Opaque: "*"}, nil
	}
	target = originForm(target)
	if strings.ContainsFunc(target, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return nil, errors.New("its target has a space or a control character")
	}
	path, query, asked := strings.Cut(target, "?")
	path = strings.TrimSuffix(base.EscapedPath(), "/") + path
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, RawQuery: query, ForceQuery: asked && query == ""}
	plain, err := url.PathUnescape(path)
	if err != nil {
		plain = path
	}
	u.Path, u.RawPath = plain, path
	if u.EscapedPath() != path && !strings.HasPrefix(path, "//") {
		u.Opaque = path // what net/url would write in another way; behind "//" it has no way to be told
	}
	return u, nil
}

// originForm takes scheme and authority off an absolute target.
func originForm(target string) string {
	if strings.HasPrefix(target, "/") {
		return target
	}
	if _, rest, ok := strings.Cut(target, "://"); ok {
		i := strings.IndexAny(rest, "/?")
		if i < 0 {
			return "/"
		}
		target = rest[i:]
	}
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	return target
}
