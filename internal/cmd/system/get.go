package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"didit-sessions/internal/didit/didittest"
)

// testGet takes the steps of those who ask for a status.
func (s *system) testGet(ctx context.Context) {
	const user = "user-of-statuses"
	var first, second string
	s.report.step(ctx, "getsession lists the caller's sessions, newest first", func(ctx context.Context) (err error) {
		if first, err = s.create(ctx, user); err != nil {
			return err
		}
		if err = s.change(ctx, first, "Approved", "", http.StatusOK, "Approved"); err != nil {
			return err
		}
		if second, err = s.create(ctx, user); err != nil {
			return err
		}
		var list struct{ Sessions []status }
		if err := s.getAs(ctx, user, "/sessions", "", http.StatusOK, &list); err != nil {
			return err
		}
		want := []status{{second, "Not Started", "verify", false}, {first, "Approved", "verified", true}}
		if fmt.Sprint(list.Sessions) != fmt.Sprint(want) {
			return mismatch("sessions", list.Sessions, want)
		}
		return nil
	})
	s.report.step(ctx, "getsession shows the caller's session", func(ctx context.Context) error {
		var got status
		want := status{first, "Approved", "verified", true}
		if err := s.getAs(ctx, user, "/sessions/", first, http.StatusOK, &got); err != nil {
			return err
		}
		if got != want {
			return mismatch("session", got, want)
		}
		return nil
	})
	s.report.step(ctx, "getsession shows nobody else's: 404", func(ctx context.Context) error {
		var got problem
		return s.getAs(ctx, "user-of-others", "/sessions/", first, http.StatusNotFound, &got)
	})
	s.report.step(ctx, "getdecision returns Didit's decision", func(ctx context.Context) error {
		var got status
		err := s.aws.ask(ctx, "GetDecisionFunction", map[string]string{"session_id": first}, &got)
		if err == nil && (got.SessionID != first || got.Status != "Approved") {
			err = mismatch("decision", got, first)
		}
		return err
	})
	s.report.step(ctx, "getdecision of an unknown session is SessionNotFound", func(ctx context.Context) error {
		answer, err := s.aws.invoke(ctx, "GetDecisionFunction", `{"session_id":"`+workflow+`"}`)
		if err == nil && answer.errorType() != "SessionNotFound" {
			err = mismatch("error", answer.errorType(), "SessionNotFound")
		}
		return err
	})
}

// status is what the steps read of a status object.
type status struct {
	SessionID string `json:"session_id"`
	Status    string `json:"status"`
	Next      string `json:"next"`
	Final     bool   `json:"final"`
}

// getAs asks as a signed-in user, with a recorded event of which the route is changed.
func (s *system) getAs(ctx context.Context, user, path, id string, wantStatus int, out any) error {
	text, err := os.ReadFile("events/createsession-http-minimal.json")
	if err != nil {
		return err
	}
	var e map[string]any
	if err := json.Unmarshal(text, &e); err != nil {
		return err
	}
	request, _ := e["requestContext"].(map[string]any)
	call, _ := request["http"].(map[string]any)
	claims, ok := at(request, "authorizer", "jwt", "claims").(map[string]any)
	if !ok || call == nil {
		return fmt.Errorf("the recorded event has no claims or no http")
	}
	claims["sub"], call["method"], call["path"], e["rawPath"] = user, http.MethodGet, path+id, path+id
	route := "GET " + path
	if id != "" {
		route += "{session_id}"
		e["pathParameters"] = map[string]string{"session_id": id}
	}
	e["routeKey"], request["routeKey"] = route, route
	delete(e, "body")
	var answer struct {
		StatusCode int
		Body       string
	}
	if err := s.aws.ask(ctx, "GetSessionFunction", e, &answer); err != nil {
		return err
	}
	if answer.StatusCode != wantStatus {
		return mismatch("status", fmt.Sprint(answer.StatusCode, " ", answer.Body), wantStatus)
	}
	return json.Unmarshal([]byte(answer.Body), out)
}

// searchLogs looks for what must reach no log.
func (s *system) searchLogs(context.Context) error {
	forbidden := []string{didittest.DefaultClientSecret, didittest.DefaultWebhookSecret, address, "user-of-", "user-123", "host.docker.internal:" + fmt.Sprint(s.diditInside) + "/session/"}
	files, err := filepath.Glob(filepath.Join(s.logs(), "start-*.log"))
	if err != nil || len(files) != 2 {
		return mismatch("logs", files, "those of start-api and start-lambda")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !strings.Contains(string(text), `"message":"call answered"`) {
			return fmt.Errorf("%s does not hold the functions' logs", file)
		}
		for i, secret := range forbidden {
			if strings.Contains(string(text), secret) {
				return fmt.Errorf("%s holds number %d of what must not be there", file, i+1)
			}
		}
	}
	return nil
}
