package proxy

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// call is one request under way. It is the context of the outgoing request, so that the engine's
// handlers and the chain find it; one value holds what would otherwise be many allocations. It must
// not be pooled: the transport may still hold it when the handler has returned.
type call struct {
	context.Context
	p       *Proxy
	in      *http.Request
	through http.RoundTripper // the chain, or the plain transport for other hosts

	kind     kind
	store    string // hash
	channel  int    // of the storefront
	override bool   // the client asked for another method by a header
	door     door
	route    route

	w     writer
	up    patientBody
	down  watchedBody
	res   http.Response
	url   url.URL
	trace httptrace.ClientTrace

	early sync.Mutex // guards done: 1xx answers come from the transport's goroutine
	done  bool
}

type callKey struct{}

// Value finds the call itself.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// callOf returns the call that ctx belongs to, or nil.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// aim sets the final URL. The path travels as it was written: where net/url would escape it
// differently, it goes as an opaque request target.
func (c *call) aim(base *url.URL, raw, query string, force bool) {
	c.url = url.URL{Scheme: base.Scheme, Host: base.Host, Path: raw, RawQuery: query, ForceQuery: force}
	if plainPath(raw) {
		return
	}
	if plain, err := url.PathUnescape(raw); err == nil {
		c.url.Path, c.url.RawPath = plain, raw
	}
	if c.url.EscapedPath() != raw {
		c.url.Opaque = raw
	}
}

// request makes the outgoing request.
func (c *call) request(header http.Header) *http.Request {
	c.trace.Got1xxResponse = c.hint
	out := c.in.WithContext(httptrace.WithClientTrace(c, &c.trace))
	out.URL, out.Host, out.RequestURI = &c.url, c.url.Host, ""
	out.Header = header
	out.TransferEncoding, out.Close = nil, false
	out.Pattern, out.Form, out.PostForm, out.MultipartForm = "", nil, nil, nil
	return out
}

// hint passes an early answer on (103 Early Hints); 100 is the server's own business.
func (c *call) hint(code int, header textproto.MIMEHeader) error {
	c.early.Lock()
	defer c.early.Unlock()
	if c.done || code == http.StatusContinue || code == http.StatusSwitchingProtocols {
		return nil
	}
	h := c.w.Header()
	links := header["Link"]
	for _, link := range links {
		h.Add("Link", printable(link))
	}
	c.w.ResponseWriter.WriteHeader(code)
	if len(links) > 0 {
		h.Del("Link")
	}
	return nil
}

// answered ends the time of early answers.
func (c *call) answered() {
	c.early.Lock()
	c.done = true
	c.early.Unlock()
}

// finish lets go of the client's connection, whatever way the call ended.
func (c *call) finish() {
	c.answered()
	c.up.finish()
	if c.w.hijacked != nil {
		c.w.hijacked.Close()
	}
}

// receive prepares upstream's response for the client. The response itself belongs to the
// recorder, so a copy is changed. Its header goes straight to the client's writer, where the engine
// would copy it value by value.
func (c *call) receive(res *http.Response) *http.Response {
	c.answered()
	c.res = *res
	c.res.Header = nil
	c.passHeader(res, c.w.Header())
	if res.StatusCode == http.StatusSwitchingProtocols {
		// Its body is a connection, and the engine knows it by the header.
		c.res.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}
		return &c.res
	}
	c.res.Trailer = cleanTrailer(res.Trailer)
	c.down = watchedBody{body: res.Body, from: res, c: c}
	c.res.Body = &c.down
	c.w.stream = res.ContentLength < 0 && c.in.Method != http.MethodHead
	c.w.early = c.w.stream && streams(res.Header)
	if res.Header.Get(headerFault) != "" {
		c.w.stream, c.w.early = true, true // a body that will be cut off is to be seen up to there
	}
	return &c.res
}

// streams reports whether upstream's header announces events or lines that come one by one, so
// that the client waits for the header itself.
func streams(h http.Header) bool {
	t := h.Get("Content-Type")
	return strings.HasPrefix(t, "text/event-stream") || strings.Contains(t, "ndjson") || strings.Contains(t, "json-seq")
}

// locate rewrites a Location inside the store to the door and leaves every other one alone.
func (c *call) locate(location string) (rewritten string, inside bool) {
	u, err := url.Parse(location)
	if err != nil || c.kind != kindAPI {
		return location, false
	}
	if u.Host == "" && strings.HasPrefix(location, "/") && !strings.HasPrefix(location, "//") {
		u = c.url.ResolveReference(u)
	}
	if u.Scheme != c.p.o.API.Scheme || !strings.EqualFold(u.Host, c.p.o.API.Host) || checkPath(u.EscapedPath()) != "" {
		return location, false
	}
	rest, ok := strings.CutPrefix(u.EscapedPath(), "/stores/"+c.store+"/")
	if !ok {
		return location, false
	}
	to := c.prefix() + "/" + rest
	if u.RawQuery != "" {
		to += "?" + u.RawQuery
	}
	return to, true
}

// prefix is what stands in front of /v3/... for this client.
func (c *call) prefix() string {
	if c.door != reverseDoor {
		return "https://" + apiHost + "/stores/" + c.route.store
	}
	if c.route.named {
		return c.p.o.Prefix + "/stores/" + c.route.store
	}
	return c.p.o.Prefix
}

// noticeRedirect tells a person that an answer points somewhere the proxy does not follow.
func (c *call) noticeRedirect(status int, location string) {
	c.p.o.Notice("upstream answered " + strconv.Itoa(status) + " to " + strconv.QuoteToASCII(location) +
		"; it was passed on and not followed, and no token goes there")
}
