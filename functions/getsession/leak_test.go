package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

// Ensure that no secret and no personal data reaches a log or an answer, except the vendor data in
// its owner's answer.
func TestLeaks(t *testing.T) {
	t.Parallel()
	env := map[string]string{"AWS_LAMBDA_LOG_LEVEL": "DEBUG"}
	maps.Copy(env, stagetest.OneAttempt)
	w := stagetest.NewUnprepared(t, lambdatest.Options{Env: env})
	w.Didit.SetCredentials("planted-id", "planted-secret", didittest.DefaultAPIKey)
	w.Secrets.Set(stage.SecretID, `{"client_id":"planted-id","client_secret":"planted-secret"}`)
	personal := []string{"Carmen", "Española", "CAA000000", "IDESP", "1980-01-01", "planted-number", "planted-reviewer", "/session/"}
	ours := []string{"planted-id", "planted-secret", "planted-jwt", "Bearer ", "Basic "}
	all := append(append([]string{"planted"}, personal...), ours...)
	l := &stagetest.Leaks{World: w, Logged: all, Answered: slices.Concat(personal, ours)}
	ask := func(what, id, user string) {
		t.Helper()
		l.HTTP(t, what, stagetest.Edit(t, get(t, id, user), func(e map[string]any) {
			e["rawQueryString"] = "planted=query"
			e["headers"].(map[string]any)["authorization"] = "Bearer planted-jwt"
			stagetest.Object(e, "requestContext", "authorizer", "jwt", "claims")["email"] = "planted@example.com"
		}))
	}
	planted := func(onRecord string) string {
		id := w.Session(t, "planted-user")
		w.SetStatus(t, id, "Approved")
		w.Add(t, stagetest.Record(id, "planted-user", onRecord, 2*time.Minute))
		return id
	}
	ask("refreshed", planted("In Progress"), "planted-user")
	ask("final", planted("Approved"), "planted-user")
	ask("foreign", planted("In Progress"), "planted-other")
	ask("unknown", "planted", "planted-user")
	l.HTTP(t, "listed", stagetest.Event(t, "http-list"))
	l.HTTP(t, "refused", list(t, "http-list", "vendor_data=planted-other"))
	for _, f := range []didittest.Fault{
		didittest.ServerError, didittest.ReadRateLimited, didittest.SessionNotFound, didittest.InvalidClientDescribed,
		{On: didittest.OpToken, Status: 200, Body: `{"access_token":"planted","expires_in":"planted"}`},
		{On: didittest.OpDecision, Status: 200, Body: `{"status":"Approved","id_verifications":[{"document_number":"planted-number"`},
		{On: didittest.OpDecision, Status: 200, Body: `{"session_id":"planted","status":"Approved","reviews":[{"user":"planted-reviewer"}]}`},
		{On: didittest.OpDecision, Status: 400, Body: `{"detail":"planted@example.com"}`},
		{On: didittest.OpDecision, Status: 302, Header: map[string][]string{"Location": {"https://planted.example.com"}}},
	} {
		id := planted("In Progress")
		w.Didit.RevokeTokens() // so that the token endpoint is asked, too
		w.Didit.Inject(f)
		ask("fault", id, "planted-user")
		w.Didit.ClearFaults()
	}
	for _, f := range []awsfake.Fault{awsfake.AccessDenied, awsfake.NotFound, awsfake.InternalError} {
		w.Bus.Fail(f, 1)
		ask("bus fails", planted("In Progress"), "planted-user")
		w.Table.Fail(f, 1)
		ask("table fails", sessionID, "planted-user")
	}
	l.Done(t)
	for _, e := range w.Bus.Events() {
		detail := strings.ReplaceAll(string(e.Detail), `"vendor_data":"planted-user"`, "")
		for _, marker := range all {
			if strings.Contains(detail, marker) {
				t.Errorf("%q is published: %s", marker, detail)
			}
		}
	}
}
