package didittest

import (
	"strings"
	"testing"
	"time"
)

// Ensure that after a rotation both secrets sign for a day, and that a secret that was replaced
// otherwise signs nothing.
func TestServer_RotateWebhookSecret(t *testing.T) {
	t.Parallel()
	h := newHook(t, 200)
	now := newClock()
	r := serve(t, &Server{WebhookURL: h.URL, WebhookSecret: "first", Now: now.Now})
	r.created(userOrder)
	r.settle()
	id := r.Deliveries()[0].EventID
	rotate := func(secret string) {
		t.Helper()
		if got := r.control("POST", "/simulator/webhook/rotation", `{"secret":"`+secret+`"}`); got.status != 200 || strings.Contains(got.body, secret) {
			t.Errorf("status %d, body %s, want 200 without the secret", got.status, got.body)
		}
	}
	// want checks who signed the latest delivery, "" for nothing.
	want := func(when, current, previous string) {
		t.Helper()
		if _, err := r.Resend(id); err != nil {
			t.Fatal(err)
		}
		all := h.got()
		last := all[len(all)-1]
		body := decode[struct {
			Session string `json:"session_id"`
			Status  string
			Type    string `json:"webhook_type"`
		}](t, last.body)
		for suffix, secret := range map[string]string{"": current, "-Previous": previous} {
			for name, message := range map[string]string{
				"X-Signature": last.body, "X-Signature-V2": last.body, // ASCII and sorted: the same
				"X-Signature-Simple": strings.Join([]string{last.header.Get("X-Timestamp"), body.Session, body.Status, body.Type}, ":"),
			} {
				made := ""
				if secret != "" {
					made = hexHMAC(secret, message)
				}
				if got := last.header.Get(name + suffix); got != made {
					t.Errorf("%s: %s is %q, want that of %q", when, name+suffix, got, secret)
				}
			}
		}
	}
	want("before", "first", "")
	rotate("second")
	want("at once", "second", "first")
	now.advance(24*time.Hour - time.Second)
	want("for a day", "second", "first")
	now.advance(time.Second)
	want("after a day", "second", "")
	rotate("third")
	rotate("fourth")
	want("after two at once", "fourth", "third")
	r.Misdeliver(SendForged, 1)
	if err := r.SetStatus(r.Sessions()[0].ID, "Expired"); err != nil {
		t.Fatal(err)
	}
	r.settle()
	all := h.got()
	forged := all[len(all)-1]
	for suffix, secret := range map[string]string{"": "fourth", "-Previous": "third"} {
		if got := forged.header.Get("X-Signature" + suffix); got == "" || got == hexHMAC(secret, forged.body) {
			t.Errorf("forged: X-Signature%s is %q, want that of another sender", suffix, got)
		}
	}
	if err := r.SetWebhook("", "fifth", ""); err != nil {
		t.Fatal(err)
	}
	want("after a replacement", "fifth", "")
	for _, body := range []string{`{"secret":""}`, `{}`, `{"secret":7}`, `{"secrets":"x"}`} {
		if got := r.control("POST", "/simulator/webhook/rotation", body); got.status != 400 || !strings.Contains(got.body, "secret") {
			t.Errorf("%s: status %d, body %s, want 400 that names the secret", body, got.status, got.body)
		}
	}
	want("after mistakes", "fifth", "")
}
