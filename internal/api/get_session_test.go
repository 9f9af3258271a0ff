package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/api/apitest"
	"didit-sessions/internal/memory"
	"didit-sessions/internal/verification"
)

const (
	sessionID = "99999999-2222-3333-4444-555555555555"
	otherID   = "99999999-2222-3333-4444-666666666666"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// records is a store with one session of alice's at each status, the first of them sessionID.
func records(t *testing.T, statuses ...string) *memory.Store {
	t.Helper()
	store := new(memory.Store)
	for i, status := range statuses {
		r := verification.NewRecord(fmt.Sprintf("%s%d", sessionID[:35], 5+i), "alice", workflow, status, noon.Add(time.Duration(i)*time.Minute))
		r.Checks = []verification.Check{{Feature: "LIVENESS", Status: ptr("Approved")}, {Feature: "AML"}}
		if _, _, err := store.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

func newGet(store verification.Store, identity RequestContext) *GetSession {
	tracker := &verification.Tracker{Store: store, Now: func() time.Time { return noon.Add(30 * time.Second) }}
	return &GetSession{Records: tracker, Callers: Callers{RequestContext: func(*http.Request) RequestContext { return identity }}, Log: slog.New(slog.DiscardHandler)}
}

func get(t *testing.T, h http.Handler, target string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	h.ServeHTTP(w, r)
	apitest.CheckAnswer(t, r, w)
	return w
}

func TestGetSession_status(t *testing.T) {
	t.Parallel()
	const form = `{"session_id":"` + sessionID + `","workflow_id":"` + workflow + `","vendor_data":"alice","status":%q,"final":%v,"next":%q,` +
		`"created_at":"2026-11-23T12:00:00Z","updated_at":"2026-11-23T12:00:00Z","checks":[{"feature":"LIVENESS","status":"Approved"},{"feature":"AML","status":null}]}`
	for _, test := range []struct {
		status, next, retryAfter string
		final                    bool
	}{
		{"Not Started", "verify", "5", false},
		{"In Progress", "verify", "5", false},
		{"Awaiting User", "wait", "60", false},
		{"Resubmitted", "verify", "5", false},
		{"In Review", "wait", "60", false},
		{"Something New", "wait", "60", false},
		{"Approved", "verified", "", true},
		{"Declined", "rejected", "", true},
		{"Expired", "retry", "", true},
		{"Abandoned", "retry", "", true},
		{"Kyc Expired", "retry", "", true},
	} {
		w := get(t, newGet(records(t, test.status), claims(`"alice"`)), "/sessions/"+strings.ToUpper(sessionID))
		if got, want := w.Body.String(), fmt.Sprintf(form, test.status, test.final, test.next); w.Code != 200 || got != want {
			t.Errorf("%s: got %d %s\nwant 200 %s", test.status, w.Code, got, want)
		}
		if got := w.Header().Get("Retry-After"); got != test.retryAfter || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got headers %v, want Retry-After %q and no-store", test.status, w.Header(), test.retryAfter)
		}
	}
}

// Ensure that what is not known is null, and that a session without an owner is not found.
func TestGetSession_unknown(t *testing.T) {
	t.Parallel()
	store := new(memory.Store)
	if _, _, err := store.Add(t.Context(), verification.NewRecord(sessionID, "", "", "Not Started", noon)); err != nil {
		t.Fatal(err)
	}
	g := newGet(store, RequestContext{IAM: true})
	g.Callers.TrustIAM = true
	w := get(t, g, "/sessions/"+sessionID)
	if want := `"workflow_id":null,"vendor_data":null`; w.Code != 200 || !strings.Contains(w.Body.String(), want) || !strings.Contains(w.Body.String(), `"checks":[]`) {
		t.Errorf("got %d %s, want 200 with %s and no checks", w.Code, w.Body, want)
	}
}

// Ensure that another user's session answers exactly as one that does not exist.
func TestGetSession_notFound(t *testing.T) {
	t.Parallel()
	alice := newGet(records(t, "Approved"), claims(`"alice"`))
	bob := newGet(records(t, "Approved"), claims(`"bob"`))
	want := get(t, alice, "/sessions/"+otherID)
	if want.Code != 404 || !strings.Contains(want.Body.String(), `"code":"not_found"`) || !strings.Contains(want.Body.String(), "There is no such session.") {
		t.Errorf("unknown: got %d %s", want.Code, want.Body)
	}
	for target, g := range map[string]*GetSession{"/sessions/" + sessionID: bob, "/sessions/x": alice, "/sessions/": alice, "/sessions/" + sessionID + "/x": alice} {
		if got := get(t, g, target); got.Code != 404 || got.Body.String() != want.Body.String() {
			t.Errorf("%s: got %d %s, want %s", target, got.Code, got.Body, want.Body)
		}
	}
	for _, target := range []string{"/", "/session", "/sessionsx"} {
		if got := get(t, alice, target); got.Code != 404 {
			t.Errorf("%s: got %d %s", target, got.Code, got.Body)
		}
	}
	w := httptest.NewRecorder()
	if alice.ServeHTTP(w, httptest.NewRequest(http.MethodDelete, "/sessions/"+sessionID, nil)); w.Code != 404 {
		t.Errorf("DELETE: got %d", w.Code)
	}
}

func TestGetSession_list(t *testing.T) {
	t.Parallel()
	store := records(t, "Declined", "Approved", "Not Started")
	ids := func(w *httptest.ResponseRecorder) (found string) {
		var list struct {
			Sessions []struct{ Status string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
			return w.Body.String()
		}
		for _, s := range list.Sessions {
			found += s.Status + ","
		}
		return found
	}
	iam := newGet(store, RequestContext{IAM: true})
	iam.Callers.TrustIAM = true
	for _, test := range []struct {
		name, target string
		g            *GetSession
		status       int
		want         string // statuses, newest first, or a part of the problem
	}{
		{"own", "/sessions", newGet(store, claims(`"alice"`)), 200, "Not Started,Approved,Declined,"},
		{"own, named", "/sessions?vendor_data=alice", newGet(store, claims(`"alice"`)), 200, "Not Started,Approved,Declined,"},
		{"none", "/sessions", newGet(store, claims(`"bob"`)), 200, ""},
		{"another user's", "/sessions?vendor_data=alice", newGet(store, claims(`"bob"`)), 403, "vendor_data_mismatch"},
		{"not signed in", "/sessions", newGet(store, RequestContext{}), 401, "unauthenticated"},
		{"server", "/sessions?vendor_data=alice", iam, 200, "Not Started,Approved,Declined,"},
		{"server names no user", "/sessions", iam, 400, `"field":"vendor_data"`},
		{"server's query is broken", "/sessions?vendor_data=alice;x", iam, 400, `{"field":"vendor_data","message":"` + unreadableQuery + `"}`},
		{"server's query is broken elsewhere", "/sessions?vendor_data=alice&x=%zz", iam, 400, `{"field":"vendor_data","message":"` + unreadableQuery + `"}`},
		{"server's query is escaped", "/sessions?vendor_data=alice&x=%3B%25", iam, 200, "Not Started,Approved,Declined,"},
		{"own, broken query", "/sessions?x=1;y", newGet(store, claims(`"alice"`)), 200, "Not Started,Approved,Declined,"},
		{"own, another broken query", "/sessions?%zz", newGet(store, claims(`"alice"`)), 200, "Not Started,Approved,Declined,"},
		{"own, named in a broken query", "/sessions?vendor_data=bob;x", newGet(store, claims(`"alice"`)), 400, `{"field":"vendor_data","message":"` + unreadableQuery + `"}`},
		{"own, named beside what is broken", "/sessions?x=%zz&vendor_data=alice", newGet(store, claims(`"alice"`)), 400, `{"field":"vendor_data","message":"` + unreadableQuery + `"}`},
		{"server names too much", "/sessions?vendor_data=" + strings.Repeat("x", 2049), iam, 400, `"field":"vendor_data"`},
	} {
		w := get(t, test.g, test.target)
		if w.Code != test.status || test.status == 200 && ids(w) != test.want || !strings.Contains(ids(w)+w.Body.String(), test.want) {
			t.Errorf("%s: got %d %s, want %d %s", test.name, w.Code, w.Body, test.status, test.want)
		}
	}
	if w := get(t, newGet(store, claims(`"bob"`)), "/sessions"); w.Body.String() != `{"sessions":[]}` {
		t.Errorf("no sessions: got %s", w.Body)
	}
}

// failingStore is out of reach.
type failingStore struct{ memory.Store }

func (*failingStore) Record(context.Context, string) (verification.Record, bool, error) {
	return verification.Record{}, false, verification.NewError(verification.CodeBackendUnavailable, "the table is out of reach")
}

func TestGetSession_trouble(t *testing.T) {
	t.Parallel()
	w := get(t, newGet(new(failingStore), claims(`"alice"`)), "/sessions/"+sessionID)
	if w.Code != 503 || w.Header().Get("Retry-After") != "30" || !strings.Contains(w.Body.String(), `"code":"backend_unavailable"`) {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
}

// Ensure that the log says which session and status, and nothing of whose it is.
func TestGetSession_log(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	g := newGet(records(t, "In Review"), claims(`"alice"`))
	g.Log = slog.New(slog.NewJSONHandler(&out, nil))
	get(t, g, "/sessions/"+sessionID)
	get(t, g, "/sessions")
	for _, want := range []string{`"operation":"get_session"`, `"operation":"list_sessions"`, `"session_id":"` + sessionID + `"`, `"status":"In Review"`, `"code":"told"`, `"code":"listed"`, `"sessions":1`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got log %s, want %s in it", &out, want)
		}
	}
	if strings.Contains(out.String(), "alice") {
		t.Errorf("the log names the user: %s", &out)
	}
}
