package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
	fakedynamodb "didit-sessions/internal/awsfake/dynamodb"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

// recording is the function with a table, and with an API key: an access token would be written to
// the table as well.
func recording(t *testing.T, env map[string]string) *stagetest.World {
	t.Helper()
	w := stagetest.NewIdle(t)
	w.Secrets.Set(stage.SecretID, stage.KeySecret)
	w.Start(t, lambdatest.Options{Env: env})
	return w
}

// created is the part of a session that tests look at.
type created struct {
	ID    string `json:"session_id"`
	URL   string `json:"url"`
	Token string `json:"session_token"`

	status int // of HTTP
}

// answered returns the session in an HTTP or direct answer, or how the call failed.
func answered(t *testing.T, r lambdatest.Result) (s created, failure string) {
	t.Helper()
	body := r.Payload
	if r.Failed() {
		return s, r.ErrorType
	}
	if a, err := r.HTTP(); err == nil {
		body = a.Body
		if s.status = a.Status; a.Status != 201 && a.Status != 200 {
			failure = fmt.Sprint(a.Status, " ", a.Header.Get("Retry-After"))
		}
	}
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatalf("got %s: %v", body, err)
	}
	return s, failure
}

// Ensure that the session has been recorded by one write when the answer has its URL, over HTTP and
// directly, and that a repeated create does not change the record.
func TestRecording(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, owner string
		env         map[string]string
		payload     []byte
	}{
		{"http", "user-123", nil, event(t, "http-minimal")},
		{"http, all fields", "user-123", nil, event(t, "http-full")},
		{"iam", "user-123", map[string]string{"CALLER_AUTH": "iam"}, event(t, "http-iam")},
		{"direct", "user-123", nil, event(t, "direct-minimal")},
		{"direct, ownerless", "", nil, []byte(anonymous)},
		{"direct, without its URL", "user-123", nil, event(t, "direct-full")},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := recording(t, test.env)
			begin := time.Now().Truncate(time.Millisecond)
			first, failure := answered(t, w.Call(t, test.payload))
			if first.ID == "" || failure != "" || (first.URL == "") != strings.Contains(test.name, "without") || (first.Token == "") != (first.URL == "") {
				t.Fatalf("got %+v, %q", first, failure)
			}
			signedIn := 0 // a signed-in user's sessions are looked at
			if test.env == nil && strings.HasPrefix(test.name, "http") {
				signedIn = 1
			}
			// Init opened the connection by a read. On a busy machine it gives up before it knows that an
			// API key needs no token, and the first call reads once more.
			reads := w.Table.Calls("GetItem")
			if w.Writes() != 1 || w.Table.Calls("UpdateItem") != 1 || w.Table.Calls("Query") != signedIn ||
				reads < 1 || reads > 2 || w.Table.Calls("") != reads+1+signedIn {
				t.Errorf("got %d writes, %d queries, %d reads and %d requests to the table, want 1, %d, and one read or two", w.Writes(), w.Table.Calls("Query"), reads, w.Table.Calls(""), signedIn)
			}
			if !strings.Contains(string(w.Logs()), `"table_ms":`) {
				t.Errorf("the line does not say how long the table took: %s", w.Logs())
			}
			r, found := w.Row(t, first.ID)
			if !found || r.VendorData != test.owner || r.WorkflowID != stage.Workflow || r.Status != "Not Started" ||
				r.CreatedAt.Before(begin) || r.DueFrom.IsZero() || r.Awaited {
				t.Errorf("got %v, %q's session of workflow %s at %q, created %v, due from %v, awaited %v",
					found, r.VendorData, r.WorkflowID, r.Status, r.CreatedAt, r.DueFrom, r.Awaited)
			}
			if test.owner == "" {
				return // each create is another session
			}
			r.Status, r.Source = "In Progress", "event"
			if written, err := w.Store.Replace(t.Context(), r); !written || err != nil {
				t.Fatal(written, err)
			}
			second, _ := answered(t, w.Call(t, test.payload))
			if first.status != 0 && (first.status != 201 || second.status != 200) {
				t.Errorf("got status %d, and %d when it was on record, want 201 and 200", first.status, second.status)
			}
			again, _ := w.Row(t, first.ID)
			if second.ID != first.ID || again.Status != "In Progress" || !again.CreatedAt.Equal(r.CreatedAt) {
				t.Errorf("a repeated create: got session %s at %q, created %v, want %s at In Progress, %v", second.ID, again.Status, again.CreatedAt, first.ID, r.CreatedAt)
			}
			if records, err := w.Store.ByOwner(t.Context(), test.owner, 10); err != nil || len(records) != 1 {
				t.Errorf("the owner's list: got %d, %v, want 1", len(records), err)
			}
		})
	}
}

// Ensure that no answer has the URL of a session that could not be recorded, that the error is
// named, and that the next call gets the same session and records it.
func TestRecording_faults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		fault        awsfake.Fault
		direct, http string
	}{
		{"throttled", awsfake.Throttled, "BackendUnavailable", "503 30"},
		{"over capacity", fakedynamodb.ProvisionedThroughputExceeded, "BackendUnavailable", "503 30"},
		{"internal error", awsfake.InternalError, "BackendUnavailable", "503 30"},
		{"reset", awsfake.Reset, "BackendUnavailable", "503 30"},
		{"silent", awsfake.Silence, "BackendUnavailable", "503 30"},
		{"denied", awsfake.AccessDenied, "InternalError", "500 "},
		{"missing", awsfake.NotFound, "InternalError", "500 "},
	} {
		for _, call := range []struct {
			event, want string
		}{{"direct-minimal", test.direct}, {"http-minimal", test.http}} {
			t.Run(test.name+" "+call.event, func(t *testing.T) {
				t.Parallel()
				w := recording(t, stagetest.OneAttempt)
				w.Table.Fail(test.fault, awsfake.UntilCleared)
				result := w.Call(t, event(t, call.event))
				s, failure := answered(t, result)
				if failure != call.want || s.URL != "" || strings.Contains(string(result.Payload), "/session/") {
					t.Errorf("got %q %s, want %q and no session", failure, result.Payload, call.want)
				}
				if strings.Contains(string(w.Logs()), "user-123") {
					t.Errorf("the vendor data is logged: %s", w.Logs())
				}
				w.Table.ClearFaults()
				s, failure = answered(t, w.Call(t, event(t, call.event)))
				if sessions := w.Didit.Sessions(); failure != "" || len(sessions) != 1 || s.ID != sessions[0].ID {
					t.Errorf("the next try: got %q, session %q of %d at Didit, want the one", failure, s.ID, len(sessions))
				}
				if _, found := w.Row(t, s.ID); !found {
					t.Error("the next try: not on record")
				}
			})
		}
	}
}

// Ensure that the AWS SDK's own retry recovers from one error of the table, without another request
// to Didit.
func TestRecording_attempts(t *testing.T) {
	t.Parallel()
	w := recording(t, nil)
	w.Table.Fail(awsfake.InternalError, 1)
	if s, failure := answered(t, w.Call(t, event(t, "http-minimal"))); s.URL == "" || w.Didit.Count(didittest.OpCreate) != 1 {
		t.Errorf("got %q after %d creates, want a session after 1", failure, w.Didit.Count(didittest.OpCreate))
	}
}

// Ensure that nothing is recorded of what was refused, by us or by Didit.
func TestRecording_refused(t *testing.T) {
	t.Parallel()
	w := recording(t, nil)
	for _, name := range []string{"http-refused", "http-unauthenticated", "direct-refused"} {
		w.Call(t, event(t, name))
	}
	for _, f := range []didittest.Fault{didittest.PaidPlan, didittest.UserBlocked, didittest.RateLimited, didittest.Forbidden} {
		w.Didit.Inject(f)
		w.Call(t, event(t, "direct-minimal"))
		w.Didit.ClearFaults()
	}
	if w.Writes() != 0 {
		t.Errorf("got %d writes, want none", w.Writes())
	}
}

// Ensure that nothing is recorded without TABLE_NAME.
func TestRecording_off(t *testing.T) {
	t.Parallel()
	w := recording(t, map[string]string{"TABLE_NAME": ""})
	if s, failure := answered(t, w.Call(t, event(t, "http-minimal"))); s.URL == "" || w.Writes() != 0 {
		t.Errorf("got %q and %d writes, want a session and none", failure, w.Writes())
	}
}

// Ensure that what the table stores, and its own messages, appear neither in logs nor in answers.
func TestRecording_leaks(t *testing.T) {
	t.Parallel()
	env := map[string]string{"AWS_LAMBDA_LOG_LEVEL": "DEBUG"}
	maps.Copy(env, stagetest.OneAttempt)
	w := recording(t, env)
	told := []string{"planted", "2071838750", "/session/", "arn:aws:", awsfake.Account, "Bearer ", "Basic "}
	l := &stagetest.Leaks{World: w, Logged: told, Answered: told}
	for _, f := range []awsfake.Fault{awsfake.Throttled, awsfake.AccessDenied, awsfake.NotFound, awsfake.InternalError, awsfake.Reset} {
		w.Table.Fail(f, 1)
		l.Call(t, "direct", []byte(plantedBody))
		w.Table.Fail(f, 2) // the query and the write
		l.HTTP(t, "http", plantedEvent(t, `{"vendor_data":"planted-user"}`))
	}
	l.Call(t, "recorded", []byte(plantedBody))
	l.Done(t)
}

// Ensure that a session counts as on record already if the first write succeeded and its answer was
// lost, and that the caller gets it.
func TestRecording_answerLost(t *testing.T) {
	t.Parallel()
	w := stagetest.NewIdle(t)
	w.Secrets.Set(stage.SecretID, stage.KeySecret)
	table, err := url.Parse(w.Table.URL())
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(table) }}
	var writes atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".UpdateItem") && writes.Add(1) == 1 {
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		forward.ServeHTTP(rw, r)
	}))
	t.Cleanup(proxy.Close)
	w.Start(t, lambdatest.Options{Env: map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": proxy.URL}})
	s, failure := answered(t, w.Call(t, event(t, "http-minimal")))
	if failure != "" || s.status != 200 || s.URL == "" || writes.Load() != 2 {
		t.Errorf("got status %d, %q, URL %q after %d writes, want 200 with a URL after 2", s.status, failure, s.URL, writes.Load())
	}
	if r, found := w.Row(t, s.ID); !found || r.VendorData != "user-123" || w.Didit.Count(didittest.OpCreate) != 1 {
		t.Errorf("got a record %v of %q after %d creates, want the caller's after 1", found, r.VendorData, w.Didit.Count(didittest.OpCreate))
	}
}
