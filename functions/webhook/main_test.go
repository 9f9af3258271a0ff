package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

func TestMain(m *testing.M) { stagetest.Main(m, "webhook") }

// Of the recorded deliveries in events/.
const (
	sessionID = "99999999-2222-3333-4444-555555555555"
	eventID   = "88888888-2222-3333-4444-555555555555"
	// recordedAt is when they were signed.
	recordedAt = "1767225600"
)

// recorded is a recorded delivery's body.
func recorded(t *testing.T, name string) string {
	t.Helper()
	var event struct {
		Body string `json:"body"`
	}
	if err := json.Unmarshal(stagetest.Event(t, name), &event); err != nil {
		t.Fatal(err)
	}
	return event.Body
}

// dated is the body with another signed timestamp, away from now. As they stand, the recorded
// deliveries are stale, as every delivery is after WEBHOOK_TOLERANCE.
func dated(body string, away time.Duration) string {
	return strings.Replace(body, `"timestamp":`+recordedAt, fmt.Sprintf(`"timestamp":%d`, time.Now().Add(away).Unix()), 1)
}

// fresh is a recorded delivery's body as if Didit had sent it just now.
func fresh(t *testing.T, name string) string {
	t.Helper()
	return dated(recorded(t, name), 0)
}

// signature is what Didit puts into X-Signature.
func signature(body, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

// signatureV2 is what Didit puts into X-Signature-V2, if the body is JSON.
func signatureV2(body, secret string) string {
	_, v2, _ := didit.SignWebhook([]byte(body), secret)
	return v2
}

// signed are the headers of a delivery with both signatures.
func signed(body, secret string) map[string]string {
	headers := map[string]string{"x-signature": signature(body, secret)}
	if v2 := signatureV2(body, secret); v2 != "" {
		headers["x-signature-v2"] = v2
	}
	return headers
}

// deliver is API Gateway's payload for a delivery. What is not text comes as base64.
func deliver(t *testing.T, headers map[string]string, body string) []byte {
	t.Helper()
	return stagetest.Edit(t, stagetest.Event(t, "http-unsigned"), func(e map[string]any) {
		for name, value := range headers {
			e["headers"].(map[string]any)[name] = value
		}
		if e["body"] = body; !utf8.ValidString(body) {
			e["body"], e["isBase64Encoded"] = base64.StdEncoding.EncodeToString([]byte(body)), true
		}
	})
}

// approved is a delivery as Didit would send it now.
func approved(t *testing.T) []byte {
	t.Helper()
	body := fresh(t, "http-approved")
	return deliver(t, signed(body, stage.WebhookSecret), body)
}

// wantAnswer checks status and code, which is empty for a success.
func wantAnswer(t *testing.T, a awsfake.HTTPAnswer, status int, code string) {
	t.Helper()
	var problem struct {
		Code   string
		Status int
	}
	err := json.Unmarshal(a.Body, &problem)
	if err != nil || a.Status != status || problem.Code != code || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %s %v, want %d %s", a.Status, a.Body, a.Header, status, code)
	}
	if status == 200 && string(a.Body) != "{}" {
		t.Errorf("got %s, want {}", a.Body)
	}
	if (status == 503) != (a.Header.Get("Retry-After") != "") {
		t.Errorf("got %d with Retry-After %q", a.Status, a.Header.Get("Retry-After"))
	}
}

// Ensure that each recorded delivery gets the answer that its name promises, after it is signed
// again.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	w.Add(t, stagetest.Record(sessionID, "user-123", "Not Started", time.Minute))
	for _, test := range []struct {
		name   string
		status int
		code   string
		events int // on the bus
	}{
		{"http-started", 200, "", 1},
		{"http-approved", 200, "", 1},
		{"http-ignored", 200, "", 0},
		{"http-unsigned", 401, "unauthenticated", 0},
	} {
		body := fresh(t, test.name)
		headers := signed(body, stage.WebhookSecret)
		if test.name == "http-unsigned" {
			headers = nil
		}
		before := len(w.Bus.Events())
		wantAnswer(t, w.HTTP(t, deliver(t, headers, body)), test.status, test.code)
		if got := len(w.Bus.Events()) - before; got != test.events {
			t.Errorf("%s: %d events were published, want %d", test.name, got, test.events)
		}
	}
}

// Ensure that the files are signed with the documented secret for local use, and that only their
// age is wrong: it is why they are refused as they are. Ignored types have no age.
func TestEvents_asRecorded(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	for name, status := range map[string]int{"http-started": 401, "http-approved": 401, "http-ignored": 200} {
		var event struct{ Headers map[string]string }
		if err := json.Unmarshal(stagetest.Event(t, name), &event); err != nil {
			t.Fatal(err)
		}
		for header, want := range signed(recorded(t, name), stage.WebhookSecret) {
			if event.Headers[header] != want {
				t.Errorf("%s: got %s %q, want %q", name, header, event.Headers[header], want)
			}
		}
		if a := w.HTTP(t, stagetest.Event(t, name)); a.Status != status || status == 401 && !strings.Contains(string(a.Body), "timestamp") {
			t.Errorf("%s: got %d %s, want %d", name, a.Status, a.Body, status)
		}
	}
}

// Ensure that the event has what Didit signed, the owner of the record, and only features and
// statuses of the decision.
func TestPublished(t *testing.T) {
	t.Parallel()
	dataUpdated := strings.Replace(fresh(t, "http-approved"), "status.updated", "data.updated", 1)
	for _, test := range []struct {
		name, body, owner string // owner on record; empty: not on record
		want, wantOwner   string
	}{
		{"recorded", fresh(t, "http-approved"), "user-123", "Verification Session Status Updated", "user-123"},
		{"recorded for another", fresh(t, "http-approved"), "user-456", "Verification Session Status Updated", "user-456"},
		{"data", dataUpdated, "user-123", "Verification Session Data Updated", "user-123"},
		{"unrecorded", fresh(t, "http-approved"), "", "Unrecorded Verification Session Updated", "user-123"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := stagetest.NewUnprepared(t, lambdatest.Options{})
			if test.owner != "" {
				w.Add(t, stagetest.Record(sessionID, test.owner, "Not Started", time.Minute))
			}
			writes := w.Writes()
			wantAnswer(t, w.HTTP(t, deliver(t, signed(test.body, stage.WebhookSecret), test.body)), 200, "")
			types, _ := w.Published(t)
			if len(types) != 1 || types[0] != test.want {
				t.Fatalf("got events %q, want one of %q", types, test.want)
			}
			var sent struct{ Timestamp int64 }
			if err := json.Unmarshal([]byte(test.body), &sent); err != nil {
				t.Fatal(err)
			}
			want := `{"event_id":"` + eventID + `","session_id":"` + sessionID + `","vendor_data":"` + test.wantOwner + `","workflow_id":"` + stage.Workflow +
				`","status":"Approved","checks":[{"feature":"ID_VERIFICATION","status":"Approved"},{"feature":"LIVENESS","status":"Approved"}],` +
				`"occurred_at":"2025-12-31T23:59:50Z","sent_at":"` + time.Unix(sent.Timestamp, 0).UTC().Format(time.RFC3339) + `","environment":"live"}`
			if got := string(w.Bus.Events()[0].Detail); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if w.Writes() != writes || w.Table.Calls("GetItem") != 1 {
				t.Errorf("got %d writes and %d reads of the table, want none and 1", w.Writes()-writes, w.Table.Calls("GetItem"))
			}
		})
	}
}

// Ensure that a start with a wrong configuration fails and names every wrong variable.
func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{Env: map[string]string{
		"DIDIT_WEBHOOK_SECRET_ID": "", "WEBHOOK_TOLERANCE": "900", "TABLE_NAME": "", "EVENT_BUS_NAME": " "}})
	if _, err := w.WaitReady(t.Context()); err == nil {
		t.Fatal("the function started")
	}
	for _, name := range []string{"DIDIT_WEBHOOK_SECRET_ID", "WEBHOOK_TOLERANCE", "TABLE_NAME", "EVENT_BUS_NAME"} {
		if !strings.Contains(string(w.Logs()), name) {
			t.Errorf("got logs %s, want %s named", w.Logs(), name)
		}
	}
}

// Ensure that direct invocations are refused, even with the body of a delivery.
func TestDirect(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	if r := w.Call(t, []byte(fresh(t, "http-approved"))); r.ErrorType != "InvalidRequest" || len(w.Bus.Events()) != 0 {
		t.Errorf("got %q and %d events, want InvalidRequest and none", r.ErrorType, len(w.Bus.Events()))
	}
}

func with(headers map[string]string, more ...string) map[string]string {
	all := maps.Clone(headers)
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}
