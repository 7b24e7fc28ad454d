package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"bcdev/capture"
)

const (
	dialTimeout   = 5 * time.Second
	idleTimeout   = 30 * time.Second
	headerMaximum = 1 << 20 // bytes of an answer's header
)

// TargetError says why a place is no target for a delivery.
type TargetError struct {
	Target  string
	Problem string
	Next    string
}

func (e *TargetError) Error() string { return "delivering to " + e.Target + ": " + e.Problem }

// Hint says what to do next.
func (e *TargetError) Hint() string { return e.Next }

// errNotLoopback is what dialling finds out about a name.
var errNotLoopback = errors.New("the address is not on this machine")

// target is where a delivery goes: a base that the exchange's own path is appended to, or the
// exact place.
type target struct {
	url   *url.URL
	exact bool
}

// place finds the target of e.
func (d *Deliverer) place(e capture.Exchange) (target, bool) {
	if d.o.Route != nil {
		if u, ok := d.o.Route(e); ok && u != nil {
			return target{u, true}, true
		}
	}
	if d.o.To != nil {
		if u, ok := d.o.To(e); ok && u != nil {
			return target{u, false}, true
		}
	}
	return target{}, false
}

// Takes reports whether there is a place to bring e to.
func (d *Deliverer) Takes(e capture.Exchange) bool {
	_, ok := d.place(e)
	return ok
}

// root is the target without its path.
func (t target) root() *url.URL { return &url.URL{Scheme: t.url.Scheme, Host: t.url.Host} }

// aim points u, whose path and query are the exchange's own, at the target.
func (t target) aim(u *url.URL) {
	u.Scheme, u.Host, u.User = t.url.Scheme, t.url.Host, nil
	own := t.url.EscapedPath()
	switch {
	case own == "" || own == "/":
	case t.exact:
		setPath(u, own)
	default:
		setPath(u, strings.TrimSuffix(own, "/")+pathOf(u))
	}
	if t.url.RawQuery != "" {
		u.RawQuery = strings.TrimSuffix(t.url.RawQuery+"&"+u.RawQuery, "&")
	}
}

// pathOf is the path of u as it will be sent.
func pathOf(u *url.URL) string {
	if u.Opaque != "" {
		return u.Opaque
	}
	return u.EscapedPath()
}

// setPath sets a path that is to be sent as it is written.
func setPath(u *url.URL, escaped string) {
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		plain = escaped
	}
	u.Opaque, u.Path, u.RawPath = "", plain, escaped
	if u.EscapedPath() != escaped && !strings.HasPrefix(escaped, "//") {
		u.Opaque = escaped // net/url would write it in another way
	}
}

// check refuses a target that a delivery may not reach. Names are looked at again when they are
// dialled.
func (d *Deliverer) check(u *url.URL) error {
	refuse := func(problem, next string) error {
		return &TargetError{Target: u.Scheme + "://" + u.Host, Problem: problem, Next: next}
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return refuse("the scheme is neither http nor https", "give the app's address as http://localhost:3000")
	case host == "":
		return refuse("there is no host", "give the app's address as http://localhost:3000")
	case u.User != nil:
		return refuse("the address holds a user name", "leave user and password out of the address")
	case isBigCommerce(host):
		return refuse("a delivery never goes to BigCommerce", "name the local app, such as http://localhost:3000")
	}
	if ip := net.ParseIP(host); ip != nil && !ip.IsLoopback() && !d.o.AllowRemote {
		return refuse(errNotLoopback.Error(), "allow other machines with --allow-remote")
	}
	return nil
}

// checkName refuses a name that is not known to mean this machine, before anything is made for it.
// The dialer looks again: a name may mean something else by then.
func (d *Deliverer) checkName(ctx context.Context, u *url.URL) error {
	host := u.Hostname()
	if d.o.AllowRemote || d.o.DialContext != nil || isLocalName(host) || net.ParseIP(host) != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupIP(ctx, "ip", host)
	problem := "the name is not known on this machine"
	if err == nil {
		problem = errNotLoopback.Error()
	}
	if err == nil && !slices.ContainsFunc(ips, func(ip net.IP) bool { return !ip.IsLoopback() }) {
		return nil
	}
	return &TargetError{Target: u.Scheme + "://" + u.Host, Problem: problem, Next: "allow other machines with --allow-remote"}
}

func isBigCommerce(host string) bool {
	for _, domain := range []string{"bigcommerce.com", "mybigcommerce.com"} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}

// newTransport returns the way to the app. It keeps bytes as they are, uses no proxy of the
// environment, and never follows anything.
func newTransport(o Options) *http.Transport {
	dial := o.DialContext
	if dial == nil {
		dial = dialer(o.AllowRemote)
	}
	return &http.Transport{
		DialContext:            dial,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    o.Parallel,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: headerMaximum,
		// An app with https on this machine has a certificate of its own making, and nobody
		// stands between; another machine must show a real one.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: !o.AllowRemote, MinVersion: tls.VersionTLS12}, //nolint:gosec // the dialer has checked that it is this machine
	}
}

// dialer tries both address families for localhost: development servers listen on either, and
// what the name means differs between machines.
func dialer(allowRemote bool) func(context.Context, string, string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: dialTimeout}
	if !allowRemote {
		plain.Control = loopbackOnly
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil || !isLocalName(host) {
			return plain.DialContext(ctx, network, addr)
		}
		conn, err := plain.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		if err == nil {
			return conn, nil
		}
		conn, err6 := plain.DialContext(ctx, network, net.JoinHostPort("::1", port))
		if err6 == nil {
			return conn, nil
		}
		return nil, err
	}
}

func isLocalName(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// loopbackOnly refuses the address a name turned out to have, so that no name leads away.
func loopbackOnly(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if i := strings.IndexByte(host, '%'); i >= 0 {
		host = host[:i]
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%s: %w", address, errNotLoopback)
	}
	return nil
}

// isDown reports whether err means that no app listens: nothing was sent, and trying again
// cannot do anything twice.
func isDown(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" && !errors.Is(err, errNotLoopback)
}

// why is err in the words of the journal, without the address and the request in it.
func why(err error) string {
	var op *net.OpError
	switch {
	case errors.Is(err, errNotLoopback):
		return errNotLoopback.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the app is not running: connection refused"
	case errors.Is(err, context.DeadlineExceeded):
		return "the app did not answer in time"
	case errors.Is(err, context.Canceled):
		return "given up before the app answered"
	case errors.As(err, &op):
		return "the app cannot be reached: " + op.Err.Error()
	default:
		return "the app broke the connection off: " + err.Error()
	}
}
