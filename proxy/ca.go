package proxy

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"
)

// The hosts the forward door looks into, whatever upstream stands behind them.
const (
	apiHost   = "api.bigcommerce.com"
	loginHost = "login.bigcommerce.com"
)

// Lifetimes. Chromium asks for shorter ones every few years; a leaf stays under 197 days. Both
// begin two days in the past, for clocks that are wrong.
const (
	clockSkew = 48 * time.Hour
	caLife    = 365 * 24 * time.Hour
	leafLife  = 190 * 24 * time.Hour
	leafEarly = 7 * 24 * time.Hour // a leaf is renewed so long before its end
)

// NewCA makes a certificate authority for this machine: ECDSA P-256, one year, and good for names
// under bigcommerce.com only, whoever gets hold of its key (RFC 5280, section 4.2.1.10).
func NewCA(now time.Time) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making the CA's key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, fmt.Errorf("making the CA's serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "bcdev development CA " + now.UTC().Format("2006-01-02")},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(-clockSkew).Add(caLife),
		KeyUsage:              x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{"bigcommerce.com"},
		// A constraint on names says nothing of addresses: exclude them all.
		ExcludedIPRanges: []*net.IPNet{
			{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("making the CA's certificate: %w", err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the CA's key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), nil
}

// leaves signs and keeps the certificates of the hosts the forward door looks into. It is the
// engine's CertStore: the engine's own leaves live 395 days, which browsers no longer accept.
type leaves struct {
	ca tls.Certificate

	mu   sync.Mutex
	kept map[string]*tls.Certificate
}

// Fetch returns the leaf of a host. The engine's own way of making one is not used.
func (l *leaves) Fetch(host string, _ func() (*tls.Certificate, error)) (*tls.Certificate, error) {
	if host != apiHost && host != loginHost {
		return nil, fmt.Errorf("no certificate is made for %s", printable(host))
	}
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if leaf := l.kept[host]; leaf != nil && now.Before(leaf.Leaf.NotAfter.Add(-leafEarly)) {
		return leaf, nil
	}
	leaf, err := l.sign(host, now)
	if err != nil {
		return nil, err
	}
	l.kept[host] = leaf
	return leaf, nil
}

func (l *leaves) sign(host string, now time.Time) (*tls.Certificate, error) {
	issuer, err := l.issuer()
	if err != nil {
		return nil, err
	}
	if now.After(issuer.NotAfter) {
		return nil, errors.New("the development CA has expired: bcdev ca remove, then start again")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key for %s: %w", host, err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("making a serial number for %s: %w", host, err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host},
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     now.Add(-clockSkew).Add(leafLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if template.NotAfter.After(issuer.NotAfter) {
		template.NotAfter = issuer.NotAfter
	}
	signer, ok := l.ca.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("the development CA has no key")
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("signing a certificate for %s: %w", host, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("signing a certificate for %s: %w", host, err)
	}
	return &tls.Certificate{Certificate: append([][]byte{der}, l.ca.Certificate...), PrivateKey: key, Leaf: leaf}, nil
}

func (l *leaves) issuer() (*x509.Certificate, error) {
	if l.ca.Leaf != nil {
		return l.ca.Leaf, nil
	}
	if len(l.ca.Certificate) == 0 {
		return nil, errors.New("there is no development CA")
	}
	return x509.ParseCertificate(l.ca.Certificate[0])
}
