package main

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
	"didit-sessions/internal/verification"
)

// standing is the session that is on record before a test.
const standing = "99999999-2222-3333-4444-555555555555"

// Ensure that a user who is verified gets no other session, with one query and without a request to
// Didit, unless the deployment or the caller decides otherwise.
func TestNeed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, status, event string
		env                 map[string]string
		want                int
		says                string
	}{
		{"approved", "Approved", "http-minimal", nil, 409, `"code":"already_verified"`},
		{"in review", "In Review", "http-minimal", nil, 409, `"code":"in_review"`},
		{"declined", "Declined", "http-minimal", nil, 201, ""},
		{"again", "Approved", "http-minimal", map[string]string{"REVERIFY": "yes"}, 201, ""},
		{"biometric", "Approved", "http-minimal", map[string]string{"BIOMETRIC_WORKFLOW_IDS": stage.Workflow}, 201, ""},
		{"too many", "Declined", "http-minimal", map[string]string{"SESSIONS_PER_DAY": "1"}, 429, `"code":"too_many_sessions"`},
		{"any number", "Declined", "http-minimal", map[string]string{"SESSIONS_PER_DAY": "0"}, 201, ""},
		{"server", "Approved", "http-iam", map[string]string{"CALLER_AUTH": "iam"}, 201, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var w *stagetest.World
			// The query has one second, and a busy machine may take longer.
			a := stagetest.Unhurried(func(a awsfake.HTTPAnswer) bool { return a.Status != test.want }, func() awsfake.HTTPAnswer {
				w = recording(t, test.env)
				w.Add(t, verification.NewRecord(standing, "user-123", stage.Workflow, test.status, time.Now().Add(-time.Hour)))
				return w.HTTP(t, event(t, test.event))
			})
			if a.Status != test.want || !strings.Contains(string(a.Body), test.says) {
				t.Fatalf("got %d %s, want %d with %s", a.Status, a.Body, test.want, test.says)
			}
			if asked := w.Didit.Count(didittest.OpCreate) > 0; asked != (test.want == 201) {
				t.Errorf("asked Didit: got %v, want %v", asked, !asked)
			}
			member := `"session_id":"` + standing + `","session_status":"` + test.status + `","next":`
			if named := strings.Contains(string(a.Body), member); named != (test.want == 409) {
				t.Errorf("got %s, want %s in it: %v", a.Body, member, !named)
			}
			retryAfter := a.Header.Get("Retry-After")
			if seconds, err := strconv.Atoi(retryAfter); test.want == 429 && (err != nil || seconds < 22*3600 || seconds > 23*3600) || test.want == 409 && retryAfter != "" {
				t.Errorf("got Retry-After %q, want 23 hours at 429 and none at 409", retryAfter)
			}
			if strings.Contains(string(w.Logs()), "user-123") {
				t.Errorf("the vendor data is logged: %s", w.Logs())
			}
		})
	}
}

// Ensure that a list that cannot be had costs one line of the log.
func TestNeed_unknown(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{Env: stagetest.OneAttempt})
	w.Add(t, verification.NewRecord(standing, "user-123", stage.Workflow, "Approved", time.Now()))
	w.Call(t, []byte(anonymous)) // init and its read of the table are over
	w.Table.Fail(awsfake.Throttled, 1)
	if a := w.HTTP(t, event(t, "http-minimal")); a.Status != 201 {
		t.Errorf("got %d %s, want 201", a.Status, a.Body)
	}
	if got := strings.Count(string(w.Logs()), `"recovered from an error","code":"backend_unavailable","reason":"DynamoDB fails or throttles"`); got != 1 {
		t.Errorf("got %d lines that say so, want 1: %s", got, w.Logs())
	}
}

// Ensure that the session on record is due if Didit hands out a new one instead.
func TestNeed_doubt(t *testing.T) {
	t.Parallel()
	undoubted := stagetest.Unhurried(func(undoubted bool) bool { return undoubted }, func() bool {
		w := recording(t, nil)
		w.Add(t, verification.NewRecord(standing, "user-123", stage.Workflow, "In Progress", time.Now().Add(-time.Minute)))
		if a := w.HTTP(t, event(t, "http-minimal")); a.Status != 201 {
			t.Errorf("got %d %s, want 201", a.Status, a.Body)
		}
		r, _ := w.Row(t, standing)
		return r.DoubtAt.IsZero() || r.DueFrom.After(time.Now())
	})
	if undoubted {
		t.Error("the unfinished session is not in doubt and due")
	}
}
