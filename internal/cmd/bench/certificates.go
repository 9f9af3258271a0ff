package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"didit-sessions/internal/lambdatest"
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
	authority, err := lambdatest.NewAuthority("Bench CA")
	if err != nil {
		return nil, err
	}
	server, err := authority.Issue("127.0.0.1")
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
	bundle = append(append(bundle, '\n'), authority.PEM()...)
	file, empty := filepath.Join(dir, "ca-bundle.crt"), filepath.Join(dir, "no-certificates")
	if err := os.WriteFile(file, bundle, 0o600); err != nil {
		return nil, err
	}
	if err := os.Mkdir(empty, 0o700); err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.PEM())
	return &trust{server: server, pool: pool, env: map[string]string{"SSL_CERT_FILE": file, "SSL_CERT_DIR": empty}}, nil
}

// madeUpBundle is n certificates of authorities whose keys are gone.
func madeUpBundle(n int) ([]byte, error) {
	var bundle bytes.Buffer
	for i := range n {
		a, err := lambdatest.NewAuthority(fmt.Sprintf("Made-up CA %d", i))
		if err != nil {
			return nil, err
		}
		bundle.Write(a.PEM())
	}
	return bundle.Bytes(), nil
}
