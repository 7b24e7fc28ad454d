package proxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// errDestination means that a request was about to go where no token may go.
var errDestination = errors.New("this request does not lead to the store's API, so it was not signed")

// signer is the last of the chain. It checks scheme, host and store path of the final URL and only
// then has the token added, to a copy: nobody further out ever holds it.
type signer struct{ p *Proxy }

// RoundTrip checks, signs and sends.
func (s *signer) RoundTrip(req *http.Request) (*http.Response, error) {
	to, err := s.p.destination(req)
	if err != nil {
		return nil, err
	}
	out := stripped(req)
	switch to.kind {
	case kindLogin:
		return s.p.deliver(out)
	case kindStorefront:
		return s.p.storefront.roundTrip(out, to)
	}
	if err := s.p.sign(out); err != nil {
		closeBody(req)
		return s.p.storeRefusal(to.store, err).response(req), nil
	}
	return s.p.deliver(out)
}

// destination is where a request leads.
type destination struct {
	kind    kind
	store   string
	channel int
	graphql bool
}

// destination checks the final URL. What a call was meant to be does not count; only where it goes.
func (p *Proxy) destination(req *http.Request) (destination, error) {
	u := req.URL
	raw := u.EscapedPath()
	if u.Opaque != "" {
		raw = u.Opaque
	}
	if req.Host != "" && req.Host != u.Host || u.User != nil || u.Fragment != "" || checkPath(raw) != "" {
		return destination{}, errDestination
	}
	c := callOf(req.Context())
	if c != nil && c.kind == kindStorefront {
		base := p.o.Storefront(c.store, c.channel)
		if base != nil && base.Host == u.Host && base.Scheme == u.Scheme && strings.HasSuffix(raw, "/graphql") {
			return destination{kind: kindStorefront, store: c.store, channel: c.channel, graphql: true}, nil
		}
		return destination{}, errDestination
	}
	if c != nil && c.kind == kindLogin {
		if u.Scheme == p.o.Login.Scheme && u.Host == p.o.Login.Host && raw == "/oauth2/token" {
			return destination{kind: kindLogin}, nil
		}
		return destination{}, errDestination
	}
	rt, no := parseRoute(raw)
	if u.Scheme != p.o.API.Scheme || u.Host != p.o.API.Host || no != nil || !rt.named || rt.kind != kindAPI ||
		!plainHash(rt.store) || c != nil && c.store != rt.store {
		return destination{}, errDestination
	}
	return destination{kind: kindAPI, store: rt.store, graphql: rt.graphql}, nil
}

// stripped is a copy of req without any credential or override a client may have sent.
func stripped(req *http.Request) *http.Request {
	out := new(http.Request)
	*out = *req
	out.Header = maps.Clone(req.Header)
	if out.Header == nil {
		out.Header = http.Header{}
	}
	delete(out.Header, "X-Auth-Token")
	for name := range out.Header {
		if overrides(name) || strings.HasPrefix(name, "Bcdev-") || strings.EqualFold(name, "X-Auth-Token") {
			delete(out.Header, name)
		}
	}
	return out
}

// sign has the token added and looks at what came of it.
func (p *Proxy) sign(req *http.Request) error {
	to := *req.URL
	if err := p.o.Authorize(req); err != nil {
		return err
	}
	token := req.Header["X-Auth-Token"]
	if len(token) != 1 || token[0] == "" || !httpguts.ValidHeaderFieldValue(token[0]) {
		return fmt.Errorf("%w: its token cannot be sent", ErrNoGrant)
	}
	if *req.URL != to || req.Host != "" && req.Host != to.Host {
		return errDestination
	}
	return nil
}

// deliver sends a checked request and makes what comes back harmless.
func (p *Proxy) deliver(req *http.Request) (*http.Response, error) {
	res, err := p.upstream.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 200 || res.StatusCode > 599 {
		res.Body.Close()
		return nil, fmt.Errorf("upstream answered with the status %d, which makes no sense here", res.StatusCode)
	}
	delete(res.Header, headerError)
	delete(res.Header, headerHint)
	delete(res.Header, headerFault)
	neutralise(res.Header)
	return res, nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// own is the chain for calls of our own, which come without a call.
type own struct{ p *Proxy }

// RoundTrip sends a request of our own into the chain, unless it leads elsewhere.
func (o own) RoundTrip(req *http.Request) (*http.Response, error) {
	if callOf(req.Context()) != nil {
		// A call of ours made in the course of a client's: it has a destination of its own.
		req = req.WithContext(detached{req.Context()})
	}
	if _, err := o.p.destination(req); err != nil {
		closeBody(req)
		return nil, err
	}
	return o.p.chain.RoundTrip(req)
}

// detached hides what belongs to a client's call, such as the target it asked for, from what is done
// on its behalf: that is a call of its own.
type detached struct{ context.Context }

// Value finds nothing.
func (d detached) Value(any) any { return nil }
