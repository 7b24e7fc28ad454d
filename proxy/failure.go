package proxy

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Limits of the connection to upstream, beside Options.Timeout.
const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	explained        = 64 << 10 // of an error's body is shown to Explain
)

// mender makes a real answer of every failure, and has upstream's own errors explained. It stands
// inside the recorder, so that what is recorded is what the client got.
type mender struct {
	p    *Proxy
	next http.RoundTripper
}

// RoundTrip returns an error only when nobody waits for an answer.
func (m *mender) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := m.next.RoundTrip(req)
	if err == nil {
		if res.StatusCode >= 400 && m.explains(req) && res.Header.Get(headerError) == "" {
			m.p.explain(req, res)
		}
		return res, nil
	}
	closeBody(req)
	c := callOf(req.Context())
	if errors.Is(err, errReset) || errors.Is(err, context.Canceled) && req.Context().Err() != nil && (c == nil || !c.up.stalled()) {
		return nil, err // nobody waits for an answer
	}
	return m.p.failure(req, err).response(req), nil
}

// explains reports whether a call is to a store, whose errors can be explained.
func (m *mender) explains(req *http.Request) bool {
	c := callOf(req.Context())
	return m.p.o.Explain != nil && (c == nil || c.kind == kindAPI || c.kind == kindStorefront)
}

// failure is the ladder from an error to an answer.
func (p *Proxy) failure(req *http.Request, err error) *refusal {
	if c := callOf(req.Context()); c != nil {
		if broke := c.up.failure(); broke != nil {
			return bodyRefusal(broke)
		}
	}
	host := req.URL.Host
	var private *privateAddress
	switch {
	case errors.As(err, &private):
		return private.refusal()
	case errors.Is(err, errDestination):
		return refuse(http.StatusBadGateway, "wrong_destination", err.Error(), "this is a fault of bcdev's settings: check bigcommerce.api_url and storefront_url")
	case isTLS(err):
		return refuse(http.StatusBadGateway, "upstream_tls", "no trusted connection to "+host+": "+printable(err.Error()),
			"checking is never switched off: look at the clock, at a company proxy in between, or at the address")
	case isTimeout(err):
		return refuse(http.StatusGatewayTimeout, "upstream_timeout", p.limit(host, err), "try again; BigCommerce's status page is status.bigcommerce.com")
	}
	hint := "check the network, and whether BigCommerce can be reached from here"
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		hint += "; whether upstream has carried the request out is not known"
	}
	return refuse(http.StatusBadGateway, "upstream_unreachable", "no answer from "+host+": "+printable(err.Error()), hint)
}

// limit says which limit was hit.
func (p *Proxy) limit(host string, err error) string {
	var op *net.OpError
	switch {
	case strings.Contains(err.Error(), "TLS handshake"):
		return fmt.Sprintf("%s did not finish the TLS handshake within %v", host, handshakeTimeout)
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Sprintf("%s did not accept a connection within %v", host, dialTimeout)
	}
	return fmt.Sprintf("%s did not begin to answer within %v", host, p.o.Timeout)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

func isTLS(err error) bool {
	var (
		verify    *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		alert     tls.AlertError
	)
	if errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &name) ||
		errors.As(err, &invalid) || errors.As(err, &record) || errors.As(err, &alert) {
		return true
	}
	text := err.Error()
	return strings.Contains(text, "tls: ") || strings.Contains(text, "server gave HTTP response to HTTPS client")
}

// explain puts a hint about upstream's error on its header.
func (p *Proxy) explain(req *http.Request, res *http.Response) {
	hint := p.o.Explain(req, res, peek(res))
	if hint != "" {
		res.Header.Set(headerHint, printable(strings.Join(strings.Fields(hint), " ")))
	}
}

// peek reads the start of an error's body ahead and puts it back; it returns it decoded. A body
// that comes event by event is not waited for.
func peek(res *http.Response) []byte {
	if res.Body == nil || res.Body == http.NoBody || streams(res.Header) {
		return nil
	}
	head, err := io.ReadAll(io.LimitReader(res.Body, explained))
	var rest io.Reader = res.Body
	if err != nil {
		rest = broken{res.Body, err}
	}
	res.Body = prefixed{io.MultiReader(bytes.NewReader(head), rest), res.Body}
	switch strings.ToLower(res.Header.Get("Content-Encoding")) {
	case "", "identity":
		return head
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(head))
		if err != nil {
			return nil
		}
		// A body cut off at our limit is decoded as far as it goes.
		plain, _ := io.ReadAll(io.LimitReader(z, explained))
		return plain
	}
	return nil
}
