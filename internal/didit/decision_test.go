package didit

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const okDecision = `{"session_id":"` + sessionID + `", "status":"Approved","vendor_data":"user-123","workflow_id":"` + workflow + `",
	"features":["LIVENESS"],"liveness":{"status":"Approved","score":92.0},"serial":118120836164494131264123456789012345678}`

// A decision is asked for under the version of the credentials, and comes back byte for byte.
func TestClient_Decision(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, secret, id string
		version          Version
		path, header     string
	}{
		{"client credentials", pairSecret, sessionID, "", "/v2/session/" + sessionID + "/decision/", "Bearer token-1"},
		{"API key", keySecret, sessionID, "", "/v3/session/" + sessionID + "/decision/", "key-1"},
		{"API key with v2", keySecret, sessionID, V2, "/v2/session/" + sessionID + "/decision/", "key-1"},
		{"upper case", keySecret, strings.ToUpper(sessionID), "", "/v3/session/" + sessionID + "/decision/", "key-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t, nil, reply(200, okDecision))
			client := fake.client(t, fixed(tt.secret), new(clock))
			client.Version = tt.version
			var seen attempts
			client.Observe = seen.observe
			got, err := client.Decision(t.Context(), tt.id)
			want := Decision{
				SessionID: sessionID, Status: "Approved", VendorData: ptr("user-123"), WorkflowID: ptr(workflow),
				Checks: []Check{{"LIVENESS", ptr("Approved")}}, Raw: []byte(okDecision),
			}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %v %s, %v, want %s", got, got.Raw, err, okDecision)
			}
			_, sent := fake.asked()
			if len(sent) != 1 || sent[0].method != "GET" || sent[0].uri != prefix+tt.path || sent[0].body != "" ||
				sent[0].header.Get("Authorization")+sent[0].header.Get("X-Api-Key") != tt.header {
				t.Errorf("got requests %+v, want GET %s with %s", sent, tt.path, tt.header)
			}
			if all := seen.all(); len(all) == 0 || all[len(all)-1] != (Attempt{Op: "decision", Status: 200}) {
				t.Errorf("got attempts %+v, want one decision", all)
			}
		})
	}
}

func TestClient_Decision_answers(t *testing.T) {
	t.Parallel()
	at := func(length int) string {
		return okDecision + strings.Repeat(" ", length-len(okDecision))
	}
	for _, tt := range []struct {
		name       string
		status     int
		body       string
		header     []string
		want       Kind // empty for success
		wantAsked  int
		retryAfter time.Duration
	}{
		{"5 MB", 200, at(5 << 20), nil, "", 1, 0},
		{"more than 5 MB", 200, at(5<<20 + 1), nil, KindUnavailable, 2, 0},
		{"not found", 404, `{"detail":"Not found."}`, nil, KindNotFound, 1, 0},
		{"session not found", 404, `{"detail":"Session not found."}`, nil, KindNotFound, 1, 0},
		{"a page", 404, `<html><h1>Not Found</h1></html>`, nil, KindUnexpected, 1, 0},
		{"empty 404", 404, ``, nil, KindUnexpected, 1, 0},
		{"another 404", 404, `["Not found."]`, nil, KindUnexpected, 1, 0},
		{"a 404 without a sentence", 404, `{"detail":""}`, nil, KindUnexpected, 1, 0},
		{"throttled", 429, `{"detail":"GET request rate limit exceeded."}`, []string{"Retry-After", "23"}, KindThrottled, 1, 23 * time.Second},
		{"throttled without advice", 429, ``, nil, KindThrottled, 1, 0},
		{"500", 500, ``, nil, KindUnavailable, 2, 0},
		{"503 with advice", 503, ``, []string{"Retry-After", "7"}, KindUnavailable, 1, 7 * time.Second},
		{"refused", 403, `{"detail":"You do not have permission to perform this action."}`, nil, KindCredentialsRejected, 2, 0},
		{"refused by 401", 401, ``, nil, KindCredentialsRejected, 2, 0},
		{"credits", 403, `{"error":"You don't have enough credits"}`, nil, KindInsufficientCredits, 1, 0},
		{"400", 400, `{"detail":"no"}`, nil, KindInvalidRequest, 1, 0},
		{"created", 201, okDecision, nil, KindUnexpected, 1, 0},
		{"no content", 204, ``, nil, KindUnexpected, 1, 0},
		{"a redirect", 301, ``, []string{"Location", "/elsewhere"}, KindUnexpected, 1, 0},
		{"not JSON", 200, `<html>`, nil, KindUnavailable, 2, 0},
		{"a list", 200, `[]`, nil, KindUnavailable, 2, 0},
		{"null", 200, `null`, nil, KindUnavailable, 2, 0},
		{"no status", 200, `{"session_id":"` + sessionID + `"}`, nil, KindUnavailable, 2, 0},
		{"another session", 200, `{"session_id":"` + workflow + `","status":"Approved"}`, nil, KindUnavailable, 2, 0},
		{"the id in upper case", 200, strings.Replace(okDecision, sessionID, strings.ToUpper(sessionID), 1), nil, "", 1, 0},
		{"no id", 200, `{"status":"Approved"}`, nil, "", 1, 0},
		{"other types", 200, `{"status":"Approved","vendor_data":5,"workflow_id":["x"],"features":7}`, nil, "", 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t, nil, reply(tt.status, tt.body, tt.header...))
			got, err := fake.client(t, fixed(keySecret), new(clock)).Decision(t.Context(), sessionID)
			if _, asked := fake.counts(); asked != tt.wantAsked {
				t.Errorf("got %d requests, want %d", asked, tt.wantAsked)
			}
			if tt.want == "" {
				if err != nil || got.SessionID != sessionID || got.Status != "Approved" || !bytes.Equal(got.Raw, []byte(tt.body)) {
					t.Errorf("got %v, %v, want the decision as it was sent", got, err)
				}
				return
			}
			e := failure(t, tt.name, err)
			if e.Kind != tt.want || e.Op != "decision" || e.RetryAfter != tt.retryAfter || got.Raw != nil || got.Status != "" {
				t.Errorf("got %v, %v (advice %v), want %v with advice %v", got, e, e.RetryAfter, tt.want, tt.retryAfter)
			}
			if tt.want == KindNotFound && e.Detail == "" {
				t.Error("got no detail, want Didit's sentence")
			}
		})
	}
}

// What is no UUID is not asked for.
func TestClient_Decision_malformedID(t *testing.T) {
	t.Parallel()
	fake := newFake(t, nil, reply(200, okDecision))
	client := fake.client(t, fixed(pairSecret), new(clock))
	for _, id := range []string{"", "none", "../" + sessionID, sessionID + "/", sessionID[1:], sessionID + "\n", "g" + sessionID[1:]} {
		_, err := client.Decision(t.Context(), id)
		if e := failure(t, id, err); e.Kind != KindNotFound || e.Status != 0 {
			t.Errorf("%q: got %v, want %v without a request", id, e, KindNotFound)
		}
	}
	if tokens, asked := fake.counts(); tokens != 0 || asked != 0 {
		t.Errorf("got %d and %d requests, want none", tokens, asked)
	}
}

// Refused credentials are repaired as for a new session: the secret is read again, once.
func TestClient_Decision_refused(t *testing.T) {
	t.Parallel()
	fake := newFake(t, nil, sequence(reply(403, `{"detail":"Authentication credentials were not provided or are invalid."}`), reply(200, okDecision)))
	source := newSecrets(new(clock), keySecret, `{"api_key":"key-2"}`)
	if got, err := fake.client(t, source, new(clock)).Decision(t.Context(), sessionID); err != nil || got.Status != "Approved" {
		t.Errorf("got %v, %v, want the decision", got, err)
	}
	_, sent := fake.asked()
	if len(sent) != 2 || sent[1].header.Get("X-Api-Key") != "key-2" || source.reads.Load() != 2 {
		t.Errorf("got %d requests after %d reads, want a second with the new key", len(sent), source.reads.Load())
	}
	broken := newSecrets(new(clock), "!")
	if _, err := fake.client(t, broken, new(clock)).Decision(t.Context(), sessionID); !errors.Is(err, errStore) {
		t.Errorf("store out of reach: got %v, want %v", err, errStore)
	}
}

// An answer that was cut off, or never came, is asked for once more.
func TestClient_Decision_again(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func() *fakeDidit{
		"cut off": func() *fakeDidit { return newFake(t, nil, sequence(cut(200, okDecision), reply(200, okDecision))) },
		"reset":   func() *fakeDidit { return newFake(t, nil, sequence(reset, reply(200, okDecision))) },
		"502":     func() *fakeDidit { return newFake(t, nil, sequence(reply(502, `<html>`), reply(200, okDecision))) },
	} {
		fake := first()
		got, err := fake.client(t, fixed(keySecret), new(clock)).Decision(t.Context(), sessionID)
		if _, asked := fake.counts(); err != nil || got.Status != "Approved" || asked != 2 {
			t.Errorf("%s: got %v, %v after %d requests, want the decision after 2", name, got, err, asked)
		}
	}
}

// A decision that does not come is asked for twice, 10 s each.
func TestClient_Decision_timeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := new(clock)
		fake := newMemoryFake(t, c, nil, hang)
		start := time.Now()
		_, err := fake.client(t, fixed(keySecret), c).Decision(t.Context(), sessionID)
		if e := failure(t, "hang", err); e.Kind != KindTimeout {
			t.Errorf("got %v, want %v", e, KindTimeout)
		}
		took := time.Since(start)
		if _, asked := fake.counts(); asked != 2 || took < 20*time.Second || took > 20*time.Second+150*time.Millisecond {
			t.Errorf("got %d requests in %v, want 2 in 20 s and a pause", asked, took)
		}
	})
}

// Nothing of an answer reaches the error's text.
func TestClient_Decision_errorText(t *testing.T) {
	t.Parallel()
	const marker = "PLANTED"
	for _, tt := range []struct {
		status int
		body   string
	}{{404, `{"detail":"` + marker + `"}`}, {404, marker}, {200, marker}, {200, `{"session_id":"` + marker + `","status":"x"}`}, {500, marker}, {403, marker}} {
		fake := newFake(t, nil, reply(tt.status, tt.body))
		_, err := fake.client(t, fixed(keySecret), new(clock)).Decision(t.Context(), sessionID)
		if text := fmt.Sprintf("%v %+v", err, err); err == nil || strings.Contains(text, marker) {
			t.Errorf("%d %s: got %s", tt.status, tt.body, text)
		}
	}
}
