package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"didit-sessions/internal/api/apitest"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/memory"
	"didit-sessions/internal/verification"
)

const webhookSecret = "a-webhook-secret-that-is-43-characters-long"

// newWebhook takes deliveries signed with webhookSecret, and tells the bus of them.
func newWebhook(store verification.Store, bus verification.Bus, read func(context.Context) (didit.WebhookSecrets, error)) *Webhook {
	return &Webhook{
		Verifier:       &didit.Verifier{Secrets: &didit.WebhookSecretCache{Read: read}, Now: func() time.Time { return noon }},
		Events:         &verification.Tracker{Store: store, Bus: bus},
		RequestContext: func(*http.Request) RequestContext { return RequestContext{RequestID: "req-1"} },
		Log:            slog.New(slog.DiscardHandler),
		Limit:          time.Hour, // so that no delivery but that of TestWebhook_deadline ends early, however busy the machine is
	}
}

func knownSecret(context.Context) (didit.WebhookSecrets, error) {
	return didit.WebhookSecrets{Current: webhookSecret}, nil
}

// event is a delivery of a status, as of a time.
func event(status string, at time.Time) string {
	return fmt.Sprintf(`{"session_id":%q,"status":%q,"webhook_type":"status.updated","event_id":"e-1","timestamp":%d,"created_at":%[3]d,"vendor_data":"mallory"}`,
		sessionID, status, at.Unix())
}

// deliver posts a body; signed with a secret, unless that is empty.
func deliver(t *testing.T, h *Webhook, body, secret string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/webhooks/didit", strings.NewReader(body))
	if secret != "" {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		r.Header.Set("X-Signature", hex.EncodeToString(mac.Sum(nil)))
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	apitest.CheckAnswer(t, r, w)
	return w
}

// Ensure that each delivery gets the answer after which Didit does the right thing, and that only
// verified ones are published.
func TestWebhook(t *testing.T) {
	t.Parallel()
	const other = "another-secret-that-no-one-here-knows-about"
	for _, test := range []struct {
		name, body, secret string
		status             int
		code               string
		published          string // detail type
	}{
		{"status", event("Approved", noon), webhookSecret, 200, "", verification.DetailStatusUpdated},
		{"data", strings.Replace(event("Approved", noon), "status.updated", "data.updated", 1), webhookSecret, 200, "", verification.DetailDataUpdated},
		{"not on record", strings.Replace(event("Approved", noon), sessionID, otherID, 1), webhookSecret, 200, "", verification.DetailUnrecordedUpdate},
		{"entity", `{"webhook_type":"user.status.updated","status":"BLOCKED"}`, webhookSecret, 200, "", ""},
		{"unknown type", `{"webhook_type":"moon.landed"}`, webhookSecret, 200, "", ""},
		{"unsigned", event("Approved", noon), "", 401, "unauthenticated", ""},
		{"wrong secret", event("Approved", noon), other, 404, "signature_mismatch", ""},
		{"stale", event("Approved", noon.Add(-time.Hour)), webhookSecret, 401, "unauthenticated", ""},
		{"future", event("Approved", noon.Add(time.Hour)), webhookSecret, 401, "unauthenticated", ""},
		{"not JSON", `status=Approved`, webhookSecret, 400, "invalid_request", ""},
		{"no session", fmt.Sprintf(`{"status":"Approved","timestamp":%d}`, noon.Unix()), webhookSecret, 400, "invalid_request", ""},
		{"no timestamp", `{"session_id":"` + sessionID + `","status":"Approved"}`, webhookSecret, 400, "invalid_request", ""},
		{"over 1 MiB", strings.Repeat(" ", 1<<20) + event("Approved", noon), webhookSecret, 413, "payload_too_large", ""},
	} {
		bus := new(memory.Bus)
		w := deliver(t, newWebhook(records(t, "Not Started"), bus, knownSecret), test.body, test.secret)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.code) || test.status == 200 && w.Body.String() != "{}" {
			t.Errorf("%s: got %d %s, want %d %s", test.name, w.Code, w.Body, test.status, test.code)
		}
		published := bus.Published()
		if len(published) != 0 && test.published == "" || test.published != "" && (len(published) != 1 || published[0].DetailType() != test.published) {
			t.Errorf("%s: published %v, want %q", test.name, published, test.published)
		}
		if len(published) == 1 && published[0].Recorded && published[0].VendorData != "alice" {
			t.Errorf("%s: the event names %q, want the owner on record", test.name, published[0].VendorData)
		}
	}
}

// closedBus is out of reach.
type closedBus struct{}

func (closedBus) Publish(context.Context, verification.Event) error {
	return verification.NewError(verification.CodeBackendUnavailable, "the bus is out of reach")
}

// Ensure that trouble of ours makes Didit deliver again.
func TestWebhook_trouble(t *testing.T) {
	t.Parallel()
	broken := func(err error) func(context.Context) (didit.WebhookSecrets, error) {
		return func(context.Context) (didit.WebhookSecrets, error) { return didit.WebhookSecrets{}, err }
	}
	for name, h := range map[string]*Webhook{
		"bus":            newWebhook(records(t, "Not Started"), closedBus{}, knownSecret),
		"table":          newWebhook(new(failingStore), new(memory.Bus), knownSecret),
		"secret":         newWebhook(records(t), new(memory.Bus), broken(verification.NewError(verification.CodeBackendUnavailable, "down"))),
		"secret missing": newWebhook(records(t), new(memory.Bus), broken(verification.NewError(verification.CodeSecretUnavailable, "missing"))),
		"secret foreign": newWebhook(records(t), new(memory.Bus), broken(errors.New("MARKER"))),
	} {
		var out strings.Builder
		h.Log = slog.New(slog.NewJSONHandler(&out, nil))
		w := deliver(t, h, event("Approved", noon), webhookSecret)
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"code":"backend_unavailable"`) {
			t.Errorf("%s: got %d %v %s, want 503", name, w.Code, w.Header(), w.Body)
		}
		if strings.Contains(w.Body.String()+out.String(), "MARKER") || !strings.Contains(out.String(), `"reason":"`) {
			t.Errorf("%s: got log %s", name, &out)
		}
	}
}

// hangingBus answers when the caller's time is over.
type hangingBus struct{}

func (hangingBus) Publish(ctx context.Context, _ verification.Event) error {
	<-ctx.Done()
	return verification.NewError(verification.CodeBackendUnavailable, "the bus did not answer in time")
}

// Ensure that the answer leaves before Didit stops waiting.
func TestWebhook_deadline(t *testing.T) {
	t.Parallel()
	store := records(t, "Not Started")
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		h := newWebhook(store, hangingBus{}, knownSecret)
		h.Limit = 0
		w := deliver(t, h, event("Approved", noon), webhookSecret)
		if took := time.Since(start); w.Code != 503 || took != 4500*time.Millisecond {
			t.Errorf("got %d after %v, want 503 after 4.5s", w.Code, took)
		}
	})
}

// Ensure that the log says what came of a delivery, and quotes nothing of it that is personal.
func TestWebhook_log(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	h := newWebhook(records(t, "Not Started"), new(memory.Bus), knownSecret)
	h.Log = slog.New(slog.NewJSONHandler(&out, nil))
	deliver(t, h, event("Approved", noon), webhookSecret)
	deliver(t, h, event("Approved", noon), "not-the-secret")
	deliver(t, h, event("Approved", noon.Add(-time.Hour)), webhookSecret)
	deliver(t, h, event("Approved", noon), "")
	for _, want := range []string{`"operation":"webhook"`, `"code":"published"`, `"event_id":"e-1"`, `"status":"Approved"`, `"code":"signature_mismatch","outcome":"caller"`,
		`"code":"published","outcome":"ok"`, `"level":"ERROR","msg":"call refused"`, `"code":"stale","outcome":"operator"`, `"code":"unauthenticated","outcome":"caller"`, `"gateway_request_id":"req-1"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got log %s, want %s in it", &out, want)
		}
	}
	for _, leak := range []string{"mallory", "alice", webhookSecret, "not-the-secret"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the log holds %q: %s", leak, &out)
		}
	}
}

// Ensure that the log does not call an event of an erased end user published.
func TestWebhook_logOfErased(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	store, bus := records(t, "Not Started"), new(memory.Bus)
	marked, _, err := store.MarkErased(t.Context(), verification.Record{SessionID: sessionID, VendorData: "alice", CreatedAt: noon, Expires: time.Now().Add(time.Hour)})
	if err != nil || !marked {
		t.Fatal(marked, err)
	}
	h := newWebhook(store, bus, knownSecret)
	h.Log = slog.New(slog.NewJSONHandler(&out, nil))
	deliver(t, h, event("Approved", noon), webhookSecret)
	if !strings.Contains(out.String(), `"code":"ignored"`) || strings.Contains(out.String(), "published") || len(bus.Published()) != 0 {
		t.Errorf("got log %s, %d events, want it ignored", &out, len(bus.Published()))
	}
}

// Ensure that the log says where a delivery was verified with a secret that Didit has replaced, and
// only there.
func TestWebhook_previousSecret(t *testing.T) {
	t.Parallel()
	for header, says := range map[string]bool{"X-Signature": false, "X-Signature-Previous": true} {
		var out strings.Builder
		h := newWebhook(records(t, "Not Started"), new(memory.Bus), knownSecret)
		h.Log = slog.New(slog.NewJSONHandler(&out, nil))
		body := event("Approved", noon)
		r := httptest.NewRequest(http.MethodPost, "/webhooks/didit", strings.NewReader(body))
		mac := hmac.New(sha256.New, []byte(webhookSecret))
		mac.Write([]byte(body))
		r.Header.Set(header, hex.EncodeToString(mac.Sum(nil)))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := strings.Contains(out.String(), `"signature":"previous"`); w.Code != 200 || got != says || !strings.Contains(out.String(), `"outcome":"ok"`) {
			t.Errorf("%s: got %d and %s, want 200 and a line that says so: %t", header, w.Code, &out, says)
		}
	}
}
