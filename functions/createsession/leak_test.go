package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	dt "didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
)

// canaries are planted in every field that holds something that must not leave.
const (
	plantedID     = "planted-client-id"
	plantedSecret = "planted-client-secret"
	plantedKey    = "planted-api-key"
	plantedBody   = `{"vendor_data":"planted-user","callback":"https://example.com/verification?planted=callback","language":"en",
		"metadata":{"planted":"planted-metadata"},"portrait_image":"cGxhbnRlZA==",
		"contact_details":{"email":"planted@example.com","phone":"+442071838750"},
		"expected_details":{"first_name":"planted-first","last_name":"planted-last","date_of_birth":"1990-05-15","nationality":"USA","country":"GBR",
		"address":"planted-address","identification_number":"planted-number","ip_address":"198.51.100.77"}}`
)

// planted are the texts that must not be found. The session's URL and token, and the access token,
// are added as they become known.
var planted = []string{"planted", "cGxhbnRlZA", "2071838750", "1990-05-15", "198.51.100.77", "Bearer ", "Basic "}

// echoes are refusals in which Didit quotes what was sent.
var echoes = []dt.Fault{
	create(400, `{"contact_details":{"email":["planted@example.com is not valid."]},"planted":["planted"]}`),
	create(400, `{"detail":"planted@example.com (+442071838750) is not valid."}`),
	create(400, `["planted-first is not valid."]`),
	create(400, `{"vendor_data":"The user planted has been blocked and cannot create new verification sessions."}`),
	create(400, `{"detail":"planted: You need to have a paid plan to perform this workflow."}`),
	create(403, `{"error":"planted: You don't have enough credits to perform this request."}`),
	create(401, `{"detail":"planted-client-secret is not valid."}`),
	create(500, `planted`),
	create(201, `{"session_id":"planted"`),
	create(302, `planted`),
	token(401, `{"error":"invalid_client","error_description":"planted-client-secret"}`),
	token(400, `{"error":"planted"}`),
	token(200, `{"access_token":""}`),
	token(500, `planted-client-id`),
}

// Ensure that nothing secret and nothing personal reaches stdout, stderr, or an error of the direct
// door, whatever goes wrong; and that over HTTP a refusal holds no more than Didit's sentence.
func TestLeaks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, map[string]string{"AWS_LAMBDA_LOG_LEVEL": "DEBUG"})
	w.didit.SetCredentials(plantedID, plantedSecret, plantedKey)
	w.secrets.Set(secretID, fmt.Sprintf(`{"client_id":%q,"client_secret":%q}`, plantedID, plantedSecret))
	search := func(what string, r lambdatest.Result, markers []string) {
		t.Helper()
		for _, text := range []string{string(w.Logs()), r.ErrorMessage, r.ErrorType} {
			for _, marker := range markers {
				if i := strings.Index(text, marker); i >= 0 {
					t.Fatalf("%s: %q is told: …%.200s", what, marker, text[max(0, i-100):])
				}
			}
		}
	}
	r := w.invoke(t, []byte(plantedBody))
	var session struct {
		Token string `json:"session_token"`
		URL   string `json:"url"`
	}
	if err := json.Unmarshal(r.Payload, &session); err != nil || session.Token == "" {
		t.Fatalf("got %s %s", r.Payload, r.ErrorMessage)
	}
	markers := append([]string{session.Token, session.URL}, planted...)
	search("created", r, markers)

	rows := echoes
	for _, f := range faults {
		if !f.hangs() {
			rows = append(rows, f.faults...)
		}
	}
	for _, f := range rows {
		w.didit.RevokeTokens() // so that the token endpoint is asked, too
		w.didit.Inject(f)
		r := w.invoke(t, []byte(plantedBody))
		search(fmt.Sprintf("fault %s %d %s", f.On, f.Status, f.Mode), r, markers)
		w.didit.ClearFaults()
	}
	for _, body := range []string{
		strings.Replace(plantedBody, `"USA"`, `"planted"`, 1), strings.Replace(plantedBody, `"en"`, `"planted en"`, 1),
		strings.Replace(plantedBody, `planted@example.com`, `planted`, 1), strings.Replace(plantedBody, `+4420`, `4420`, 1),
		plantedBody[:200], plantedBody + `"planted"`, `"planted"`, "planted\xff",
		strings.Replace(plantedBody, `https://`, `javascript:planted//`, 1), strings.Replace(plantedBody, `cGxhbnRlZA==`, `planted!`, 1),
	} {
		search("invalid "+body, w.invoke(t, []byte(body)), markers)
	}
	if lines := bytes.Count(w.Logs(), []byte("\n")); lines < len(rows) {
		t.Errorf("only %d lines were searched", lines)
	}
}
