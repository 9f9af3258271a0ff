package didittest

import (
	"strings"
	"testing"
	"time"
)

// Ensure the answer has the documented members, in their order, and no other.
func TestServer_token(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &Server{Now: now.Now})
	got := r.form(DefaultClientID, DefaultClientSecret, "grant_type=client_credentials")
	if got.status != 200 || got.header.Get("Content-Type") != "application/json" {
		t.Fatalf("status %d, Content-Type %q, body %s", got.status, got.header.Get("Content-Type"), got.body)
	}
	v := decode[tokenBody](t, got.body)
	want := `{"iss":"https://didit.me","iat":1772366400,"sub":"` + applicationID + `","client_id":"simulated-client-id",` +
		`"organization_id":"` + organizationID + `","expires_in":86400,"exp":1772452800,"access_token":"` +
		v.AccessToken + `"}`
	if got.body != want {
		t.Errorf("body %s\nwant %s", got.body, want)
	}
	if len(v.AccessToken) < 40 || v.AccessToken == r.token() {
		t.Errorf("access token %q is short or repeated", v.AccessToken)
	}
}

func TestServer_token_body(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	const form = "application/x-www-form-urlencoded"
	tests := []struct {
		name, contentType, body string
		status                  int
		want                    string
	}{
		{"form", form, "grant_type=client_credentials&scope=x", 200, ""},
		{"other grant", form, "grant_type=password", 400, `{"error":"unsupported_grant_type"}`},
		{"no grant", form, "", 400, `{"error":"unsupported_grant_type"}`},
		{"bad form", form, "grant_type=%zz", 400, `{"error":"invalid_request"}`},
		{"JSON", "application/json", `{"grant_type":"client_credentials"}`, 400, `{"error":"invalid_request"}`},
		{"other type", "text/plain", "grant_type=client_credentials", 400, `{"error":"invalid_request"}`},
		{"no type", "", "grant_type=client_credentials", 400, `{"error":"invalid_request"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := r.do("POST", "/auth/v2/token/", tt.body, "Content-Type", tt.contentType,
				"Authorization", "Basic c2ltdWxhdGVkLWNsaWVudC1pZDpzaW11bGF0ZWQtY2xpZW50LXNlY3JldA==")
			if got.status != tt.status || tt.want != "" && got.body != tt.want {
				t.Errorf("status %d, body %s; want %d, %s", got.status, got.body, tt.status, tt.want)
			}
		})
	}
}

func TestServer_token_credentials(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{ClientID: "id", ClientSecret: "s:e&c%ret"})
	for _, tt := range []struct {
		id, secret string
		status     int
	}{
		{"id", "s:e&c%ret", 200},
		{"id", "wrong", 401},
		{"wrong", "s:e&c%ret", 401},
		{DefaultClientID, DefaultClientSecret, 401},
		{"", "", 401},
	} {
		got := r.form(tt.id, tt.secret, "grant_type=client_credentials")
		if got.status != tt.status || got.status == 401 && got.body != `{"error":"invalid_client"}` {
			t.Errorf("%s/%s: status %d, body %s; want %d", tt.id, tt.secret, got.status, got.body, tt.status)
		}
	}
	if got := r.do("POST", "/auth/v2/token/", "grant_type=client_credentials"); got.status != 401 {
		t.Errorf("without credentials: status %d, want 401", got.status)
	}
}

// Ensure a token lives exactly as long as it says.
func TestServer_tokenLifetime(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &Server{Now: now.Now})
	token := r.token()
	now.advance(TokenLifetime - time.Nanosecond)
	if got := r.bearer(token); got != 201 {
		t.Errorf("status %d just before its end, want 201", got)
	}
	now.advance(time.Nanosecond)
	if got := r.bearer(token); got != 403 {
		t.Errorf("status %d at its end, want 403", got)
	}
	r.token()
	if n := len(r.tokens); n != 1 {
		t.Errorf("%d tokens kept, want the one that is valid", n)
	}
}

// Ensure a rotation refuses the old credentials and all that was issued for them, and that only
// what is given changes.
func TestServer_SetCredentials(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	token := r.token()
	r.SetCredentials("", "rotated", "")
	if got := r.bearer(token); got != 403 {
		t.Errorf("token from before: status %d, want 403", got)
	}
	if got := r.form(DefaultClientID, DefaultClientSecret, "grant_type=client_credentials"); got.status != 401 {
		t.Errorf("old secret: status %d, want 401", got.status)
	}
	if got := r.form(DefaultClientID, "rotated", "grant_type=client_credentials"); got.status != 200 {
		t.Errorf("new secret: status %d, want 200", got.status)
	}
	r.created(`{"workflow_id":"` + workflow + `"}`) // by the API key, which stays

	r.SetCredentials("", "", "other-key")
	if got := r.create(`{"workflow_id":"` + workflow + `"}`); got.status != 403 {
		t.Errorf("old API key: status %d, want 403", got.status)
	}
}

// Ensure credentials set before the first request are not undone by it.
func TestServer_SetCredentials_early(t *testing.T) {
	t.Parallel()
	s := &Server{ClientID: "knob"}
	s.SetCredentials("later", "", "")
	r := serve(t, s)
	if got := r.form("later", DefaultClientSecret, "grant_type=client_credentials"); got.status != 200 {
		t.Errorf("status %d, want 200", got.status)
	}
}

func TestServer_RevokeTokens(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	token := r.token()
	r.RevokeTokens()
	if got := r.bearer(token); got != 403 {
		t.Errorf("revoked token: status %d, want 403", got)
	}
	if got := r.bearer(r.token()); got != 201 {
		t.Errorf("new token: status %d, want 201", got)
	}
}

// Ensure both kinds of credentials open both versions, and nothing else does.
func TestServer_authorization(t *testing.T) {
	t.Parallel()
	plain := serve(t, &Server{})
	for _, path := range []string{"/v2/session/", "/v3/session/"} {
		token := plain.token()
		for _, tt := range []struct {
			header, value string
			ok            bool
		}{
			{"Authorization", "Bearer " + token, true},
			{"Authorization", "bearer " + token, true},
			{"X-Api-Key", DefaultAPIKey, true},
			{"X-Api-Key", "wrong", false},
			{"X-Api-Key", token, false},
			{"Authorization", token, false},
			{"Authorization", "Bearer", false},
			{"Authorization", "Bearer wrong", false},
			{"Authorization", "Basic " + token, false},
			{"Authorization", "Bearer " + DefaultAPIKey, false},
			{"X-Client-Id", DefaultClientID, false},
		} {
			got := plain.do("POST", path, `{"workflow_id":"`+workflow+`"}`,
				"Content-Type", "application/json", tt.header, tt.value)
			name := path + " " + strings.ReplaceAll(tt.header+": "+tt.value, token, "TOKEN")
			if tt.ok && got.status != 201 || !tt.ok && (got.status != 403 || got.body != Forbidden.Body) {
				t.Errorf("%s: status %d, body %s", name, got.status, got.body)
			}
		}
	}
}
