package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// token returns a JWT with these claims, whose signature is none.
func token(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

// Ensure claims arrive as API Gateway passes them on.
func TestClaims(t *testing.T) {
	t.Parallel()
	g := &gateway{principalClaim: "sub"}
	for claim, want := range map[string]string{
		`"user-123"`:           "user-123",
		`" user\n"`:            " user\n",
		`"a\ud800"`:            "a\ufffd",
		`1732579200`:           "1732579200",
		`12345678901234567890`: "12345678901234567890",
		`1.50`:                 "1.50",
		`true`:                 "true",
		`null`:                 "<nil>",
		`[]`:                   "[]",
		`["a","b c",7]`:        "[a b c 7]",
		`[["a"],{"k":"v"}]`:    "[[a] map[k:v]]",
		`{}`:                   "map[]",
		`{"roles":["a","b"],"n":1,"deep":{"x":null}}`: "map[deep:map[x:<nil>] n:1 roles:[a b]]",
	} {
		if got, problem := g.claims(token(`{"sub":` + claim + `,"iss":"x"}`)); got["sub"] != want || got["iss"] != "x" || problem != "" {
			t.Errorf("%s: got %q, %s, want %q", claim, got["sub"], problem, want)
		}
	}
	for _, name := range []string{"alice", "a.b", "a.b.c", "e30.not-base64!.c2ln", token(`[1]`), token(`{`), strings.TrimSuffix(token(`{"sub":"x"}`), ".c2ln"), token(`{"sub":"x"}`) + ".x"} {
		if got, problem := g.claims(name); len(got) != 1 || got["sub"] != name || problem != "" {
			t.Errorf("%s: got %q, %s, want the name itself", name, got, problem)
		}
	}
}

// Ensure that a token is looked at as API Gateway does, apart from its signature, once an issuer is
// configured.
func TestClaims_issuer(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	s := startSystem(t, map[string]string{"JWT_ISSUER": "https://issuer.example.com/", "JWT_AUDIENCE": "web, app"}, &log)
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	claims := func(issuer, audience string, expires int64) string {
		return token(fmt.Sprintf(`{"sub":"alice","iss":%q,%s,"exp":%d}`, issuer, audience, expires))
	}
	const issuer, web = "https://issuer.example.com/", `"aud":"web"`
	for _, test := range []struct{ name, token, problem string }{
		{"string", claims(issuer, web, in(time.Hour)), ""},
		{"array", claims(issuer, `"aud":["other","app"]`, in(time.Hour)), ""},
		{"client id", claims(issuer, `"client_id":"app"`, in(time.Hour)), ""},
		{"audience before client id", claims(issuer, `"aud":"other","client_id":"app"`, in(time.Hour)), "the token does not have a valid audience"},
		{"another audience", claims(issuer, `"aud":["other"]`, in(time.Hour)), "the token does not have a valid audience"},
		{"no audience", claims(issuer, `"a":1`, in(time.Hour)), "the token does not have a valid audience"},
		{"no slash", claims("https://issuer.example.com", web, in(time.Hour)), "the token does not have a valid issuer"},
		{"expired", claims(issuer, web, in(-time.Hour)), "the token has expired"},
		{"without an end", token(`{"iss":"https://issuer.example.com/","aud":"web"}`), "the token has expired"},
		{"not yet", claims(issuer, web+fmt.Sprintf(`,"nbf":%d`, in(time.Hour)), in(2*time.Hour)), "the token is not valid yet"},
		{"word", "alice", "the token is not a JWT"},
	} {
		response, body := do(t, "GET", s.url+"/sessions", "Bearer "+test.token, "", "")
		status, want := 200, ""
		if test.problem != "" {
			status, want = 401, `Bearer scope="" error="invalid_token" error_description="`+test.problem+`"`
		}
		if got := response.Header.Get("Www-Authenticate"); response.StatusCode != status || got != want {
			t.Errorf("%s: got %d %s, %s, want %d %s", test.name, response.StatusCode, got, body, status, want)
		}
	}
	if !strings.Contains(log.String(), "gateway  401  GET  /sessions  by the gateway: the token does not have a valid audience") {
		t.Errorf("got log\n%s", &log)
	}
	if response, _ := do(t, "GET", s.url+"/sessions", "", "", ""); response.Header.Get("Www-Authenticate") != "Bearer" {
		t.Errorf("no token: got %v", response.Header)
	}
}

// Ensure that a token needs no word before it, and that the user is in the claim that names users.
func TestAuthorize_word(t *testing.T) {
	t.Parallel()
	s := startSystem(t, map[string]string{"PRINCIPAL_CLAIM": "email"}, io.Discard)
	for _, authorization := range []string{"alice", "Bearer alice", "bearer  alice "} {
		response, body := do(t, "POST", s.url+"/sessions", authorization, "application/json", "{}")
		if response.StatusCode/100 != 2 || !strings.Contains(body, `"vendor_data":"alice"`) {
			t.Errorf("%q: got %d %s", authorization, response.StatusCode, body)
		}
	}
	for _, authorization := range []string{"Basic YTpi", "Bearer", "Bearer a b"} {
		if response, body := do(t, "POST", s.url+"/sessions", authorization, "application/json", "{}"); response.StatusCode != 401 || body != `{"message":"Unauthorized"}` {
			t.Errorf("%q: got %d %s", authorization, response.StatusCode, body)
		}
	}
}
