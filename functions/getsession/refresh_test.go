package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/functiontest"
	"didit-sessions/internal/lambdatest"
)

// stale puts a session on record that Didit knows, as it stood two minutes ago.
func stale(t *testing.T, w *functiontest.World, onRecord, atDidit string) string {
	t.Helper()
	id := w.Session(t, owner)
	w.SetStatus(t, id, atDidit)
	w.Add(t, functiontest.Record(id, owner, onRecord, 2*time.Minute))
	return id
}

// Ensure that an unfinished row that nobody has written for a minute is asked for again, and that what has changed
// is published, recorded and told; and that all else is served from the table.
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
		{"Expired", "Approved", time.Hour, "Expired", 0, 0},
	} {
		t.Run(fmt.Sprintf("%s, %s after %v", test.onRecord, test.atDidit, test.age), func(t *testing.T) {
			t.Parallel()
			w := functiontest.New(t, functiontest.Options{})
			id := w.Session(t, owner)
			w.SetStatus(t, id, test.atDidit)
			w.Add(t, functiontest.Record(id, owner, test.onRecord, test.age))
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
			if w.Tasks.Calls() != 0 {
				t.Error("tasks were completed: that is trackstatus's")
			}
		})
	}
}

// Ensure that the row is served as it is when Didit, or what we need to ask it, is in trouble, and that the next
// request mends it.
func TestRefresh_trouble(t *testing.T) {
	t.Parallel()
	decision := func(status int, body string) didittest.Fault {
		return didittest.Fault{On: didittest.OpDecision, Status: status, Body: body}
	}
	inject := func(f didittest.Fault) func(*functiontest.World) {
		return func(w *functiontest.World) { w.Didit.Inject(f) }
	}
	for name, arrange := range map[string]func(*functiontest.World){
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
		"secret throttled":    func(w *functiontest.World) { w.Secrets.Fail(lambdatest.Throttled, lambdatest.UntilCleared) },
		"secret denied":       func(w *functiontest.World) { w.Secrets.Fail(lambdatest.AccessDenied, lambdatest.UntilCleared) },
		"bus in trouble":      func(w *functiontest.World) { w.Bus.Fail(lambdatest.EntryFailed, lambdatest.UntilCleared) },
		"bus denied":          func(w *functiontest.World) { w.Bus.Fail(lambdatest.AccessDenied, lambdatest.UntilCleared) },
		"writes refused": func(w *functiontest.World) {
			w.Table.FailOperation("UpdateItem", lambdatest.Throttled, lambdatest.UntilCleared)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := functiontest.New(t, functiontest.Options{Env: functiontest.OneAttempt})
			id := stale(t, w, "In Progress", "Approved")
			arrange(w)
			wantStatus(t, w.HTTP(t, get(t, id, owner)), "In Progress")
			if r, _ := w.Row(t, id); r.Status != "In Progress" || len(w.Bus.Events()) != 0 {
				t.Errorf("%s is on record, and %d events were published", r.Status, len(w.Bus.Events()))
			}
			if !strings.Contains(string(w.Logs()), `"trouble on the way"`) {
				t.Errorf("got logs %s, want the trouble in them", w.Logs())
			}
			w.Didit.ClearFaults()
			w.Secrets.ClearFaults()
			w.Bus.ClearFaults()
			w.Table.ClearFaults()
			if name == "token refused" {
				return // for 30 s, the secret is not read again
			}
			wantStatus(t, w.HTTP(t, get(t, id, owner)), "Approved")
		})
	}
}

// Ensure that a Didit that does not answer leaves time to serve the row.
func TestRefresh_silence(t *testing.T) {
	t.Parallel()
	w := functiontest.New(t, functiontest.Options{})
	id := stale(t, w, "In Progress", "Approved")
	w.Didit.Inject(didittest.Fault{On: didittest.OpDecision, Mode: didittest.ModeSilence})
	wantStatus(t, w.HTTP(t, get(t, id, owner)), "In Progress")
}

// Ensure that a table in trouble is told, as something that passes or as something to mend.
func TestTableFaults(t *testing.T) {
	t.Parallel()
	w := functiontest.New(t, functiontest.Options{Env: functiontest.OneAttempt})
	w.Add(t, functiontest.Record(sessionID, owner, "Approved", time.Hour))
	for _, test := range []struct {
		fault  lambdatest.Fault
		status int
		code   string
	}{
		{lambdatest.Throttled, 503, "backend_unavailable"},
		{lambdatest.InternalError, 503, "backend_unavailable"},
		{lambdatest.Reset, 503, "backend_unavailable"},
		{lambdatest.AccessDenied, 500, "internal"},
		{lambdatest.NotFound, 500, "internal"},
	} {
		for _, payload := range [][]byte{functiontest.Event(t, "http-one"), functiontest.Event(t, "http-list")} {
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

// Ensure that the deployment asks Didit at most 30 times in a minute, and serves what is on record beyond that.
func TestBudget(t *testing.T) {
	t.Parallel()
	const budget, taken, sessions = 30, 28, 4
	for { // until no new minute begins meanwhile
		w := functiontest.New(t, functiontest.Options{})
		var ids []string
		for i := range sessions {
			id := w.Session(t, fmt.Sprintf("%s-%d", owner, i))
			w.SetStatus(t, id, "Approved")
			w.Add(t, functiontest.Record(id, owner, "In Progress", 2*time.Minute))
			ids = append(ids, id)
		}
		minute := w.TakeReads(t, taken, budget)
		var got []string
		for _, id := range ids {
			a := w.HTTP(t, get(t, id, owner))
			got = append(got, string(a.Body[strings.Index(string(a.Body), `"status"`):])[10:18])
		}
		if !functiontest.Minute().Equal(minute) {
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

// Ensure that warm invocations read the secret once and buy one token.
func TestWarm(t *testing.T) {
	t.Parallel()
	w := functiontest.New(t, functiontest.Options{})
	for range 5 {
		id := w.Session(t, owner)
		w.SetStatus(t, id, "Approved")
		w.Add(t, functiontest.Record(id, owner, "In Progress", 2*time.Minute))
		writes := w.Writes()
		wantStatus(t, w.HTTP(t, get(t, id, owner)), "Approved")
		if got := w.Writes() - writes; got != 2 {
			t.Errorf("got %d writes, want 2: the read of the budget, and the row", got)
		}
	}
	if w.Secrets.Calls() != 1 || w.Didit.Count(didittest.OpToken) != 1 {
		t.Errorf("got %d reads of the secret and %d tokens, want 1 and 1", w.Secrets.Calls(), w.Didit.Count(didittest.OpToken))
	}
}
