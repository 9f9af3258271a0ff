package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// systemBundle is where Debian keeps the certificates that it trusts.
	systemBundle = "/etc/ssl/certs/ca-certificates.crt"

	// usualBundle is about how many a bundle holds; a machine without one gets
	// so many made-up ones, because reading them is part of a cold start.
	usualBundle = 140
)

// trust is a certificate authority of our own, the certificate that it gave to
// 127.0.0.1, and the environment of a process that trusts it beside everybody
// else whom the system trusts.
type trust struct {
	server tls.Certificate
	pool   *x509.CertPool // holds the authority alone
	env    map[string]string
}

// newTrust writes the bundle into dir, which must outlive the processes.
func newTrust(dir string) (*trust, error) {
	authority, err := newAuthority("Bench CA")
	if err != nil {
		return nil, err
	}
	server, err := authority.issue()
	if err != nil {
		return nil, err
	}
	bundle, err := os.ReadFile(systemBundle)
	if errors.Is(err, fs.ErrNotExist) {
		bundle, err = madeUpBundle(usualBundle)
	}
	if err != nil {
		return nil, err
	}
	// At the end, so that it takes all of the bundle to find it.
	bundle = append(append(bundle, '\n'), authority.pem()...)
	file, empty := filepath.Join(dir, "ca-bundle.crt"), filepath.Join(dir, "no-certificates")
	if err := os.WriteFile(file, bundle, 0o600); err != nil {
		return nil, err
	}
	if err := os.Mkdir(empty, 0o700); err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority.certificate)
	return &trust{server: server, pool: pool, env: map[string]string{"SSL_CERT_FILE": file, "SSL_CERT_DIR": empty}}, nil
}

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate(1, name)
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	return &authority{parsed, key}, err
}

// issue makes a certificate for 127.0.0.1.
func (a *authority) issue() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := certificate(2, "127.0.0.1")
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// certificate is what all of them have in common: they are good for today.
func certificate(serial int64, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
}

// madeUpBundle is n certificates of authorities whose keys are gone.
func madeUpBundle(n int) ([]byte, error) {
	var bundle bytes.Buffer
	for i := range n {
		a, err := newAuthority(fmt.Sprintf("Made-up CA %d", i))
		if err != nil {
			return nil, err
		}
		bundle.Write(a.pem())
	}
	return bundle.Bytes(), nil
}
