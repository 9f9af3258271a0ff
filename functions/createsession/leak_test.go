package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	dt "didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
)

// The markers are in every field with data that must not leave the function.
const (
	plantedID     = "planted-client-id"
	plantedSecret = "planted-client-secret"
	plantedKey    = "planted-api-key"
	plantedToken  = "planted-access-token"
	plantedBody   = `{"vendor_data":"planted-user","callback":"https://app.example.com/verified?planted=callback","language":"en",
		"metadata":{"planted":"planted-metadata"},"portrait_image":"cGxhbnRlZA==",
		"contact_details":{"email":"planted@example.com","phone":"+442071838750"},
		"expected_details":{"first_name":"planted-first","last_name":"planted-last","date_of_birth":"1990-05-15","nationality":"USA","country":"GBR",
		"address":"planted-address","identification_number":"planted-number","ip_address":"198.51.100.77"}}`
)

// planted are the strings that must not be found. The session's URL and token are added when they
// are known.
var planted = []string{"planted", "cGxhbnRlZA", "2071838750", "1990-05-15", "198.51.100.77", "Bearer ", "Basic ", "/session/"}

// ourOwn are the strings that even the caller must not see.
var ourOwn = []string{plantedID, plantedSecret, plantedKey, plantedToken, "planted-jwt", "Bearer ", "Basic "}

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
	token(200, `{"access_token":"planted-access-token","expires_in":"planted"}`),
	token(500, `planted-client-id`),
}

// invalid are bodies that our own validation refuses.
var invalid = []string{
	strings.Replace(plantedBody, `"USA"`, `"planted"`, 1), strings.Replace(plantedBody, `"en"`, `"planted en"`, 1),
	strings.Replace(plantedBody, `planted@example.com`, `planted`, 1), strings.Replace(plantedBody, `+4420`, `4420`, 1),
	plantedBody[:200], plantedBody + `"planted"`, `"planted"`, "planted\xff",
	strings.Replace(plantedBody, `https://`, `javascript:planted//`, 1), strings.Replace(plantedBody, `cGxhbnRlZA==`, `planted!`, 1),
	strings.Replace(plantedBody, `planted-user`, `planted-other`, 1),
}

// Ensure that no secret and no personal data reaches stdout, stderr, metrics or an error of a
// direct invocation, whatever fails; that in an HTTP problem only Didit's own sentence may contain
// personal data; and that no answer contains credentials.
func TestLeaks(t *testing.T) {
	t.Parallel()
	for name, secret := range map[string]string{
		"bearer": fmt.Sprintf(`{"client_id":%q,"client_secret":%q}`, plantedID, plantedSecret), "api key": fmt.Sprintf(`{"api_key":%q}`, plantedKey),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, lambdatest.Options{Env: map[string]string{"AWS_LAMBDA_LOG_LEVEL": "DEBUG",
				"USER_FIELDS": "callback,language,metadata,portrait_image,contact_details,expected_details"}})
			w.Didit.SetCredentials(plantedID, plantedSecret, plantedKey)
			w.Secrets.Set(stage.SecretID, secret)
			testLeaks(t, &leaks{world: w, markers: planted, http: plantedEvent(t, plantedBody)})
		})
	}
}

func testLeaks(t *testing.T, l *leaks) {
	created := l.direct(t, "created", plantedBody)
	var session struct {
		Token string `json:"session_token"`
		URL   string `json:"url"`
	}
	if err := json.Unmarshal(created.Payload, &session); err != nil || session.Token == "" {
		t.Fatalf("got %s %s", created.Payload, created.ErrorMessage)
	}
	l.markers = append([]string{session.Token, session.URL}, planted...)
	l.again(t, "created")

	rows := echoes
	for _, f := range faults {
		if !f.hangs() {
			rows = append(rows, f.faults...)
		}
	}
	for _, f := range rows {
		l.Didit.RevokeTokens() // so that the token endpoint is asked, too
		l.Didit.Inject(f)
		l.again(t, fmt.Sprintf("fault %s %d %s", f.On, f.Status, f.Mode))
		l.Didit.ClearFaults()
	}
	for _, body := range invalid {
		l.direct(t, "invalid", body)
		l.request(t, "invalid", plantedEvent(t, body))
	}
	if got := bytes.Count(l.Logs(), []byte(`"CloudWatchMetrics"`)); got != l.calls || got < 2*len(rows) {
		t.Errorf("%d lines of metrics were searched, of %d calls", got, l.calls)
	}
}

// leaks searches the output of a function.
type leaks struct {
	*world
	markers  []string
	http     []byte // the request of [plantedBody]
	calls    int
	searched int // bytes of the logs
}

// again makes the call of [plantedBody] over HTTP and directly.
func (l *leaks) again(t *testing.T, what string) {
	t.Helper()
	l.direct(t, what, plantedBody)
	l.request(t, what, l.http)
}

func (l *leaks) direct(t *testing.T, what, body string) lambdatest.Result {
	t.Helper()
	r := l.Call(t, []byte(body))
	l.search(t, what+", error", r.ErrorType+" "+r.ErrorMessage, l.markers)
	l.searchLogs(t, what)
	return r
}

func (l *leaks) request(t *testing.T, what string, payload []byte) {
	t.Helper()
	r := l.Call(t, payload)
	l.searchLogs(t, what)
	a, err := r.HTTP()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	l.search(t, what+", answer", fmt.Sprint(a.Status, a.Header, string(a.Body)), ourOwn)
	if a.Status == http.StatusCreated {
		return
	}
	var problem map[string]any
	if err := json.Unmarshal(a.Body, &problem); err != nil {
		t.Fatalf("%s: %s: %v", what, a.Body, err)
	}
	switch problem["code"] {
	case "invalid_request", "plan_required", "insufficient_credits":
		// Didit's sentence for the caller may quote what the caller sent.
		delete(problem, "detail")
		delete(problem, "errors")
	}
	l.search(t, what+", problem", fmt.Sprint(a.Header, problem), l.markers)
}

// searchLogs searches what the last call wrote.
func (l *leaks) searchLogs(t *testing.T, what string) {
	t.Helper()
	l.calls++
	logs := string(l.Logs())
	l.search(t, what+", logs", logs[l.searched:], l.markers)
	l.searched = len(logs)
}

func (l *leaks) search(t *testing.T, what, text string, markers []string) {
	t.Helper()
	for _, marker := range markers {
		if i := strings.Index(text, marker); i >= 0 {
			t.Fatalf("%s: found %q: …%.200s", what, marker, text[max(0, i-100):])
		}
	}
}

// Ensure that a secret in the wrong place, or in the wrong form, is not revealed either.
func TestLeaks_configuration(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"planted", `{"client_id":"planted"}`, `{"api_key":"planted\nkey"}`, `{"api_key":["planted"]}`, `["planted"]`} {
		w := newWorld(t, lambdatest.Options{})
		w.Secrets.Set(stage.SecretID, secret)
		l := &leaks{world: w, markers: planted}
		if r := l.direct(t, secret, named); r.ErrorType != "SecretUnavailable" {
			t.Errorf("%s: got %q, want SecretUnavailable", secret, r.ErrorType)
		}
		l.request(t, secret, event(t, "http-minimal"))
	}
	for _, name := range []string{"DIDIT_AUTH_URL", "DIDIT_API_URL"} {
		for _, value := range []string{"https://planted:planted@didit.example.com", "https://didit.example.com/?token=planted", "https://didit.example.com:planted"} {
			w := newWorld(t, lambdatest.Options{Env: map[string]string{name: value}})
			if _, err := w.WaitReady(t.Context()); err == nil || !strings.Contains(string(w.Logs()), name) {
				t.Errorf("%s=%s: got %v, logs %s", name, value, err, w.Logs())
			}
			l := &leaks{world: w}
			l.search(t, name, string(w.Logs()), []string{"planted"})
		}
	}
	w := newWorld(t, lambdatest.Options{Env: map[string]string{"DIDIT_SECRET_ID": `{"client_secret":"planted"}`}})
	l := &leaks{world: w, markers: planted}
	if r := l.direct(t, "the secret instead of its name", named); !r.Failed() {
		t.Error("a secret instead of its name was taken")
	}
}
