package main

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"didit-sessions/internal/didit/didittest"
)

const testKey = secretMarker + "-didit-key"

var testWorkflows = []didittest.Workflow{
	{ID: "11111111-2222-3333-4444-555555555555", Label: "KYC + AML", Type: "kyc", Default: true, Status: "published"},
	{ID: "22222222-3333-4444-5555-666666666666", Label: "Age check", Type: "kyc", Status: "published"},
	{ID: "33333333-4444-5555-6666-777777777777", Label: "Draft", Type: "kyc", Status: "draft"},
}

// serveIssuer serves issuers of tokens over HTTPS: /rsa/ has RSA keys, /ec/ has others, /none/ has
// no keys, /slash/ calls itself by the name without the slash, /other/ by another name, /html/
// serves a page.
func serveIssuer() *httptest.Server {
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	publish := func(path, issuer, keys string) {
		mux.HandleFunc(path+".well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, issuer, server.URL+path+"keys")
		})
		mux.HandleFunc(path+"keys", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"keys":[%s]}`, keys) })
	}
	publish("/rsa/", server.URL+"/rsa/", `{"kty":"EC"},{"kty":"RSA"}`)
	publish("/ec/", server.URL+"/ec/", `{"kty":"EC"}`)
	publish("/none/", server.URL+"/none/", "")
	publish("/slash/", server.URL+"/slash", `{"kty":"RSA"}`)
	publish("/other/", "https://other.example.com/", `{"kty":"RSA"}`)
	mux.HandleFunc("/html/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })
	return server
}

// startIssuer serves the issuers for a script: $ISSUER is their origin.
func startIssuer(e *testscript.Env) error {
	server := serveIssuer()
	e.Defer(server.Close)
	bundle := filepath.Join(e.WorkDir, "issuer.pem")
	e.Setenv("ISSUER", server.URL)
	e.Setenv("SSL_CERT_FILE", bundle)
	return writeCertificate(server, bundle)
}

// writeCertificate writes the certificate by which the tool trusts the server.
func writeCertificate(server *httptest.Server, path string) error {
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return os.WriteFile(path, block, 0o600)
}

// token returns a JWT with an issuer and an audience, whose signature must not be seen.
func token(issuer, audience string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256"}`)) + "." + encode(fmt.Appendf(nil, `{"iss":%q,"aud":%s}`, issuer, audience)) + "." + secretMarker
}

// cmdToken sets TOKEN to a token of the issuer /rsa/: token AUDIENCE.
func cmdToken(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv("TOKEN", token(ts.Getenv("ISSUER")+"/rsa/", fmt.Sprintf("%q", args[0])))
}

func TestCheckIssuer(t *testing.T) {
	server := serveIssuer()
	t.Cleanup(server.Close)
	original := http.DefaultClient.Transport
	http.DefaultClient.Transport = server.Client().Transport
	t.Cleanup(func() { http.DefaultClient.Transport = original })
	for path, want := range map[string]string{
		"/rsa/":     "",
		"/ec/":      "the issuer has no RSA key, and API Gateway takes no other kind: let it sign with RS256, or use CallerAuth=iam",
		"/none/":    "the issuer publishes no keys",
		"/slash/":   "the issuer calls itself " + server.URL + "/slash: mind the slash at the end, and write it in this way",
		"/other/":   "the issuer calls itself https://other.example.com/: write it in this way",
		"/html/":    "the issuer's discovery document: no JSON at " + server.URL + "/html/.well-known/openid-configuration",
		"/missing/": "the issuer's discovery document: status 404 at " + server.URL + "/missing/.well-known/openid-configuration",
	} {
		found, err := checkIssuer(t.Context(), server.URL+path)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
		if (err == nil) != strings.HasSuffix(found, "the issuer matches, keys are RSA") {
			t.Errorf("%s: found %q", path, found)
		}
	}
	if _, err := checkIssuer(t.Context(), "https://127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "is the network up?") {
		t.Errorf("no server: got %v", err)
	}
}

func TestAudienceOf(t *testing.T) {
	t.Parallel()
	const issuer = "https://issuer.example.com/"
	encode := base64.RawURLEncoding.EncodeToString
	client := "e." + encode([]byte(`{"iss":"`+issuer+`","client_id":"app"}`)) + ".s"
	for _, test := range []struct{ token, want, wrong string }{
		{token(issuer, `"api"`), "api", ""},
		{token(issuer, `["api","`+issuer+`userinfo"]`), "api", ""},
		{token(issuer, `["a","b"]`), "", "the token has 2 audiences"},
		{client, "app", ""},
		{token("https://other/", `"api"`), "", "another issuer's"},
		{token(issuer, `[]`), "", "no claim aud"},
		{"eyJ.!.x", "", "no base64url"},
		{"eyJ", "", "three parts"},
	} {
		got, err := audienceOf(test.token, issuer)
		if got != test.want || (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%.60s: got %q, %v, want %q, %q", test.token, got, err, test.want, test.wrong)
		}
		if err != nil && strings.Contains(err.Error(), secretMarker) {
			t.Errorf("the error quotes the token: %v", err)
		}
	}
}
