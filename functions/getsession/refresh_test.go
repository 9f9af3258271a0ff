package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage/stagetest"
	"didit-sessions/internal/verification"
)

// stale creates a session at Didit, and records the status that it had two minutes ago.
func stale(t *testing.T, w *stagetest.World, onRecord, atDidit string) string {
	t.Helper()
	id := w.Session(t, owner)
	w.SetStatus(t, id, atDidit)
	w.Add(t, stagetest.Record(id, owner, onRecord, 2*time.Minute))
	return id
}

// Ensure that an unfinished session is read again a minute after the last write, and that what has
// changed is published, recorded and answered; and that everything else comes from the table.
func TestRefresh(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		onRecord, atDidit string
		age               time.Duration
		want              string
		asked, events     int
	}{
		{"In Progress", "Approved", 2 * time.Minute, "Approved", 1, 1},
		{"Not Started", "In Progress", 2 * time.Minute, "In Progress", 1, 1},
		{"In Review", "Declined", 300 * time.Hour, "Declined", 1, 1},
		{"In Progress", "In Progress", 2 * time.Minute, "In Progress", 1, 0},
		{"In Progress", "Approved", 0, "In Progress", 0, 0},
		{"Approved", "Declined", time.Hour, "Approved", 0, 0},
		{"Approved", "Kyc Expired", 25 * time.Hour, "Kyc Expired", 1, 1},
		{"Expired", "Approved", time.Hour, "Expired", 0, 0},
	} {
		t.Run(fmt.Sprintf("%s, %s after %v", test.onRecord, test.atDidit, test.age), func(t *testing.T) {
			t.Parallel()
			w := stagetest.NewUnprepared(t, lambdatest.Options{})
			id := w.Session(t, owner)
			w.SetStatus(t, id, test.atDidit)
			w.Add(t, stagetest.Record(id, owner, test.onRecord, test.age))
			w.Tasks.Open("token")
			for range 3 { // the second and third time, the row is fresh
				s := wantStatus(t, w.HTTP(t, get(t, id, owner)), test.want)
				if test.want == "Approved" && test.asked > 0 && (len(s.Checks) == 0 || s.Checks[0].Feature != "ID_VERIFICATION") {
					t.Errorf("got checks %v, want those of the decision", s.Checks)
				}
			}
			if got := w.Didit.Count(didittest.OpDecision); got != test.asked {
				t.Errorf("Didit was asked %d times, want %d", got, test.asked)
			}
			types, details := w.Published(t)
			if len(details) != test.events || test.events == 1 && (types[0] != "Verification Session Status Updated" ||
				details[0].SessionID != id || details[0].Status != test.want || *details[0].VendorData != owner || details[0].EventID == "") {
				t.Errorf("got events %q %+v, want %d of the new status", types, details, test.events)
			}
			if r, _ := w.Row(t, id); r.Status != test.want {
				t.Errorf("%s is on record, want %s", r.Status, test.want)
			}
			if w.Tasks.Calls("") != 0 {
				t.Error("tasks were completed: that is trackstatus's")
			}
		})
	}
}

// Ensure that the answer is the row as it is if Didit fails, or anything that a read of Didit
// needs, and that the next request updates it.
func TestRefresh_trouble(t *testing.T) {
	t.Parallel()
	decision := func(status int, body string) didittest.Fault {
		return didittest.Fault{On: didittest.OpDecision, Status: status, Body: body}
	}
	inject := func(f didittest.Fault) func(*stagetest.World) {
		return func(w *stagetest.World) { w.Didit.Inject(f) }
	}
	for name, arrange := range map[string]func(*stagetest.World){
		"500":                 inject(didittest.ServerError.At(didittest.OpDecision)),
		"429":                 inject(didittest.ReadRateLimited),
		"404":                 inject(didittest.SessionNotFound),
		"403":                 inject(didittest.Forbidden.At(didittest.OpDecision)),
		"HTML":                inject(didittest.HTMLPage.At(didittest.OpDecision)),
		"another session":     inject(decision(200, `{"session_id":"11111111-1111-1111-1111-111111111111","status":"Approved"}`)),
		"no status":           inject(decision(200, `{}`)),
		"reset":               inject(didittest.Fault{On: didittest.OpDecision, Mode: didittest.ModeResetBefore}),
		"token refused":       inject(didittest.InvalidClient),
		"token endpoint down": inject(didittest.ServerError.At(didittest.OpToken)),
		"secret throttled":    func(w *stagetest.World) { w.Secrets.Fail(awsfake.Throttled, awsfake.UntilCleared) },
		"secret denied":       func(w *stagetest.World) { w.Secrets.Fail(awsfake.AccessDenied, awsfake.UntilCleared) },
		"bus fails":           func(w *stagetest.World) { w.Bus.Fail(awsfake.EntryFailed, awsfake.UntilCleared) },
		"bus denied":          func(w *stagetest.World) { w.Bus.Fail(awsfake.AccessDenied, awsfake.UntilCleared) },
		"writes refused": func(w *stagetest.World) {
			w.Table.FailOnly("UpdateItem", awsfake.Throttled, awsfake.UntilCleared)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := stagetest.NewUnprepared(t, lambdatest.Options{Env: stagetest.OneAttempt})
			id := stale(t, w, "In Progress", "Approved")
			arrange(w)
			wantStatus(t, w.HTTP(t, get(t, id, owner)), "In Progress")
			if r, _ := w.Row(t, id); r.Status != "In Progress" || len(w.Bus.Events()) != 0 {
				t.Errorf("%s is on record, and %d events were published", r.Status, len(w.Bus.Events()))
			}
			if !strings.Contains(string(w.Logs()), `"recovered from an error"`) {
				t.Errorf("got logs %s, want the trouble in them", w.Logs())
			}
			w.Didit.ClearFaults()
			w.Secrets.ClearFaults()
			w.Bus.ClearFaults()
			w.Table.ClearFaults()
			if name == "token refused" {
				return // for 30 s, the secret is not read again
			}
			w.AgeRead(t, id)
			wantStatus(t, w.HTTP(t, get(t, id, owner)), "Approved")
		})
	}
}

// Ensure that if Didit does not answer, there is time left to answer with the row.
func TestRefresh_silence(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	id := stale(t, w, "In Progress", "Approved")
	w.Didit.Inject(didittest.Fault{On: didittest.OpDecision, Mode: didittest.ModeSilence})
	wantStatus(t, w.HTTP(t, get(t, id, owner)), "In Progress")
}

// Ensure that an error of the table is reported as temporary, or as one to fix.
func TestTableFaults(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{Env: stagetest.OneAttempt})
	w.Add(t, stagetest.Record(sessionID, owner, "Approved", time.Hour))
	for _, test := range []struct {
		fault  awsfake.Fault
		status int
		code   string
	}{
		{awsfake.Throttled, 503, "backend_unavailable"},
		{awsfake.InternalError, 503, "backend_unavailable"},
		{awsfake.Reset, 503, "backend_unavailable"},
		{awsfake.AccessDenied, 500, "internal"},
		{awsfake.NotFound, 500, "internal"},
	} {
		for _, payload := range [][]byte{stagetest.Event(t, "http-one"), stagetest.Event(t, "http-list")} {
			w.Table.Fail(test.fault, 1)
			a := w.HTTP(t, payload)
			if a.Status != test.status || !strings.Contains(string(a.Body), `"code":"`+test.code+`"`) || (a.Header.Get("Retry-After") != "") != (test.status == 503) {
				t.Errorf("fault %d: got %d %s, want %d %s", test.fault, a.Status, a.Body, test.status, test.code)
			}
			if a := w.HTTP(t, payload); a.Status != 200 {
				t.Errorf("after fault %d: got %d %s", test.fault, a.Status, a.Body)
			}
		}
	}
}

// Ensure that callers cause at most half of the deployment's reads of Didit in a minute, and are
// answered from the table beyond that.
func TestBudget(t *testing.T) {
	t.Parallel()
	const budget, taken, sessions = 5, 3, 4
	for { // until no new minute begins meanwhile
		w := stagetest.NewUnprepared(t, lambdatest.Options{Env: map[string]string{"READS_PER_MINUTE": "10"}})
		var ids []string
		for i := range sessions {
			id := w.Session(t, fmt.Sprintf("%s-%d", owner, i))
			w.SetStatus(t, id, "Approved")
			w.Add(t, stagetest.Record(id, owner, "In Progress", 2*time.Minute))
			ids = append(ids, id)
		}
		minute := w.TakeReads(t, verification.ReaderGet, taken, budget)
		var got []string
		for _, id := range ids {
			a := w.HTTP(t, get(t, id, owner))
			got = append(got, string(a.Body[strings.Index(string(a.Body), `"status"`):])[10:18])
		}
		if !stagetest.Minute().Equal(minute) {
			continue
		}
		const left = budget - taken
		want := append(slices.Repeat([]string{"Approved"}, left), slices.Repeat([]string{"In Progr"}, sessions-left)...)
		if asked := w.Didit.Count(didittest.OpDecision); asked != left || !slices.Equal(got, want) {
			t.Errorf("Didit was asked %d times, want %d; answers %q", asked, left, got)
		}
		return
	}
}

// Ensure that warm invocations read the secret once and request one token.
func TestWarm(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	for i := range 5 {
		id := w.Session(t, owner)
		w.SetStatus(t, id, "Approved")
		w.Add(t, stagetest.Record(id, owner, "In Progress", 2*time.Minute))
		writes := w.Writes()
		wantStatus(t, w.HTTP(t, get(t, id, owner)), "Approved")
		want := 3
		if i == 0 {
			want++
		}
		if got := w.Writes() - writes; got != want {
			t.Errorf("got %d writes, want %d: the claim, the read of the budget, the row, and a new access token", got, want)
		}
	}
	if w.Secrets.Calls("") != 1 || w.Didit.Count(didittest.OpToken) != 1 {
		t.Errorf("got %d reads of the secret and %d tokens, want 1 and 1", w.Secrets.Calls(""), w.Didit.Count(didittest.OpToken))
	}
}
