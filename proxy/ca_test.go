package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/elazarl/goproxy"
)

// newCA makes a CA for a test, and the pool of those who trust it.
func newCA(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	certPEM, keyPEM, err := NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ca, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return ca, pool
}

func TestM14TheCAIsMadeHere(t *testing.T) {
	a, _ := newCA(t)
	b, _ := newCA(t)
	key, ok := a.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		t.Errorf("the key is a %T", a.PrivateKey)
	}
	if key.Equal(b.PrivateKey) {
		t.Error("two machines would share one key")
	}
	sum := sha256.Sum256(a.Certificate[0])
	if public := sha256.Sum256(goproxy.GoproxyCa.Certificate[0]); sum == public || strings.HasPrefix(strings.ToUpper(hex.EncodeToString(sum[:])), "4CA2F57B4A99") {
		t.Error("this is the CA that is published with goproxy")
	}
}

func TestM15TheCAIsGoodForBigCommerceOnly(t *testing.T) {
	ca, pool := newCA(t)
	issuer, err := x509.ParseCertificate(ca.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if !issuer.PermittedDNSDomainsCritical || len(issuer.PermittedDNSDomains) != 1 || issuer.PermittedDNSDomains[0] != "bigcommerce.com" || !issuer.MaxPathLenZero {
		t.Errorf("constraints %v, critical %v", issuer.PermittedDNSDomains, issuer.PermittedDNSDomainsCritical)
	}
	sign := func(template *x509.Certificate, parent *x509.Certificate, signer any) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(2), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		cert, _ := x509.ParseCertificate(der)
		return cert, key
	}
	for name, good := range map[string]bool{"api.bigcommerce.com": true, "evil.example": false, "notbigcommerce.com": false, "bigcommerce.com.evil.example": false, "127.0.0.1": false, "::1": false} {
		template := &x509.Certificate{DNSNames: []string{name}}
		if ip := net.ParseIP(name); ip != nil {
			template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
		}
		leaf, _ := sign(template, issuer, ca.PrivateKey)
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name}); (err == nil) != good {
			t.Errorf("a leaf for %s: %v", name, err)
		}
	}
	middle, key := sign(&x509.Certificate{Subject: pkix.Name{CommonName: "middle"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, issuer, ca.PrivateKey)
	leaf, _ := sign(&x509.Certificate{DNSNames: []string{"api.bigcommerce.com"}}, middle, key)
	between := x509.NewCertPool()
	between.AddCert(middle)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, Intermediates: between, DNSName: "api.bigcommerce.com"}); err == nil {
		t.Error("the CA can make further CAs")
	}
}

func TestM17Lifetimes(t *testing.T) {
	ca, _ := newCA(t)
	issuer, _ := x509.ParseCertificate(ca.Certificate[0])
	if life := issuer.NotAfter.Sub(issuer.NotBefore); life > 366*24*time.Hour || time.Since(issuer.NotBefore) < 47*time.Hour {
		t.Errorf("the CA lives %v from %v", life, issuer.NotBefore)
	}
	store := &leaves{ca: ca, kept: map[string]*tls.Certificate{}}
	leaf, err := store.Fetch("api.bigcommerce.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	if life := leaf.Leaf.NotAfter.Sub(leaf.Leaf.NotBefore); life > 197*24*time.Hour || time.Since(leaf.Leaf.NotBefore) < 47*time.Hour {
		t.Errorf("a leaf lives %v from %v", life, leaf.Leaf.NotBefore)
	}
	if again, _ := store.Fetch("api.bigcommerce.com", nil); again != leaf {
		t.Error("the leaf was made twice")
	}
	if _, err := store.Fetch("evil.example", nil); err == nil {
		t.Error("a leaf for another host was made")
	}
	late, err := store.sign("api.bigcommerce.com", issuer.NotAfter.Add(-24*time.Hour))
	if err != nil || late.Leaf.NotAfter.After(issuer.NotAfter) {
		t.Errorf("a late leaf: %v outlives its CA", err)
	}
	if _, err := store.sign("api.bigcommerce.com", issuer.NotAfter.Add(time.Hour)); err == nil {
		t.Error("an expired CA signs")
	}
}
