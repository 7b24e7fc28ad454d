// Package proxy is the API doors: a reverse door and a forward door that bring the developer's
// calls to BigCommerce and add the credentials behind the point where they are recorded.
//
// goproxy is the engine of both. In front of it stands a strict porch, which refuses what does not
// belong and sets the final URL; behind it a chain of round trippers, outside in: record, mend
// (failures become answers), read-only guard, faults, quota and retry, check-and-sign, transport.
package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Errors that Current and Authorize return to say what is wrong; each has an answer of its own.
var (
	ErrWhichStore   = errors.New("several stores are known and none is chosen")
	ErrNoGrant      = errors.New("no store has been installed yet")
	ErrUnknownStore = errors.New("this store is not known")
)

// Options of a proxy. API, Login, Resolve, Current and Authorize are required.
type Options struct {
	API        *url.URL                                 // https://api.bigcommerce.com; plain http only for loopback
	Login      *url.URL                                 // https://login.bigcommerce.com
	Storefront func(store string, channel int) *url.URL // where a store's storefront lives; nil: no GraphQL Storefront

	Resolve   func(name string) (hash string, ok bool) // an alias or hash to the hash of a known store
	Current   func() (hash string, err error)          // what /v3/... means; ErrWhichStore, ErrNoGrant
	Known     func() []string                          // names of the known stores, for the text of a 404
	Authorize func(*http.Request) error                // adds the token; called once an attempt, on the final URL

	ClientID     string      // the value of X-Auth-Client
	ClientHeader bool        // send X-Auth-Client beside X-Auth-Token
	Headers      http.Header // added where the client sent none

	ReadOnly func(store string) bool
	Retry    RetryPolicy

	// Token answers POST /oauth2/token for a code that has been spent here; false sends it on.
	Token func(w http.ResponseWriter, r *http.Request, body []byte) bool
	// Learned hears that an app's own exchange went upstream and came back 200.
	Learned func(request, response []byte)
	Health  func() any // the JSON of GET /_bcdev/health
	// Explain returns a hint about upstream's 4xx or 5xx; it becomes the header Bcdev-Hint. head
	// is the start of the decoded body, at most 64 KiB, nil when it could not be read.
	Explain func(req *http.Request, res *http.Response, head []byte) string
	Record  func(http.RoundTripper) http.RoundTripper // outermost of the chain
	// Attempt hears of every attempt but the last of a repeated call, n from 1.
	Attempt func(req *http.Request, res *http.Response, n int, wait time.Duration)
	Quota   func(store string, h http.Header)                 // every answer's header
	Refused func(r *http.Request, code, message, hint string) // answers of our own that never reached the chain
	Notice  func(string)                                      // what a person should hear once
	Faults  *Faults                                           // injected faults, which may be added later; nil: none
	Proxy   func(upstream *http.Request) (*url.URL, error)    // a proxy on the way, used by CONNECT only; nil: none

	Timeout     time.Duration // until upstream's answer begins; 0 means 2 minutes
	BodyTimeout time.Duration // a client that sends nothing of its body for so long is dropped; 0 means 30 s
	RootCAs     *x509.CertPool
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	Jitter      func(most time.Duration) time.Duration // nil: random
	Logger      *slog.Logger                           // nil: none
	Verbose     bool                                   // the engine's own log, at debug level
	AllowHosts  []string                               // further authorities, host:port, that are this door's own
	Prefix      string                                 // taken off every path in front of the reverse door, e.g. /k/<key>; redirects back here get it again
}

// RetryPolicy says which calls are repeated after a 429, which BigCommerce has not executed.
type RetryPolicy struct {
	GET     bool          // GET and HEAD
	Writes  bool          // every other method
	Max     int           // attempts in all; 0 means 4
	MaxWait time.Duration // waiting in all, per call; 0 means 45 s: one window of 30 s and some
}

// Proxy holds what both doors share: the chain, the quotas, the connections to upstream.
type Proxy struct {
	o          Options
	log        *slog.Logger
	chain      http.RoundTripper // record and everything behind it
	upstream   http.RoundTripper
	transport  *http.Transport
	warm       *stash
	quotas     quotas
	gates      gates
	storefront *minter
	added      http.Header // Options.Headers, canonical
	values     values
	ownToken   sync.Once // the notice about a client's own X-Auth-Token

	mu     sync.Mutex
	inner  []*http.Server // what runs inside intercepted tunnels
	tuns   map[*tunnelConn]struct{}
	closed bool
}

// values are the added headers' values, made once and shared by all requests.
type values struct{ json, client []string }

// New checks the options and builds the chain. It opens no connection.
func New(o Options) (*Proxy, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.defaults()
	p := &Proxy{o: o, log: o.Logger, added: http.Header{}, tuns: map[*tunnelConn]struct{}{}}
	for name, values := range o.Headers {
		p.added[http.CanonicalHeaderKey(name)] = values
	}
	p.transport, p.warm = newTransport(o)
	p.upstream = p.transport
	p.storefront = &minter{p: p, tokens: map[storefrontKey]*storefrontToken{}}
	p.values = values{json: []string{"application/json"}, client: []string{o.ClientID}}
	p.chain = p.link()
	return p, nil
}

// link builds the chain, inside out.
func (p *Proxy) link() http.RoundTripper {
	var rt http.RoundTripper = &signer{p}
	rt = &retrier{p, rt}
	if p.o.Faults != nil {
		rt = &faulter{p, rt}
	}
	rt = &guard{p, rt}
	rt = &mender{p, rt}
	if p.o.Record != nil {
		rt = p.o.Record(rt)
	}
	return rt
}

func (o *Options) check() error {
	if err := checkOrigin("API", o.API); err != nil {
		return err
	}
	if err := checkOrigin("login", o.Login); err != nil {
		return err
	}
	if o.Resolve == nil || o.Current == nil || o.Authorize == nil {
		return errors.New("proxy options: Resolve, Current and Authorize are required")
	}
	for name, values := range o.Headers {
		if err := checkHeader(name, values); err != nil {
			return err
		}
	}
	return nil
}

func (o *Options) defaults() {
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.BodyTimeout <= 0 {
		o.BodyTimeout = 30 * time.Second
	}
	if o.Retry.Max <= 0 {
		o.Retry.Max = 4
	}
	if o.Retry.MaxWait <= 0 {
		o.Retry.MaxWait = 45 * time.Second
	}
	if o.Jitter == nil {
		o.Jitter = func(most time.Duration) time.Duration { return rand.N(most + 1) }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Known == nil {
		o.Known = func() []string { return nil }
	}
	if o.ReadOnly == nil {
		o.ReadOnly = func(string) bool { return false }
	}
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
}

// checkOrigin holds an upstream to https, or to plain http on loopback.
func checkOrigin(what string, u *url.URL) error {
	switch {
	case u == nil || u.Host == "":
		return fmt.Errorf("%s address: none given", what)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/":
		return fmt.Errorf("%s address %s://%s: only scheme, host and port are allowed", what, u.Scheme, u.Host)
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%s address %s://%s: a token may only travel over https (plain http is for loopback)", what, u.Scheme, u.Host)
}

func isLoopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Reverse is the door that takes http://127.0.0.1:7070/v3/... It expects a handler in front that
// has checked Host, Origin and key.
func (p *Proxy) Reverse() http.Handler {
	return &porch{p: p, door: reverseDoor, engine: p.engine(nil)}
}

// Transport is the chain of the doors for calls of our own: it records, keeps read-only, waits for
// the quota and signs. Request URLs are those of the real API, https://api…/stores/{hash}/…
// Failures of the network are answers with the header Bcdev-Error, as at the doors.
func (p *Proxy) Transport() http.RoundTripper { return own{p} }

// Warm dials upstream ahead of the first call. Plain http is not worth it and does nothing.
func (p *Proxy) Warm(ctx context.Context) error { return p.warm.fill(ctx, p.o.API) }

// Quotas returns the last rate limit each store's answers told of.
func (p *Proxy) Quotas() map[string]Quota { return p.quotas.all() }

// Shutdown drains what runs inside intercepted tunnels until ctx ends, then closes every tunnel and
// idle connection. Servers do not wait for such connections themselves.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	servers := p.inner
	p.mu.Unlock()
	var err error
	for _, s := range servers {
		if e := s.Shutdown(ctx); e != nil {
			err = errors.Join(err, e, s.Close())
		}
	}
	p.mu.Lock()
	open := make([]*tunnelConn, 0, len(p.tuns))
	for c := range p.tuns {
		open = append(open, c)
	}
	p.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // it is given up
	}
	p.warm.close()
	p.transport.CloseIdleConnections()
	return err
}

// ForwardOptions are what only the forward door needs.
type ForwardOptions struct {
	Key  func(key string) bool // checks the proxy password; nil: none is asked for
	Self []string              // host:port of our own listeners, never reached through the door
	// Tunnelled hears of a blind tunnel to another host, whose bytes nobody here reads.
	Tunnelled func(host string)
	// Lookup and Dial replace the resolver and the dialler; the addresses are checked in between.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	// Permit lets an address pass that is not public. For tests.
	Permit func(netip.Addr) bool
	// First and Idle bound a tunnel: bytes must come within First (0 means 10 s), and then never
	// cease in both directions for Idle (0 means 10 minutes).
	First, Idle time.Duration
}

// Forward is the door for HTTPS_PROXY: it looks into api. and login.bigcommerce.com with
// certificates of ca, tunnels other public hosts blind, and refuses private addresses.
func (p *Proxy) Forward(ca tls.Certificate, o ForwardOptions) http.Handler {
	return newForward(p, ca, o)
}
