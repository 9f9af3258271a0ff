package main

import (
	"maps"
	"strings"
	"testing"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

// planted is a delivery in which every field that may be secret or personal has a marker.
const planted = `{"application_id":"planted-application","created_at":1767225590,"decision":{"callback":"https://example.com/?planted=callback",` +
	`"contact_details":{"email":"planted@example.com","phone":"+442071838750"},"features":["ID_VERIFICATION","planted feature!"],` +
	`"id_verifications":[{"address":"planted-address","date_of_birth":"1990-05-15","document_number":"planted-number","first_name":"planted-first",` +
	`"last_name":"planted-last","node_id":"feature_ocr","status":"Approved","portrait_image":"https://example.com/planted.jpg","warnings":[{"risk":"planted-risk"}]}],` +
	`"ip_analyses":[{"ip_address":"198.51.100.77","status":"Approved"}],"reviews":[{"comment":"planted-comment","user":"planted-reviewer"}],` +
	`"session_url":"https://verify.didit.me/session/planted-token","status":"Approved"},"environment":"live","event_id":"` + eventID + `",` +
	`"metadata":{"planted":"planted-metadata"},"resubmit_info":{"reasons":["planted-reason"]},"session_id":"` + sessionID + `","status":"Approved",` +
	`"timestamp":1767225600,"vendor_data":"planted-user","webhook_type":"status.updated","workflow_id":"` + stage.Workflow + `"}`

// secrets and personal data.
var markers = []string{"planted", "2071838750", "1990-05-15", "198.51.100.77", "/session/"}

// Ensure that no secret and no personal data reaches a log or an answer, whatever fails, and that
// only the vendor data reaches the bus.
func TestLeaks(t *testing.T) {
	t.Parallel()
	const secret = "planted-webhook-secret"
	env := map[string]string{"AWS_LAMBDA_LOG_LEVEL": "DEBUG"}
	maps.Copy(env, stagetest.OneAttempt)
	w := stagetest.NewUnprepared(t, lambdatest.Options{Env: env})
	w.Secrets.Set(stage.WebhookSecretID, stored(secret))
	w.Add(t, stagetest.Record(sessionID, "planted-user", "Not Started", 0))
	l := &stagetest.Leaks{World: w, Logged: markers, Answered: markers}

	body := dated(planted, 0)
	good := signed(body, secret)
	for _, headers := range []map[string]string{good, signed(body, "planted-other-secret"), {"x-signature": "planted"}, {}} {
		l.Logged = append(l.Logged, headers["x-signature"], headers["x-signature-v2"])
	}
	l.Logged = texts(l.Logged)
	l.Answered = l.Logged
	send := func(what string, headers map[string]string, body string) {
		t.Helper()
		headers = with(headers, "authorization", "Bearer planted-jwt", "user-agent", "planted-agent", "x-forwarded-for", "198.51.100.77", "x-planted", "planted")
		payload := stagetest.Edit(t, deliver(t, headers, body), func(e map[string]any) {
			e["rawQueryString"], e["cookies"] = "planted=query", []string{"planted=cookie"}
			stagetest.Object(e, "requestContext", "http")["sourceIp"] = "198.51.100.77"
		})
		l.HTTP(t, what, payload)
	}
	send("published", good, body)
	send("mismatch", signed(body, "planted-other-secret"), body)
	send("malformed signature", map[string]string{"x-signature": "planted"}, body)
	send("unsigned", map[string]string{}, body)
	stale := dated(planted, -1e15)
	send("stale", signed(stale, secret), stale)
	for _, broken := range []string{
		body[:len(body)/2], `"planted"`, "planted\xff", body + "planted", strings.Replace(body, `"status":"Approved","timestamp"`, `"status":"planted\u0000","timestamp"`, 1),
		strings.ReplaceAll(body, sessionID, "planted"), strings.Replace(planted, "1767225600", `"planted"`, 1),
		strings.Replace(body, `"vendor_data"`, `"vendor_data":"planted","vendor_data"`, 1), strings.Replace(body, `"status.updated"`, `["planted"]`, 1),
		strings.Replace(body, `"status.updated"`, `"planted"`, 1), padded(strings.Replace(body, `"metadata":{"planted":"planted-metadata"}`, `"metadata":null`, 1), 1<<20+1),
	} {
		send("broken", signed(broken, secret), broken)
	}
	for _, f := range []awsfake.Fault{awsfake.Throttled, awsfake.AccessDenied, awsfake.NotFound, awsfake.InternalError, awsfake.Reset} {
		w.Table.Fail(f, 1)
		send("table fails", good, body)
		w.Bus.Fail(f, 1)
		send("bus fails", good, body)
	}
	for _, f := range []awsfake.Fault{awsfake.EntryFailed, awsfake.EntryThrottled, awsfake.EntryDenied} {
		w.Bus.Fail(f, 1)
		send("entry fails", good, body)
	}
	l.Done(t)
	for _, e := range w.Bus.Events() {
		detail := strings.ReplaceAll(string(e.Detail), `"vendor_data":"planted-user"`, "")
		for _, marker := range l.Logged {
			if strings.Contains(detail, marker) {
				t.Errorf("%q is published: %s", marker, detail)
			}
		}
	}
	if len(w.Bus.Events()) == 0 {
		t.Error("nothing was published")
	}
}

// texts are those that are not empty.
func texts(all []string) (some []string) {
	for _, s := range all {
		if s != "" {
			some = append(some, s)
		}
	}
	return some
}

// Ensure that a secret in the wrong place, or in the wrong form, is not revealed either.
func TestLeaks_configuration(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"planted", `{"webhook_secret":["planted"]}`, `{"api_key":"planted"}`, `["planted"]`, `{"webhook_secret":"` + strings.Repeat("planted", 200) + `"}`} {
		w := stagetest.NewUnprepared(t, lambdatest.Options{})
		w.Secrets.Set(stage.WebhookSecretID, secret)
		l := &stagetest.Leaks{World: w, Logged: markers, Answered: markers}
		wantAnswer(t, l.HTTP(t, secret, approved(t)), 503, "backend_unavailable")
	}
	w := stagetest.NewUnprepared(t, lambdatest.Options{Env: map[string]string{"DIDIT_WEBHOOK_SECRET_ID": `{"webhook_secret":"planted"}`}})
	l := &stagetest.Leaks{World: w, Logged: markers, Answered: markers}
	wantAnswer(t, l.HTTP(t, "the secret instead of its name", approved(t)), 503, "backend_unavailable")
}
