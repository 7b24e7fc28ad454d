package edge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	caLife   = 30 * 24 * time.Hour
	leafLife = 30 * 24 * time.Hour
	backdate = time.Hour // clocks differ
)

// authority is the CA of an edge. Its key leaves through keep alone.
type authority struct {
	domain string
	ips    []net.IP
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	pem    []byte

	mu    sync.Mutex
	leafs map[string]*tls.Certificate
}

// openAuthority takes up the authority that an earlier edge kept, else makes one.
func openAuthority(o Options) (*authority, error) {
	a := &authority{
		domain: o.Domain,
		ips:    []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback},
		leafs:  map[string]*tls.Certificate{},
	}
	if host, _, err := net.SplitHostPort(o.AgentAddr); err == nil {
		if ip := net.ParseIP(host); ip != nil && !ip.IsLoopback() && !ip.IsUnspecified() {
			a.ips = append(a.ips, ip)
		}
	}
	if a.resume(o.Authority, o.Now()) {
		return a, nil
	}
	return a, a.make(o.Now())
}

// template is a CA that can vouch for the domain, localhost and loopback alone: somebody may
// import it into a browser.
func (a *authority) template(now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:                serial(),
		Subject:                     pkix.Name{CommonName: "loopback edge for *." + a.domain},
		NotBefore:                   now.Add(-backdate),
		NotAfter:                    now.Add(caLife),
		IsCA:                        true,
		BasicConstraintsValid:       true,
		MaxPathLenZero:              true,
		KeyUsage:                    x509.KeyUsageCertSign,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         slices.Compact([]string{a.domain, "localhost"}),
		PermittedIPRanges:           ranges(a.ips),
	}
}

func (a *authority) make(now time.Time) error {
	t := a.template(now)
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, a.key.Public(), a.key)
	if err != nil {
		return err
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	a.cert, err = x509.ParseCertificate(der)
	return err
}

func ranges(ips []net.IP) []*net.IPNet {
	all := []*net.IPNet{{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)}}
	for _, ip := range ips[1:] {
		bits := 128
		if v4 := ip.To4(); v4 != nil {
			ip, bits = v4, 32
		}
		all = append(all, &net.IPNet{IP: ip, Mask: net.CIDRMask(bits, bits)})
	}
	return all
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// forAgents is the certificate of the agents' port.
func (a *authority) forAgents(now time.Time) (*tls.Certificate, error) {
	return a.leaf("localhost", a.ips, now)
}

// forVisitor mints the certificate for one public name. Browsers accept no wildcard directly
// below localhost, so every name has its own.
func (a *authority) forVisitor(name string, now time.Time) (*tls.Certificate, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if !below(name, a.domain) || !validName(name) {
		name = a.domain
	}
	return a.leaf(name, nil, now)
}

func (a *authority) leaf(name string, ips []net.IP, now time.Time) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := name
	if ips != nil {
		id = "agents"
	}
	if c := a.leafs[id]; c != nil && now.Before(c.Leaf.NotAfter) {
		return c, nil
	}
	c, err := a.mint(name, ips, now)
	if err != nil {
		return nil, err
	}
	for old := range a.leafs { // any will do: they are cheap to make again
		if len(a.leafs) < maxLeafs {
			break
		}
		delete(a.leafs, old)
	}
	a.leafs[id] = c
	return c, nil
}

func (a *authority) mint(name string, ips []net.IP, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(leafLife),
		DNSNames:     []string{name},
		IPAddresses:  ips,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b) // never fails, see crypto/rand
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}
