//go:build system

package systemtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"didit-sessions/internal/didit/didittest"
)

// statusObject is what the steps read of a status object.
type statusObject struct {
	SessionID string `json:"session_id"`
	Status    string `json:"status"`
	Next      string `json:"next"`
	Final     bool   `json:"final"`
}

// testStatus takes the steps of callers who read a status.
func (s *system) testStatus(t *testing.T) {
	const user = "user-of-statuses"
	first := s.create(t, user)
	s.change(t, first, "Approved", "", http.StatusOK, "Approved")
	second := s.create(t, user)
	approved := statusObject{first, "Approved", "verified", true}
	s.step(t, "getsession lists the caller's sessions, newest first", func(t *testing.T) {
		var got struct{ Sessions []statusObject }
		s.getAs(t, user, "", http.StatusOK, &got)
		if want := []statusObject{{second, "Not Started", "verify", false}, approved}; !slices.Equal(got.Sessions, want) {
			t.Error(mismatch("sessions", got.Sessions, want))
		}
	})
	s.step(t, "getsession shows the caller's session", func(t *testing.T) {
		var got statusObject
		if s.getAs(t, user, first, http.StatusOK, &got); got != approved {
			t.Error(mismatch("session", got, approved))
		}
	})
	s.step(t, "getsession hides other users' sessions: 404", func(t *testing.T) {
		var got problem
		s.getAs(t, "user-of-others", first, http.StatusNotFound, &got)
	})
	s.step(t, "getdecision returns Didit's decision", func(t *testing.T) {
		var got statusObject
		s.ask(t, "GetDecisionFunction", map[string]string{"session_id": first}, &got)
		if got.SessionID != first || got.Status != "Approved" {
			t.Error(mismatch("decision", got, first))
		}
	})
	s.step(t, "getdecision of an unknown session is SessionNotFound", func(t *testing.T) {
		answer, err := s.aws.invoke(s.ctx, "GetDecisionFunction", []byte(`{"session_id":"`+workflow+`"}`))
		if err != nil || answer.errorType() != "SessionNotFound" {
			t.Errorf("got error %q, %v", answer.errorType(), err)
		}
	})
}

// getAs reads a session as a signed-in user, or with an empty id the list: it invokes getsession on
// a recorded event whose user and route are changed.
func (s *system) getAs(t *testing.T, user, id string, wantStatus int, out any) {
	t.Helper()
	text, err := os.ReadFile("events/createsession-http-minimal.json")
	if err != nil {
		t.Fatal(err)
	}
	var e map[string]any
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	request, _ := e["requestContext"].(map[string]any)
	call, _ := request["http"].(map[string]any)
	claims, ok := at(request, "authorizer", "jwt", "claims").(map[string]any)
	if !ok || call == nil {
		t.Fatal("the recorded event has no claims or no http")
	}
	path, route := "/sessions", "GET /sessions"
	if id != "" {
		path, route = "/sessions/"+id, "GET /sessions/{session_id}"
		e["pathParameters"] = map[string]string{"session_id": id}
	}
	claims["sub"], call["method"], call["path"], e["rawPath"] = user, http.MethodGet, path, path
	e["routeKey"], request["routeKey"] = route, route
	delete(e, "body")
	var answer struct {
		StatusCode int
		Body       string
	}
	s.ask(t, "GetSessionFunction", e, &answer)
	if answer.StatusCode != wantStatus {
		t.Fatal(mismatch("status", fmt.Sprint(answer.StatusCode, " ", answer.Body), wantStatus))
	}
	if err := json.Unmarshal([]byte(answer.Body), out); err != nil {
		t.Fatal(err)
	}
}

// searchLogs searches the functions' logs for what must not be logged.
func (s *system) searchLogs(t *testing.T) {
	forbidden := []string{didittest.DefaultClientSecret, didittest.DefaultWebhookSecret, emailAddress, "user-of-", "user-123",
		hostName + ":" + port(s.diditListener) + "/session/"}
	for _, name := range []string{"start-api.log", "start-lambda.log"} {
		text, err := os.ReadFile(filepath.Join(s.logs(), name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), `"message":"call answered"`) {
			t.Errorf("%s does not hold the functions' logs", name)
		}
		for i, secret := range forbidden {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s holds forbidden string number %d", name, i+1)
			}
		}
	}
}
