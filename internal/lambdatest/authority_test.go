package lambdatest

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Ensure that a client of the authority trusts a server by its name or address, and by no other.
func TestAuthority(t *testing.T) {
	t.Parallel()
	a, err := NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(a.PEM()) {
		t.Fatal("the certificate is not PEM")
	}
	for _, issued := range []string{"server.example.com", "127.0.0.1"} {
		certificate, err := a.Issue(issued)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
		server.StartTLS()
		t.Cleanup(server.Close)
		for _, host := range []string{"server.example.com", "127.0.0.1", "example.com"} {
			connection, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{RootCAs: pool, ServerName: host})
			if (err == nil) != (host == issued) {
				t.Errorf("issued to %s, asked as %s: got %v", issued, host, err)
			}
			if err == nil {
				_ = connection.Close()
			}
		}
	}
}
