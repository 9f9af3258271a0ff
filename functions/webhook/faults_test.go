package main

import (
	"maps"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/functiontest"
	"didit-sessions/internal/lambdatest"
)

// Ensure that trouble on our side is a 5xx, which makes Didit deliver again, that nothing is published
// then, and that the repetition is taken as soon as the trouble is over.
func TestFaults(t *testing.T) {
	t.Parallel()
	const unavailable, internal = "backend_unavailable", "internal"
	type arrange = func(*functiontest.World)
	table := func(f lambdatest.Fault) arrange {
		return func(w *functiontest.World) { w.Table.Fail(f, lambdatest.UntilCleared) }
	}
	bus := func(f lambdatest.Fault) arrange {
		return func(w *functiontest.World) { w.Bus.Fail(f, lambdatest.UntilCleared) }
	}
	secret := func(f lambdatest.Fault) arrange {
		return func(w *functiontest.World) { w.Secrets.Fail(f, lambdatest.UntilCleared) }
	}
	text := func(text string) arrange {
		return func(w *functiontest.World) { w.Secrets.Set(functiontest.WebhookSecretID, text) }
	}
	for _, test := range []struct {
		name    string
		arrange arrange
		status  int
		code    string
		reason  string
	}{
		{"secret throttled", secret(lambdatest.Throttled), 503, unavailable, "throttles"},
		{"secret in trouble", secret(lambdatest.InternalError), 503, unavailable, "trouble"},
		{"secret reset", secret(lambdatest.Reset), 503, unavailable, "out of reach"},
		{"secret denied", secret(lambdatest.AccessDenied), 503, unavailable, "may not read"},
		{"secret missing", secret(lambdatest.NotFound), 503, unavailable, "does not exist"},
		{"secret marked for deletion", secret(lambdatest.MarkedForDeletion), 503, unavailable, "deletion"},
		{"secret not to be decrypted", secret(lambdatest.DecryptionFailure), 503, unavailable, "KMS"},
		{"secret empty", text(" "), 503, unavailable, "empty"},
		{"secret not JSON", text("PLANTED"), 503, unavailable, "not a JSON object"},
		{"secret of another kind", text(`{"api_key":"PLANTED"}`), 503, unavailable, "webhook_secret"},
		{"secret without a value", text(`{"webhook_secret":""}`), 503, unavailable, "webhook_secret"},
		{"secret too long", text(`{"webhook_secret":"` + strings.Repeat("PLANTED", 200) + `"}`), 503, unavailable, "1024"},
		{"table throttled", table(lambdatest.Throttled), 503, unavailable, "DynamoDB"},
		{"table over its capacity", table(lambdatest.ProvisionedThroughputExceeded), 503, unavailable, "DynamoDB"},
		{"table in trouble", table(lambdatest.InternalError), 503, unavailable, "DynamoDB"},
		{"table reset", table(lambdatest.Reset), 503, unavailable, "out of reach"},
		{"table denied", table(lambdatest.AccessDenied), 500, internal, "may not use"},
		{"table missing", table(lambdatest.NotFound), 500, internal, "does not exist"},
		{"bus throttled", bus(lambdatest.Throttled), 503, unavailable, "EventBridge"},
		{"bus in trouble", bus(lambdatest.InternalError), 503, unavailable, "EventBridge"},
		{"bus reset", bus(lambdatest.Reset), 503, unavailable, "out of reach"},
		{"bus denied", bus(lambdatest.AccessDenied), 500, internal, "may not publish"},
		{"entry failed", bus(lambdatest.EntryFailed), 503, unavailable, "EventBridge"},
		{"entry throttled", bus(lambdatest.EntryThrottled), 503, unavailable, "EventBridge"},
		// No repetition mends it, but the answer must be one that Didit repeats, and an alarm.
		{"entry denied", bus(lambdatest.EntryDenied), 500, internal, "does not take events of this source"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := functiontest.New(t, functiontest.Options{Env: functiontest.OneAttempt})
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
			w.Secrets.Set(functiontest.WebhookSecretID, `{"webhook_secret":"`+functiontest.WebhookSecret+`"}`)
			wantAnswer(t, w.HTTP(t, approved(t)), 200, "")
			if len(w.Bus.Events()) != 1 {
				t.Errorf("after the repair: %d events were published, want 1", len(w.Bus.Events()))
			}
			// What is cached serves while Secrets Manager is down.
			w.Secrets.Fail(lambdatest.InternalError, lambdatest.UntilCleared)
			wantAnswer(t, w.HTTP(t, approved(t)), 200, "")
		})
	}
}

// Ensure that one hitch of a service is made up for by the AWS SDK's own retry, and that one which does not
// answer is given up by the function's own limits: its time-out is far away. How long they are is
// tested where they are set.
func TestFaults_attempts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		arrange func(*functiontest.World)
		status  int
		code    string
	}{
		{"secret once", func(w *functiontest.World) { w.Secrets.FailStage("AWSCURRENT", lambdatest.InternalError, 1) }, 200, ""},
		{"table once", func(w *functiontest.World) { w.Table.Fail(lambdatest.InternalError, 1) }, 200, ""},
		{"bus once", func(w *functiontest.World) { w.Bus.Fail(lambdatest.Reset, 1) }, 200, ""},
		{"secret silent", func(w *functiontest.World) { w.Secrets.Fail(lambdatest.Silence, lambdatest.UntilCleared) }, 503, "backend_unavailable"},
		{"table silent", func(w *functiontest.World) { w.Table.Fail(lambdatest.Silence, lambdatest.UntilCleared) }, 503, "backend_unavailable"},
		{"bus silent", func(w *functiontest.World) { w.Bus.Fail(lambdatest.Silence, lambdatest.UntilCleared) }, 503, "backend_unavailable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := functiontest.New(t, functiontest.Options{})
			test.arrange(w)
			wantAnswer(t, w.HTTP(t, approved(t)), test.status, test.code)
		})
	}
}

const (
	// forcedEvery is how long after a forced read of the secret the next one may follow.
	forcedEvery = 10 * time.Second
	// rounds are how often a story is played that the machine was too busy to play in time.
	rounds = 5
)

func stored(secret string) string { return `{"webhook_secret":"` + secret + `"}` }

// Ensure that a rotation loses nothing: whichever of the two secrets a delivery is signed with, in whichever order
// things happen, and that the old one is good for 24 hours.
func TestRotation(t *testing.T) {
	t.Parallel()
	body := fresh(t, "http-approved")
	signedBy := func(secret string) []byte { return deliver(t, signed(body, secret), body) }
	day := 24 * time.Hour

	for round := 1; ; round++ {
		w := functiontest.New(t, functiontest.Options{})
		wantAnswer(t, w.HTTP(t, signedBy(functiontest.WebhookSecret)), 200, "")
		w.Secrets.Set(functiontest.WebhookSecretID, stored("new"))
		wantAnswer(t, w.HTTP(t, signedBy(functiontest.WebhookSecret)), 200, "")
		begin := time.Now()
		wantAnswer(t, w.HTTP(t, signedBy("new")), 200, "") // by the one forced read
		old := w.HTTP(t, signedBy(functiontest.WebhookSecret))
		if old.Status == 404 && round < rounds {
			continue // the previous version came too long after the current one
		}
		wantAnswer(t, old, 200, "")
		w.Secrets.Set(functiontest.WebhookSecretID, stored("newest"))
		newest := w.HTTP(t, signedBy("newest"))
		if time.Since(begin) > forcedEvery && round < rounds {
			continue // too late: the next forced read was due
		}
		wantAnswer(t, newest, 404, "signature_mismatch") // Didit repeats it
		if got := w.Secrets.CallsFor(functiontest.WebhookSecretID); got != 4 {
			t.Errorf("the secret was asked for %d times, want 4: two reads of two versions", got)
		}
		break
	}

	for _, test := range []struct {
		name     string
		rotated  time.Duration // ago
		arrange  func(*lambdatest.SecretsManager)
		previous int // status
	}{
		{"just now", 0, nil, 200},
		{"23 hours ago", day - time.Hour, nil, 200},
		{"25 hours ago", day + time.Hour, nil, 404},
		{"previous version denied", 0, func(m *lambdatest.SecretsManager) {
			m.FailStage("AWSPREVIOUS", lambdatest.AccessDenied, lambdatest.UntilCleared)
		}, 404},
		{"previous version silent", 0, func(m *lambdatest.SecretsManager) {
			m.FailStage("AWSPREVIOUS", lambdatest.Silence, lambdatest.UntilCleared)
		}, 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := functiontest.New(t, functiontest.Options{Env: maps.Clone(functiontest.OneAttempt)})
			w.Secrets.SetAt(functiontest.WebhookSecretID, stored("old"), time.Now().Add(-test.rotated-day))
			w.Secrets.SetAt(functiontest.WebhookSecretID, stored("new"), time.Now().Add(-test.rotated))
			if test.arrange != nil {
				test.arrange(w.Secrets)
			}
			wantAnswer(t, w.HTTP(t, signedBy("new")), 200, "")
			if a := w.HTTP(t, signedBy("old")); a.Status != test.previous {
				t.Errorf("signed with the previous secret: got %d %s, want %d", a.Status, a.Body, test.previous)
			}
			wantAnswer(t, w.HTTP(t, signedBy(functiontest.WebhookSecret)), 404, "signature_mismatch")
		})
	}
}
