package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

// wrong is a delivery that is refused.
type wrong struct {
	name    string
	headers map[string]string
	body    string
	status  int
	code    string
	reason  string // in the log
}

// refused are deliveries that are refused, by whether the sender knows the secret.
func refused(t *testing.T) (unproven, proven []wrong) {
	t.Helper()
	body := fresh(t, "http-approved")
	good := signed(body, stage.WebhookSecret)
	plain, v2 := good["x-signature"], good["x-signature-v2"]
	unproven = []wrong{
		{"no signature", nil, body, 401, "unauthenticated", "no signature"},
		{"simple signature alone", map[string]string{"x-signature-simple": plain}, body, 401, "unauthenticated", "no signature"},
		{"empty", map[string]string{"x-signature": "", "x-signature-v2": ""}, body, 401, "unauthenticated", "no signature"},
		{"too short", map[string]string{"x-signature": plain[:62]}, body, 401, "unauthenticated", "no signature"},
		{"too long", map[string]string{"x-signature": plain + "00"}, body, 401, "unauthenticated", "no signature"},
		{"no hex", map[string]string{"x-signature": strings.Repeat("g", 64)}, body, 401, "unauthenticated", "no signature"},
		{"with a prefix", map[string]string{"x-signature": "sha256=" + plain}, body, 401, "unauthenticated", "no signature"},
		{"another secret", signed(body, "another"), body, 404, "signature_mismatch", "matches no secret"},
		{"another body", good, strings.Replace(body, "user-123", "user-124", 1), 404, "signature_mismatch", "matches no secret"},
		{"cut off", good, body[:len(body)-1], 404, "signature_mismatch", "matches no secret"},
		{"signatures exchanged", map[string]string{"x-signature": v2, "x-signature-v2": plain}, body, 404, "signature_mismatch", "matches no secret"},
		{"another order", map[string]string{"x-signature": plain}, strings.Replace(body, `{"application_id"`, `{ "application_id"`, 1), 404, "signature_mismatch", "matches no secret"},
	}
	sign := func(name, body string, status int, code, reason string) {
		proven = append(proven, wrong{name, signed(body, stage.WebhookSecret), body, status, code, reason})
	}
	// While the test runs, future timestamps come nearer and past ones move away.
	for _, away := range []time.Duration{-16 * time.Minute, 30 * time.Minute, -1000 * time.Hour} {
		sign("signed "+away.String()+" from now", dated(recorded(t, "http-approved"), away), 401, "unauthenticated", "too far from now")
	}
	stale := dated(recorded(t, "http-approved"), -time.Hour)
	proven = append(proven, wrong{"stale with a fresh X-Timestamp", with(signed(stale, stage.WebhookSecret), "x-timestamp", dated(`"timestamp":`+recordedAt, 0)[12:]),
		stale, 401, "unauthenticated", "too far from now"})
	for name, body := range map[string]string{
		"empty body": "", "not JSON": "status=Approved", "truncated": body[:len(body)/2], "two documents": body + body,
		"duplicate key":        strings.Replace(body, `{"application_id"`, `{"status":"Declined","application_id"`, 1),
		"nested duplicate key": strings.Replace(body, `"session_number"`, `"status":"Declined","session_number"`, 1),
		"a list":               "[" + body + "]", "null": "null", "not UTF-8": strings.Replace(body, "user-123", "\xff", 1),
		"no timestamp":   strings.Replace(recorded(t, "http-approved"), `"timestamp":`+recordedAt+",", "", 1),
		"text timestamp": strings.Replace(recorded(t, "http-approved"), recordedAt, `"`+recordedAt+`"`, 1),
		"half timestamp": strings.Replace(recorded(t, "http-approved"), recordedAt, recordedAt+".5", 1),
		"huge timestamp": strings.Replace(recorded(t, "http-approved"), recordedAt, "99999999999999999999", 1),
		"no session":     strings.Replace(body, `"session_id":"`+sessionID+`","status":"Approved","timestamp"`, `"status":"Approved","timestamp"`, 1),
		"odd session":    strings.ReplaceAll(body, sessionID, "session-1"),
		"null session":   strings.ReplaceAll(body, `"`+sessionID+`"`, "null"),
		"no status":      strings.Replace(body, `"status":"Approved","timestamp"`, `"timestamp"`, 1),
		"empty status":   strings.Replace(body, `"status":"Approved","timestamp"`, `"status":"","timestamp"`, 1),
		"number status":  strings.Replace(body, `"status":"Approved","timestamp"`, `"status":1,"timestamp"`, 1),
		"number type":    strings.Replace(body, `"status.updated"`, `1`, 1),
	} {
		sign(name, body, 400, "invalid_request", "")
	}
	sign("over 1 MiB", padded(body, 1<<20+1), 413, "payload_too_large", "")
	return unproven, proven
}

// padded returns the delivery with metadata, size bytes long.
func padded(body string, size int) string {
	before, after, _ := strings.Cut(body, `"metadata":null`)
	return before + `"metadata":"` + strings.Repeat("x", size-len(before)-len(after)-len(`"metadata":""`)) + `"` + after
}

// Ensure that each refused delivery gets its answer and has no effect: nothing is stored or
// published, and only the reason is logged.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	unproven, proven := refused(t)
	logged, begin := 0, time.Now()
	for _, test := range append(unproven, proven...) {
		wantAnswer(t, w.HTTP(t, deliver(t, test.headers, test.body)), test.status, test.code)
		logs := string(w.Logs())[logged:]
		logged += len(logs)
		if test.reason == "too far from now" {
			test.code = "stale" // for the operator alone
		}
		if strings.Count(logs, "call refused") != 1 || strings.Count(logs, "\n") != 2 || !strings.Contains(logs, `"code":"`+test.code+`"`) || !strings.Contains(logs, test.reason) {
			t.Errorf("%s: got logs %s, want one line with %s and %q, and one of metrics", test.name, logs, test.code, test.reason)
		}
		for _, told := range []string{sessionID, eventID, "user-12", "Approved", "Carmen", "CAA000000", test.headers["x-signature"], test.headers["x-signature-v2"]} {
			if told != "" && strings.Contains(logs, told) {
				t.Errorf("%s: %q is logged: %s", test.name, told, logs)
			}
		}
		if t.Failed() {
			t.Fatalf("%s: see above", test.name)
		}
	}
	if w.Table.Calls("") != 0 || w.Bus.Calls("") != 0 {
		t.Errorf("got %d requests to the table and %d to the bus, want none", w.Table.Calls(""), w.Bus.Calls(""))
	}
	// Two reads of two versions, the second after the first mismatch. Further mismatches cause at
	// most one read in 10 s.
	most := 4 + 2*int(time.Since(begin)/forcedEvery)
	if got := w.Secrets.Calls(""); got < 4 || got > most {
		t.Errorf("the secret was asked for %d times, want 4 to %d", got, most)
	}
	wantAnswer(t, w.HTTP(t, approved(t)), 200, "")
}

// Ensure that other paths and methods, and a body that is not valid base64, are refused.
func TestRefused_request(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	for _, test := range []struct {
		name   string
		change func(e map[string]any)
		status int
	}{
		{"method", func(e map[string]any) { stagetest.Object(e, "requestContext", "http")["method"] = "GET" }, 404},
		{"route", func(e map[string]any) { e["routeKey"] = "POST /webhooks" }, 404},
		{"path without a route", func(e map[string]any) { delete(e, "routeKey"); e["rawPath"] = "/webhooks" }, 404},
		{"base64", func(e map[string]any) { e["isBase64Encoded"] = true }, 400},
	} {
		if a := w.HTTP(t, stagetest.Edit(t, approved(t), test.change)); a.Status != test.status {
			t.Errorf("%s: got %d %s, want %d", test.name, a.Status, a.Body, test.status)
		}
	}
	if w.Bus.Calls("") != 0 || w.Secrets.Calls("") != 0 {
		t.Errorf("got %d requests to the bus and %d for the secret, want none", w.Bus.Calls(""), w.Secrets.Calls(""))
	}
}

// Ensure that every form of Didit's deliveries is accepted.
func TestAccepted(t *testing.T) {
	t.Parallel()
	body := fresh(t, "http-approved")
	good := signed(body, stage.WebhookSecret)
	reworded := strings.ReplaceAll(body, `,"`, `, "`)
	upper := map[string]string{}
	for name, value := range good {
		upper[name] = strings.ToUpper(value)
	}
	full := padded(body, 1<<20)
	slashes := strings.ReplaceAll(full, "x", "?") // base64 writes ??? as Pz8/
	late, early := dated(recorded(t, "http-approved"), -5*time.Minute), dated(recorded(t, "http-approved"), 14*time.Minute)
	untyped := strings.Replace(body, `"webhook_type":"status.updated",`, "", 1)
	upperSession := strings.ReplaceAll(body, sessionID, strings.ToUpper(sessionID))
	unknown := strings.Replace(body, `"status":"Approved","timestamp"`, `"status":"Awaiting Something New","timestamp"`, 1)
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	for _, test := range []struct {
		name    string
		payload []byte
	}{
		{"both signatures", deliver(t, good, body)},
		{"X-Signature alone", deliver(t, map[string]string{"x-signature": good["x-signature"]}, body)},
		{"V2 alone", deliver(t, map[string]string{"x-signature-v2": good["x-signature-v2"]}, body)},
		{"upper-case hex", deliver(t, upper, body)},
		{"written anew by a proxy", deliver(t, good, reworded)},
		{"V2 beside a malformed X-Signature", deliver(t, with(good, "x-signature", "none"), body)},
		{"V2 beside an X-Signature that does not fit", deliver(t, with(good, "x-signature", signature(body, "another")), body)},
		{"X-Signature beside a V2 that does not fit", deliver(t, with(good, "x-signature-v2", signature(body, "another")), body)},
		{"odd X-Timestamp", deliver(t, with(good, "x-timestamp", "0"), body)},
		{"base64", stagetest.Edit(t, deliver(t, good, body), func(e map[string]any) {
			e["body"], e["isBase64Encoded"] = base64.StdEncoding.EncodeToString([]byte(body)), true
		})},
		{"named stage", stagetest.Edit(t, deliver(t, good, body), func(e map[string]any) {
			delete(e, "routeKey")
			e["rawPath"], stagetest.Object(e, "requestContext")["stage"] = "/prod/webhooks/didit", "prod"
		})},
		{"mapping key", stagetest.Edit(t, deliver(t, good, body), func(e map[string]any) { e["rawPath"] = "/idv/webhooks/didit" })},
		{"1 MiB", deliver(t, signed(full, stage.WebhookSecret), full)},
		{"1 MiB in base64 with escaped slashes", bytes.ReplaceAll(stagetest.Edit(t, deliver(t, signed(slashes, stage.WebhookSecret), slashes), func(e map[string]any) {
			e["body"], e["isBase64Encoded"] = base64.StdEncoding.EncodeToString([]byte(slashes)), true
		}), []byte("Pz8/"), []byte(`Pz8\/`))},
		{"5 minutes old", deliver(t, signed(late, stage.WebhookSecret), late)},
		{"14 minutes ahead", deliver(t, signed(early, stage.WebhookSecret), early)},
		{"without a type", deliver(t, signed(untyped, stage.WebhookSecret), untyped)},
		{"upper-case session id", deliver(t, signed(upperSession, stage.WebhookSecret), upperSession)},
		{"unknown status", deliver(t, signed(unknown, stage.WebhookSecret), unknown)},
	} {
		before := len(w.Bus.Events())
		wantAnswer(t, w.HTTP(t, test.payload), 200, "")
		_, details := w.Published(t)
		if len(details) != before+1 || details[before].SessionID != sessionID {
			t.Fatalf("%s: got %d events, want 1 more than %d", test.name, len(details), before)
		}
	}
	if got := w.Secrets.Calls(""); got != 2 {
		t.Errorf("the secret was asked for %d times, want 2: one read of two versions", got)
	}
}

// Ensure that types that concern no session are accepted and dropped, without a request to the
// table or the bus.
func TestIgnored(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	for _, kind := range []string{"user.status.updated", "user.data.updated", "business.status.updated", "business.data.updated", "activity.created",
		"transaction.created", "transaction.status.updated", "travel_rule.status.updated", "something.new", "STATUS.UPDATED", ""} {
		for _, body := range []string{
			strings.Replace(fresh(t, "http-approved"), `"status.updated"`, `"`+kind+`"`, 1),
			`{"webhook_type":"` + kind + `"}`,
		} {
			wantAnswer(t, w.HTTP(t, deliver(t, signed(body, stage.WebhookSecret), body)), 200, "")
		}
	}
	if w.Table.Calls("GetItem") != 0 || w.Bus.Calls("") != 0 {
		t.Errorf("got %d reads of the table and %d requests to the bus, want none", w.Table.Calls("GetItem"), w.Bus.Calls(""))
	}
}

// Ensure that WEBHOOK_TOLERANCE applies to the past and the future. On a busy machine, timestamps
// close to the limit would cross it.
func TestTolerance(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{Env: map[string]string{"WEBHOOK_TOLERANCE": "2h"}})
	for _, test := range []struct {
		away   time.Duration
		status int
	}{{-100 * time.Minute, 200}, {119 * time.Minute, 200}, {-121 * time.Minute, 401}, {140 * time.Minute, 401}} {
		body := dated(recorded(t, "http-approved"), test.away)
		if a := w.HTTP(t, deliver(t, signed(body, stage.WebhookSecret), body)); a.Status != test.status {
			t.Errorf("%v away: got %d %s, want %d", test.away, a.Status, a.Body, test.status)
		}
	}
}

// Ensure that an event without an id gets one that its retries share, whatever their timestamps.
func TestEventID(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	without := strings.Replace(recorded(t, "http-approved"), `"event_id":"`+eventID+`",`, "", 1)
	other := strings.Replace(without, `"status":"Approved","timestamp"`, `"status":"Declined","timestamp"`, 1)
	for _, body := range []string{dated(without, 0), dated(without, time.Minute), dated(other, 0)} {
		wantAnswer(t, w.HTTP(t, deliver(t, signed(body, stage.WebhookSecret), body)), 200, "")
	}
	_, details := w.Published(t)
	if len(details) != 3 || details[0].EventID == "" || details[0].EventID != details[1].EventID || details[0].EventID == details[2].EventID {
		text, _ := json.Marshal(details)
		t.Errorf("got %s, want one id for the first two, another for the third", text)
	}
}
