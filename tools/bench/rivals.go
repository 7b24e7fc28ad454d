package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// upstream answers /stores/…/v3/bench?size=N with N bytes of JSON text, and ?stream=1 with a first
// line at once and a second one after 300 ms. It prints its address.
func upstream(certFile string) error {
	cert, certPEM, err := selfSigned()
	if err != nil {
		return err
	}
	if err := os.WriteFile(certFile, certPEM, 0o600); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	s := &http.Server{Handler: http.HandlerFunc(answer), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	return s.ServeTLS(l, "", "")
}

var filler = []byte(strings.Repeat(`{"id":118,"name":"Colombia, washed"},`, 1<<20/37+1))

func answer(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.Header().Set("Content-Type", "application/json")
	if q.Has("soak") && misbehave(w) {
		return
	}
	if q.Has("stream") {
		w.Header().Set("Bench-Flushed", strconv.FormatInt(time.Now().UnixNano(), 10))
		fmt.Fprintln(w, `{"line":1}`)
		w.(http.Flusher).Flush()
		select {
		case <-time.After(300 * time.Millisecond):
		case <-r.Context().Done():
		}
		fmt.Fprintln(w, `{"line":2}`)
		return
	}
	size, err := strconv.Atoi(q.Get("size"))
	if err != nil || size < 0 || size > len(filler) {
		size = 200
	}
	w.Header().Set("Content-Length", strconv.Itoa(size))
	w.Write(filler[:size])
}

// misbehave answers one in a hundred with a broken connection, and one in a hundred with 429.
func misbehave(w http.ResponseWriter) bool {
	switch mathrand.IntN(100) {
	case 0:
		panic(http.ErrAbortHandler)
	case 1:
		w.Header().Set("X-Rate-Limit-Time-Reset-Ms", "20")
		w.Header().Set("X-Rate-Limit-Requests-Quota", "150")
		w.Header().Set("X-Rate-Limit-Requests-Left", "0")
		w.Header().Set("X-Rate-Limit-Time-Window-Ms", "30000")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	return false
}

// reverse is the rival: httputil.ReverseProxy with a tuned transport, which adds one header and
// records nothing.
func reverse(target, certFile string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	pool, err := trusted(certFile)
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Header.Set("X-Auth-Token", "bench")
		},
		Transport: &http.Transport{
			MaxIdleConns: 512, MaxIdleConnsPerHost: 512, DisableCompression: true, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{RootCAs: pool},
		},
		FlushInterval: -1,
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, proxy)
}

func trusted(file string) (*x509.CertPool, error) {
	certPEM, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return pool, nil
}

func selfSigned() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench upstream"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
