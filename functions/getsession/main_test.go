package main

import (
	"encoding/json"
	"fmt"
	"slices"
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

func TestMain(m *testing.M) { stagetest.Main(m, "getsession") }

// Of the recorded requests in events/.
const (
	sessionID = "99999999-2222-3333-4444-555555555555"
	owner     = "user-123"
)

// get is API Gateway's payload for a request of that user for a session.
func get(t *testing.T, id, user string) []byte {
	t.Helper()
	return stagetest.Edit(t, stagetest.Event(t, "http-one"), func(e map[string]any) {
		e["pathParameters"] = map[string]string{"session_id": id}
		stagetest.Object(e, "requestContext", "authorizer", "jwt", "claims")["sub"] = user
	})
}

// list is API Gateway's payload for the named request, with that query.
func list(t *testing.T, name, query string) []byte {
	t.Helper()
	return stagetest.Edit(t, stagetest.Event(t, name), func(e map[string]any) { e["rawQueryString"] = query })
}

var iam = map[string]string{"CALLER_AUTH": "iam"}

// status is the part of a status object that tests look at.
type status struct {
	SessionID string               `json:"session_id"`
	Status    string               `json:"status"`
	Next      string               `json:"next"`
	Checks    []verification.Check `json:"checks"`
}

func wantStatus(t *testing.T, a awsfake.HTTPAnswer, want string) status {
	t.Helper()
	var s status
	if err := json.Unmarshal(a.Body, &s); err != nil || a.Status != 200 || s.Status != want {
		t.Errorf("got %d %s, want 200 and status %s", a.Status, a.Body, want)
	}
	return s
}

// Ensure that each recorded request gets the answer that its name promises.
func TestEvents(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		env    map[string]string
		status int
		want   string // in the body
	}{
		{"http-one", nil, 200, `"session_id":"` + sessionID + `"`},
		{"http-list", nil, 200, `{"sessions":[{"session_id":"` + sessionID + `"`},
		{"http-iam", iam, 200, `{"sessions":[{"session_id":"` + sessionID + `"`},
		{"http-unauthenticated", nil, 401, `"code":"unauthenticated"`},
		{"http-iam", nil, 401, `"code":"unauthenticated"`}, // a server, but the callers are users
		{"http-one", iam, 401, `"code":"unauthenticated"`}, // a user, but the callers are servers
	} {
		w := stagetest.NewUnprepared(t, lambdatest.Options{Env: test.env})
		w.Add(t, stagetest.Record(sessionID, owner, "In Progress", 0))
		a := w.HTTP(t, stagetest.Event(t, test.name))
		if a.Status != test.status || !strings.Contains(string(a.Body), test.want) || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d %s, want %d %s", test.name, a.Status, a.Body, test.status, test.want)
		}
		if test.status == 401 && w.Table.Calls("GetItem")+w.Table.Calls("Query") != 0 {
			t.Errorf("%s: the table was asked", test.name)
		}
	}
}

// Ensure that the owner gets the whole status object, without a request to Didit.
func TestStatus(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	r := stagetest.Record(sessionID, owner, "In Review", 0)
	r.Checks = []verification.Check{{Feature: "LIVENESS", Status: new("Approved")}, {Feature: "AML"}}
	w.Add(t, r)
	a := w.HTTP(t, get(t, strings.ToUpper(sessionID), owner))
	at := r.CreatedAt.Format(time.RFC3339)
	want := `{"session_id":"` + sessionID + `","workflow_id":"` + stage.Workflow + `","vendor_data":"` + owner + `","status":"In Review","final":false,"next":"wait",` +
		`"created_at":"` + at + `","updated_at":"` + at + `","checks":[{"feature":"LIVENESS","status":"Approved"},{"feature":"AML","status":null}]}`
	if string(a.Body) != want || a.Status != 200 || a.Header.Get("Retry-After") == "" || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %v\n%s\nwant\n%s", a.Status, a.Header, a.Body, want)
	}
	if w.Didit.Count(didittest.OpAny) != 0 || w.Secrets.Calls("") != 0 {
		t.Errorf("got %d requests at Didit and %d for the secret, want none", w.Didit.Count(didittest.OpAny), w.Secrets.Calls(""))
	}
}

// Ensure that another user's session looks like one that does not exist, and that neither causes a
// request to Didit.
func TestForeign(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	ownerless := "99999999-2222-3333-4444-666666666666"
	w.Add(t, stagetest.Record(sessionID, owner, "In Progress", time.Hour))
	w.Add(t, stagetest.Record(ownerless, "", "In Progress", time.Hour))
	var bodies []string
	for _, id := range []string{sessionID, ownerless, "99999999-2222-3333-4444-777777777777", "session-1", "%2e%2e", sessionID + "/decision"} {
		a := w.HTTP(t, get(t, id, "user-456"))
		bodies = append(bodies, fmt.Sprint(a.Status, a.Header, string(a.Body)))
	}
	for i, body := range bodies {
		if body != bodies[0] || !strings.HasPrefix(body, "404 ") || !strings.Contains(body, `"code":"not_found"`) {
			t.Errorf("got %s, want 404 and what the others get", bodies[i])
		}
	}
	if w.Didit.Count(didittest.OpAny) != 0 {
		t.Errorf("Didit was asked %d times", w.Didit.Count(didittest.OpAny))
	}
}

// Ensure that a trusted server sees every recorded session, and gets 404 for others without a
// request to Didit.
func TestIAM(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{Env: iam})
	w.Add(t, stagetest.Record(sessionID, owner, "Approved", time.Hour))
	unknown := w.Session(t, owner)
	one := func(id string) []byte {
		return stagetest.Edit(t, stagetest.Event(t, "http-iam"), func(e map[string]any) {
			e["routeKey"], e["pathParameters"], e["rawQueryString"] = "GET /sessions/{session_id}", map[string]string{"session_id": id}, ""
		})
	}
	wantStatus(t, w.HTTP(t, one(sessionID)), "Approved")
	if a := w.HTTP(t, one(unknown)); a.Status != 404 || w.Didit.Count(didittest.OpDecision) != 0 {
		t.Errorf("got %d after %d questions to Didit, want 404 after none", a.Status, w.Didit.Count(didittest.OpDecision))
	}
	if a := w.HTTP(t, list(t, "http-iam", "")); a.Status != 400 || !strings.Contains(string(a.Body), `"field":"vendor_data"`) {
		t.Errorf("got %d %s, want 400 that names vendor_data", a.Status, a.Body)
	}
	poolUser := stagetest.Edit(t, one(sessionID), func(e map[string]any) {
		stagetest.Object(e, "requestContext", "authorizer", "iam")["cognitoIdentity"] = map[string]any{"identityId": "x"}
	})
	if a := w.HTTP(t, poolUser); a.Status != 401 {
		t.Errorf("a user of an identity pool: got %d, want 401", a.Status)
	}
}

// Ensure that the list holds the caller's latest ten sessions, newest first, without a request to
// Didit.
func TestList(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	var want []string
	for i := range 12 {
		id := fmt.Sprintf("99999999-2222-3333-4444-%012d", i)
		w.Add(t, stagetest.Record(id, owner, "In Progress", time.Duration(i+1)*time.Hour))
		want = append(want, id)
		w.Add(t, stagetest.Record(fmt.Sprintf("88888888-2222-3333-4444-%012d", i), "user-456", "In Progress", time.Hour))
	}
	for _, test := range []struct {
		user string
		want []string
	}{{owner, want[:10]}, {"user-789", []string{}}} {
		a := w.HTTP(t, stagetest.Edit(t, stagetest.Event(t, "http-list"), func(e map[string]any) {
			stagetest.Object(e, "requestContext", "authorizer", "jwt", "claims")["sub"] = test.user
		}))
		var got struct{ Sessions []status }
		if err := json.Unmarshal(a.Body, &got); err != nil || got.Sessions == nil {
			t.Fatalf("got %d %s", a.Status, a.Body)
		}
		ids := []string{}
		for _, s := range got.Sessions {
			ids = append(ids, s.SessionID)
		}
		if !slices.Equal(ids, test.want) {
			t.Errorf("%s: got %q, want %q", test.user, ids, test.want)
		}
	}
	if a := w.HTTP(t, list(t, "http-list", "vendor_data="+owner)); a.Status != 200 {
		t.Errorf("who repeats his own id: got %d %s", a.Status, a.Body)
	}
	if a := w.HTTP(t, list(t, "http-list", "vendor_data=user-456")); a.Status != 403 || !strings.Contains(string(a.Body), `"code":"vendor_data_mismatch"`) {
		t.Errorf("a user who names another: got %d %s, want 403", a.Status, a.Body)
	}
	if w.Didit.Count(didittest.OpAny) != 0 {
		t.Errorf("Didit was asked %d times", w.Didit.Count(didittest.OpAny))
	}
}

// Ensure that other paths and methods are refused, and that direct invocations are refused.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	for _, change := range []func(e map[string]any){
		func(e map[string]any) { stagetest.Object(e, "requestContext", "http")["method"] = "POST" },
		func(e map[string]any) { e["routeKey"] = "GET /session" },
		func(e map[string]any) { delete(e, "routeKey"); e["rawPath"] = "/session" },
		func(e map[string]any) { delete(e, "pathParameters") },
	} {
		if a := w.HTTP(t, stagetest.Edit(t, stagetest.Event(t, "http-one"), change)); a.Status != 404 {
			t.Errorf("got %d %s, want 404", a.Status, a.Body)
		}
	}
	if r := w.Call(t, []byte(`{"session_id":"`+sessionID+`"}`)); r.ErrorType != "InvalidRequest" {
		t.Errorf("directly: got %q %s, want InvalidRequest", r.ErrorType, r.Payload)
	}
}

// Ensure that both routes answer behind a custom domain whose API mapping has a key, and under a
// stage with a name.
func TestRoutes(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	w.Add(t, stagetest.Record(sessionID, owner, "Approved", time.Hour))
	for _, stage := range []string{"$default", "prod"} {
		for name, path := range map[string]string{"http-one": "/sessions/" + sessionID, "http-list": "/sessions"} {
			for _, change := range []func(e map[string]any){
				func(e map[string]any) { e["rawPath"] = "/idv" + path },
				func(e map[string]any) { e["rawPath"] = "/" + stage + "/idv/v1" + path },
				func(e map[string]any) {
					delete(e, "routeKey")
					e["rawPath"] = strings.TrimPrefix("/"+stage, "/$default") + path
				},
			} {
				a := w.HTTP(t, stagetest.Edit(t, stagetest.Event(t, name), func(e map[string]any) {
					stagetest.Object(e, "requestContext")["stage"] = stage
					change(e)
				}))
				if a.Status != 200 || !strings.Contains(string(a.Body), sessionID) {
					t.Errorf("%s, stage %s: got %d %s, want 200 and the session", name, stage, a.Status, a.Body)
				}
			}
		}
	}
}

// Ensure that a start with a wrong configuration fails and names every wrong variable.
func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{Env: map[string]string{"TABLE_NAME": "", "EVENT_BUS_NAME": "", "CALLER_AUTH": "basic", "DIDIT_SECRET_ID": ""}})
	if _, err := w.WaitReady(t.Context()); err == nil {
		t.Fatal("the function started")
	}
	for _, name := range []string{"TABLE_NAME", "EVENT_BUS_NAME", "CALLER_AUTH", "DIDIT_SECRET_ID"} {
		if !strings.Contains(string(w.Logs()), name) {
			t.Errorf("got logs %s, want %s named", w.Logs(), name)
		}
	}
}

// Ensure that PRINCIPAL_CLAIM names the claim with the end user's id.
func TestPrincipalClaim(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{Env: map[string]string{"PRINCIPAL_CLAIM": "user_id"}})
	w.Add(t, stagetest.Record(sessionID, owner, "In Progress", 0))
	a := w.HTTP(t, stagetest.Edit(t, get(t, sessionID, "another-name"), func(e map[string]any) {
		stagetest.Object(e, "requestContext", "authorizer", "jwt", "claims")["user_id"] = owner
	}))
	wantStatus(t, a, "In Progress")
	if a := w.HTTP(t, get(t, sessionID, owner)); a.Status != 401 {
		t.Errorf("without the claim: got %d %s, want 401", a.Status, a.Body)
	}
}
