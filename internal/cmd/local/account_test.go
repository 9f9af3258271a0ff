package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"didit-sessions/internal/didit/didittest"
)

// Ensure that sessions are created with the credentials of the environment where it names Didit's
// URL, and that the system says so. A simulator of its own plays Didit.
func TestAccount_real(t *testing.T) {
	t.Parallel()
	const workflow, key = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "a-key-of-a-real-account"
	didit := &didittest.Server{APIKey: key}
	if err := didit.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(didit.Close)
	var log lockedBuffer
	s := startSystem(t, map[string]string{"DIDIT_API_URL": didit.URL(), "DIDIT_API_KEY": key, "WORKFLOW_IDS": workflow}, &log)
	response, body := do(t, "POST", s.url+"/sessions", "alice", "", "{}")
	if response.StatusCode != http.StatusCreated || !strings.Contains(body, didit.URL()+"/session/") || !strings.Contains(body, workflow) {
		t.Errorf("got %d %s", response.StatusCode, body)
	}
	if response, body := do(t, "POST", s.url+"/webhooks/didit", "", "", "{}"); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("unsigned webhook: got %d %s", response.StatusCode, body)
	}
	if now := stateOf(t, s); !now.RealAccount || len(now.Sessions) != 1 || now.Sessions[0].VendorData != "alice" || now.Sessions[0].Status != "Not Started" {
		t.Errorf("the page shows %+v, want the recorded session of a real account", now.Sessions)
	}
	for _, path := range []string{"/local/deployment", "/local/secrets/didit"} {
		if response, body := do(t, "GET", s.url+path, "", "", ""); response.StatusCode != http.StatusNotFound || strings.Contains(body, key) {
			t.Errorf("%s: got %d %s, want nothing of a real account", path, response.StatusCode, body)
		}
	}
	var out strings.Builder
	s.printWhere(&out)
	if !strings.Contains(out.String(), didit.URL()+", with the credentials of the environment") || strings.Contains(out.String(), "simulator") {
		t.Errorf("got %s", &out)
	}
	if text := out.String() + log.String(); strings.Contains(text, key) {
		t.Errorf("the key is in %s", text)
	}
}

// Ensure that half of a real account is refused with what is missing, and never used by accident.
func TestLoadAccount(t *testing.T) {
	t.Parallel()
	const url, workflow = "https://verification.didit.me", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	for _, test := range []struct {
		values map[string]string
		want   string
	}{
		{map[string]string{"DIDIT_API_URL": url, "WORKFLOW_IDS": workflow}, "DIDIT_API_KEY"},
		{map[string]string{"DIDIT_API_URL": url, "WORKFLOW_IDS": workflow, "DIDIT_CLIENT_ID": "x"}, "DIDIT_CLIENT_SECRET"},
		{map[string]string{"DIDIT_API_URL": url, "DIDIT_API_KEY": "secret"}, "WORKFLOW_IDS"},
		{map[string]string{"DIDIT_AUTH_URL": url, "DIDIT_API_KEY": "secret"}, "DIDIT_API_URL"},
	} {
		if _, err := load(env(test.values)); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret\"") {
			t.Errorf("%v: got %v, want %s in it", test.values, err, test.want)
		}
	}
	s, err := load(env(map[string]string{"DIDIT_API_URL": url, "DIDIT_CLIENT_ID": "i", "DIDIT_CLIENT_SECRET": "s", "WORKFLOW_IDS": workflow}))
	var secret map[string]string
	if json.Unmarshal([]byte(s.account.secret), &secret) != nil || err != nil || secret["client_id"] != "i" || secret["client_secret"] != "s" {
		t.Errorf("got %v, %v", secret, err)
	}
	if s, err = load(env(map[string]string{"DIDIT_API_KEY": "x"})); err != nil || s.account.isReal() || !s.account.unused {
		t.Errorf("credentials alone: got %v, real %v", err, s.account.isReal())
	}
	var out strings.Builder
	unused := startSystem(t, map[string]string{"DIDIT_API_KEY": "x"}, io.Discard)
	if unused.printWhere(&out); !strings.Contains(out.String(), "They are not used") {
		t.Errorf("got %s", &out)
	}
}

// Ensure that a session's URL has the host by which an emulator reaches this machine.
func TestWithHost(t *testing.T) {
	t.Parallel()
	const origin, target = "http://127.0.0.1:8081", "http://127.0.0.1:8081/session/x"
	for host, want := range map[string]string{
		"10.0.2.2:8080":     "http://10.0.2.2:8081/session/x",
		"laptop.local:8080": "http://laptop.local:8081/session/x",
		"10.0.2.2":          "http://10.0.2.2:8081/session/x",
		"[fd00::1]:8080":    "http://[fd00::1]:8081/session/x",
		"127.0.0.1:8080":    target,
		"localhost:8080":    target,
		"[::1]:8080":        target,
		"":                  target,
		"a b":               target,
		"/x":                target,
	} {
		if got := withHost(target, origin, host); got != want {
			t.Errorf("%q: got %s, want %s", host, got, want)
		}
	}
	if got := withHost("https://verify.didit.me/session/x", origin, "10.0.2.2"); got != "https://verify.didit.me/session/x" {
		t.Errorf("Didit's own: got %s", got)
	}
	s := startSystem(t, nil, io.Discard)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/sessions", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "10.0.2.2:8080"
	r.Header.Set("Authorization", "alice")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var a answer
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil || !strings.HasPrefix(a.URL, "http://10.0.2.2:"+s.simulatorURL[strings.LastIndexByte(s.simulatorURL, ':')+1:]+"/session/") {
		t.Errorf("got %s, %v", a.URL, err)
	}
}
