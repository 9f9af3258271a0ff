package didit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"testing"
	"time"
)

// Ensure that a delivery tells when Didit has a newer secret than the one it was verified with, and
// that a secret that was stored meanwhile is noticed first.
func TestVerifier_previousSecret(t *testing.T) {
	t.Parallel()
	body := []byte(`{"webhook_type":"user.status.updated","event_id":"e"}`)
	noon := func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }
	broken := errors.New("out of reach")
	for _, test := range []struct {
		name     string
		kept     WebhookSecrets
		stored   WebhookSecrets // read if the first ones do not fit
		err      error
		previous bool
	}{
		{"the new secret is stored", WebhookSecrets{Current: "new"}, WebhookSecrets{Current: "new"}, nil, false},
		{"the new one is stored, the old one kept", WebhookSecrets{Current: "new", Previous: "old"}, WebhookSecrets{}, nil, false},
		{"the new one was stored before Didit changed to it", WebhookSecrets{Current: "newer", Previous: "new", PreviousUntil: noon().AddDate(1, 0, 0)},
			WebhookSecrets{Current: "newer", Previous: "new", PreviousUntil: noon().AddDate(1, 0, 0)}, nil, false},
		{"the old secret is stored", WebhookSecrets{Current: "old"}, WebhookSecrets{Current: "old"}, nil, true},
		{"the new one was stored meanwhile", WebhookSecrets{Current: "old"}, WebhookSecrets{Current: "new"}, nil, false},
		{"another one was stored meanwhile", WebhookSecrets{Current: "old"}, WebhookSecrets{Current: "other"}, nil, true},
		{"the secret cannot be read again", WebhookSecrets{Current: "old"}, WebhookSecrets{}, broken, true},
	} {
		for _, form := range []string{"X-Signature", "X-Signature-V2"} {
			header := http.Header{}
			for suffix, secret := range map[string]string{"": "new", "-Previous": "old"} {
				plain, v2, err := SignWebhook(body, secret)
				if err != nil {
					t.Fatal(err)
				}
				header.Set(form+suffix, map[string]string{"X-Signature": plain, "X-Signature-V2": v2}[form])
			}
			reads := 0
			cache := &WebhookSecretCache{Now: noon, Read: func(context.Context) (WebhookSecrets, error) {
				if reads++; reads == 1 {
					return test.kept, nil
				}
				return test.stored, test.err
			}}
			v := &Verifier{Secrets: cache, Now: noon}
			e, err := v.Verify(t.Context(), header, body)
			if err != nil || e.ID != "e" || e.PreviousSecret != test.previous {
				t.Errorf("%s, %s: got %q, previous %t, error %v, want e, %t", test.name, form, e.ID, e.PreviousSecret, err, test.previous)
			}
		}
	}
}

// Ensure that no stranger can sign with an empty secret while a previous one would be accepted.
func TestVerifier_noPreviousSecret(t *testing.T) {
	t.Parallel()
	body := []byte(`{"webhook_type":"user.status.updated","event_id":"e"}`)
	noon := func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }
	sum := hmac.New(sha256.New, nil)
	_, _ = sum.Write(body)
	for _, name := range []string{"X-Signature", "X-Signature-Previous"} {
		cache := &WebhookSecretCache{Now: noon, Read: func(context.Context) (WebhookSecrets, error) {
			return WebhookSecrets{Current: "current", PreviousUntil: noon().Add(time.Hour)}, nil
		}}
		header := http.Header{}
		header.Set(name, hex.EncodeToString(sum.Sum(nil)))
		_, err := (&Verifier{Secrets: cache, Now: noon}).Verify(t.Context(), header, body)
		if e, ok := errors.AsType[*WebhookError](err); !ok || e.Kind != WebhookMismatch {
			t.Errorf("%s: got %v, want %s", name, err, WebhookMismatch)
		}
	}
}
