package edge

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"slices"
	"time"
)

// keepMargin is the life that an authority must have left to be taken up again.
const keepMargin = 24 * time.Hour

// keep is the authority with its key, for Options.Authority of a later edge.
func (a *authority) keep() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, fmt.Errorf("writing the authority's key: %w", err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return slices.Concat(a.pem, key), nil
}

// resume takes up a kept authority, and reports false when it is damaged, at its end, or made for
// other names than this edge has.
func (a *authority) resume(kept []byte, now time.Time) bool {
	certBlock, rest := pem.Decode(kept)
	keyBlock, _ := pem.Decode(rest)
	if certBlock == nil || keyBlock == nil {
		return false
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil || !a.fits(cert, now) {
		return false
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return false
	}
	a.cert, a.key, a.pem = cert, key, pem.EncodeToMemory(certBlock)
	return true
}

// fits reports whether cert is the CA that this edge would make, with life left.
func (a *authority) fits(cert *x509.Certificate, now time.Time) bool {
	t := a.template(now)
	return cert.IsCA && cert.CheckSignatureFrom(cert) == nil &&
		now.After(cert.NotBefore) && now.Add(keepMargin).Before(cert.NotAfter) &&
		cert.PermittedDNSDomainsCritical &&
		slices.Equal(cert.PermittedDNSDomains, t.PermittedDNSDomains) &&
		slices.EqualFunc(cert.PermittedIPRanges, t.PermittedIPRanges, sameRange)
}

func sameRange(a, b *net.IPNet) bool { return a.String() == b.String() }
