package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
)

// privateAddress means that a host outside BigCommerce leads to a machine that is not on the public
// internet: this one, or one beside it.
type privateAddress struct {
	host string
	addr netip.Addr
}

func (e *privateAddress) Error() string {
	return fmt.Sprintf("%s is at %s, which is not a public address", printable(e.host), e.addr)
}

func (e *privateAddress) refusal() *refusal {
	return refuse(http.StatusForbidden, "private_address", e.Error()+"; the forward door only goes to the public internet",
		"let local addresses pass it by: NO_PROXY=localhost,127.0.0.1,::1")
}

// special are ranges that netip has no word for (IANA IPv4 and IPv6 special-purpose registries).
// Those that carry an IPv4 address inside are among them: what is behind them cannot be told.
func special() []netip.Prefix {
	ranges := []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
	}
	prefixes := make([]netip.Prefix, len(ranges))
	for i, r := range ranges {
		prefixes[i] = netip.MustParsePrefix(r)
	}
	return prefixes
}

// frontier is the dialler for hosts that are not BigCommerce's. It looks at the address that is
// dialled, not at the name: a name may lead anywhere, and elsewhere a moment later.
type frontier struct {
	o       ForwardOptions
	special []netip.Prefix
}

func (f *frontier) public(a netip.Addr) bool {
	if f.o.Permit != nil && f.o.Permit(a) {
		return true
	}
	if a.Zone() != "" || !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() {
		return false
	}
	for _, p := range f.special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// dial resolves, checks and connects.
func (f *frontier) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addrs, err := f.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	last := error(&net.DNSError{Err: "no such host", Name: host, IsNotFound: true})
	for _, a := range addrs {
		if !f.public(a) {
			last = &privateAddress{host, a}
			continue
		}
		conn, err := f.connect(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, last
}

func (f *frontier) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if f.o.Lookup != nil {
		return f.o.Lookup(ctx, host)
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

func (f *frontier) connect(ctx context.Context, network, address string) (net.Conn, error) {
	if f.o.Dial != nil {
		return f.o.Dial(ctx, network, address)
	}
	d := net.Dialer{Control: func(_, dialled string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(dialled)
		if err != nil {
			return err
		}
		if !f.public(to.Addr()) {
			return &privateAddress{dialled, to.Addr()}
		}
		return nil
	}}
	return d.DialContext(ctx, network, address)
}

// tunnelFailure is the answer to a tunnel that could not be opened.
func tunnelFailure(host string, err error) *refusal {
	var private *privateAddress
	if errors.As(err, &private) {
		return private.refusal()
	}
	if isTimeout(err) {
		return refuse(http.StatusGatewayTimeout, "upstream_timeout", fmt.Sprintf("%s did not accept a connection within %v", printable(host), dialTimeout), "try again")
	}
	return refuse(http.StatusBadGateway, "upstream_unreachable", "no connection to "+printable(host)+": "+printable(err.Error()), "check the name and the network")
}
