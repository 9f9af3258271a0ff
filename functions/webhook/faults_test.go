package main

import (
	"maps"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
	fakedynamodb "didit-sessions/internal/awsfake/dynamodb"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

// Ensure that a failure on our side is a 5xx, which makes Didit retry, that nothing is published
// then, and that the retry is accepted once the fault is over.
func TestFaults(t *testing.T) {
	t.Parallel()
	const unavailable, internal = "backend_unavailable", "internal"
	type arrange = func(*stagetest.World)
	table := func(f awsfake.Fault) arrange {
		return func(w *stagetest.World) { w.Table.Fail(f, awsfake.UntilCleared) }
	}
	bus := func(f awsfake.Fault) arrange {
		return func(w *stagetest.World) { w.Bus.Fail(f, awsfake.UntilCleared) }
	}
	secret := func(f awsfake.Fault) arrange {
		return func(w *stagetest.World) { w.Secrets.Fail(f, awsfake.UntilCleared) }
	}
	text := func(text string) arrange {
		return func(w *stagetest.World) { w.Secrets.Set(stage.WebhookSecretID, text) }
	}
	for _, test := range []struct {
		name    string
		arrange arrange
		status  int
		code    string
		reason  string
	}{
		{"secret throttled", secret(awsfake.Throttled), 503, unavailable, "throttles"},
		{"secret fails", secret(awsfake.InternalError), 503, unavailable, "fails or throttles"},
		{"secret reset", secret(awsfake.Reset), 503, unavailable, "out of reach"},
		{"secret denied", secret(awsfake.AccessDenied), 503, unavailable, "may not read"},
		{"secret missing", secret(awsfake.NotFound), 503, unavailable, "does not exist"},
		{"secret marked for deletion", secret(awsfake.MarkedForDeletion), 503, unavailable, "deletion"},
		{"secret not to be decrypted", secret(awsfake.DecryptionFailure), 503, unavailable, "KMS"},
		{"secret empty", text(" "), 503, unavailable, "empty"},
		{"secret not JSON", text("PLANTED"), 503, unavailable, "not a JSON object"},
		{"secret of another kind", text(`{"api_key":"PLANTED"}`), 503, unavailable, "webhook_secret"},
		{"secret without a value", text(`{"webhook_secret":""}`), 503, unavailable, "webhook_secret"},
		{"secret too long", text(`{"webhook_secret":"` + strings.Repeat("PLANTED", 200) + `"}`), 503, unavailable, "1024"},
		{"table throttled", table(awsfake.Throttled), 503, unavailable, "DynamoDB"},
		{"table over its capacity", table(fakedynamodb.ProvisionedThroughputExceeded), 503, unavailable, "DynamoDB"},
		{"table fails", table(awsfake.InternalError), 503, unavailable, "DynamoDB"},
		{"table reset", table(awsfake.Reset), 503, unavailable, "out of reach"},
		{"table denied", table(awsfake.AccessDenied), 500, internal, "may not use"},
		{"table missing", table(awsfake.NotFound), 500, internal, "does not exist"},
		{"bus throttled", bus(awsfake.Throttled), 503, unavailable, "EventBridge"},
		{"bus fails", bus(awsfake.InternalError), 503, unavailable, "EventBridge"},
		{"bus reset", bus(awsfake.Reset), 503, unavailable, "out of reach"},
		{"bus denied", bus(awsfake.AccessDenied), 500, internal, "may not publish"},
		{"entry failed", bus(awsfake.EntryFailed), 503, unavailable, "EventBridge"},
		{"entry throttled", bus(awsfake.EntryThrottled), 503, unavailable, "EventBridge"},
		// No retry fixes it, but the answer must make Didit retry, and raise an alarm.
		{"entry denied", bus(awsfake.EntryDenied), 500, internal, "does not accept this source"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := stagetest.NewUnprepared(t, lambdatest.Options{Env: stagetest.OneAttempt})
			test.arrange(w)
			wantAnswer(t, w.HTTP(t, approved(t)), test.status, test.code)
			logs := string(w.Logs())
			if !strings.Contains(logs, test.reason) || strings.Contains(logs, "PLANTED") {
				t.Errorf("got logs %s, want %q told, and no secret", logs, test.reason)
			}
			if len(w.Bus.Events()) != 0 {
				t.Errorf("%d events were published", len(w.Bus.Events()))
			}
			w.Secrets.ClearFaults()
			w.Table.ClearFaults()
			w.Bus.ClearFaults()
			w.Secrets.Set(stage.WebhookSecretID, `{"webhook_secret":"`+stage.WebhookSecret+`"}`)
			wantAnswer(t, w.HTTP(t, approved(t)), 200, "")
			if len(w.Bus.Events()) != 1 {
				t.Errorf("after the repair: %d events were published, want 1", len(w.Bus.Events()))
			}
			// The cached value is used while Secrets Manager is down.
			w.Secrets.Fail(awsfake.InternalError, awsfake.UntilCleared)
			wantAnswer(t, w.HTTP(t, approved(t)), 200, "")
		})
	}
}

// Ensure that the AWS SDK's own retry recovers from one error of a service, and that the function's
// own limits end a call without an answer long before its timeout. The packages that have the
// limits test how long they are.
func TestFaults_attempts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		arrange func(*stagetest.World)
		status  int
		code    string
	}{
		{"secret once", func(w *stagetest.World) { w.Secrets.FailOnly("AWSCURRENT", awsfake.InternalError, 1) }, 200, ""},
		{"table once", func(w *stagetest.World) { w.Table.Fail(awsfake.InternalError, 1) }, 200, ""},
		{"bus once", func(w *stagetest.World) { w.Bus.Fail(awsfake.Reset, 1) }, 200, ""},
		{"secret silent", func(w *stagetest.World) { w.Secrets.Fail(awsfake.Silence, awsfake.UntilCleared) }, 503, "backend_unavailable"},
		{"table silent", func(w *stagetest.World) { w.Table.Fail(awsfake.Silence, awsfake.UntilCleared) }, 503, "backend_unavailable"},
		{"bus silent", func(w *stagetest.World) { w.Bus.Fail(awsfake.Silence, awsfake.UntilCleared) }, 503, "backend_unavailable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			met := func(a awsfake.HTTPAnswer) bool { return a.Status == 503 && test.status != 503 }
			wantAnswer(t, stagetest.Unhurried(met, func() awsfake.HTTPAnswer {
				w := stagetest.NewUnprepared(t, lambdatest.Options{})
				test.arrange(w)
				return w.HTTP(t, approved(t))
			}), test.status, test.code)
		})
	}
}

const (
	// forcedEvery is how long after a forced read of the secret the next one may follow.
	forcedEvery = 10 * time.Second
	// rounds is how often the test starts again if the machine was too busy for its timing.
	rounds = 5
)

func stored(secret string) string { return `{"webhook_secret":"` + secret + `"}` }

// Ensure that a rotation loses no delivery, whichever secret it is signed with and in whichever
// order things happen, and that the old secret is valid for 24 hours.
func TestRotation(t *testing.T) {
	t.Parallel()
	body := fresh(t, "http-approved")
	signedBy := func(secret string) []byte { return deliver(t, signed(body, secret), body) }
	day := 24 * time.Hour

	for round := 1; ; round++ {
		w := stagetest.NewUnprepared(t, lambdatest.Options{})
		wantAnswer(t, w.HTTP(t, signedBy(stage.WebhookSecret)), 200, "")
		w.Secrets.Set(stage.WebhookSecretID, stored("new"))
		wantAnswer(t, w.HTTP(t, signedBy(stage.WebhookSecret)), 200, "")
		begin := time.Now()
		wantAnswer(t, w.HTTP(t, signedBy("new")), 200, "") // by the one forced read
		old := w.HTTP(t, signedBy(stage.WebhookSecret))
		if old.Status == 404 && round < rounds {
			continue // the previous version came too long after the current one
		}
		wantAnswer(t, old, 200, "")
		w.Secrets.Set(stage.WebhookSecretID, stored("newest"))
		newest := w.HTTP(t, signedBy("newest"))
		if time.Since(begin) > forcedEvery && round < rounds {
			continue // too late: the next forced read was due
		}
		wantAnswer(t, newest, 404, "signature_mismatch") // Didit repeats it
		if got := w.Secrets.Calls(""); got != 4 {
			t.Errorf("the secret was asked for %d times, want 4: two reads of two versions", got)
		}
		break
	}

	for _, test := range []struct {
		name     string
		rotated  time.Duration // ago
		arrange  func(*awsfake.SecretsManager)
		previous int // status
	}{
		{"just now", 0, nil, 200},
		{"23 hours ago", day - time.Hour, nil, 200},
		{"25 hours ago", day + time.Hour, nil, 404},
		{"previous version denied", 0, func(m *awsfake.SecretsManager) {
			m.FailOnly("AWSPREVIOUS", awsfake.AccessDenied, awsfake.UntilCleared)
		}, 404},
		{"previous version silent", 0, func(m *awsfake.SecretsManager) {
			m.FailOnly("AWSPREVIOUS", awsfake.Silence, awsfake.UntilCleared)
		}, 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := stagetest.NewUnprepared(t, lambdatest.Options{Env: maps.Clone(stagetest.OneAttempt)})
			w.Secrets.SetAt(stage.WebhookSecretID, stored("old"), time.Now().Add(-test.rotated-day))
			w.Secrets.SetAt(stage.WebhookSecretID, stored("new"), time.Now().Add(-test.rotated))
			if test.arrange != nil {
				test.arrange(w.Secrets)
			}
			wantAnswer(t, w.HTTP(t, signedBy("new")), 200, "")
			if a := w.HTTP(t, signedBy("old")); a.Status != test.previous {
				t.Errorf("signed with the previous secret: got %d %s, want %d", a.Status, a.Body, test.previous)
			}
			wantAnswer(t, w.HTTP(t, signedBy(stage.WebhookSecret)), 404, "signature_mismatch")
		})
	}
}
