package didittest

import (
	"slices"
	"strings"
	"testing"
)

// Ensure each quirk does what it says, as often as it says.
func TestServer_Misdeliver(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T, q Quirk, times int) (*rig, *hook, createBody) {
		h := newHook(t, 200)
		now := newClock()
		r := serve(t, &Server{WebhookURL: h.URL, Now: now.Now})
		r.Misdeliver(q, times)
		return r, h, r.created(userOrder)
	}
	move := func(r *rig, v createBody, statuses ...string) {
		t.Helper()
		for _, status := range statuses {
			if err := r.SetStatus(v.SessionID, status); err != nil {
				t.Fatal(err)
			}
		}
		r.settle()
	}
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		r, h, v := start(t, SendTwice, 1)
		move(r, v, "Expired")
		if got := h.statuses(t); !slices.Equal(got, []string{"Not Started", "Not Started", "Expired"}) || h.got()[0].body != h.got()[1].body {
			t.Errorf("delivered %q", got)
		}
	})
	t.Run("late", func(t *testing.T) {
		t.Parallel()
		r, h, v := start(t, SendLate, 1)
		move(r, v, "In Progress", "Expired")
		if got := h.statuses(t); !slices.Equal(got, []string{"In Progress", "Not Started", "Expired"}) {
			t.Errorf("delivered %q", got)
		}
	})
	t.Run("late until cleared", func(t *testing.T) {
		t.Parallel()
		r, h, v := start(t, SendLate, 0)
		move(r, v, "Expired")
		if got := h.statuses(t); len(got) != 0 {
			t.Errorf("delivered %q, want none yet", got)
		}
		r.ClearQuirks()
		move(r, v, "Approved")
		if got := h.statuses(t); !slices.Equal(got, []string{"Not Started", "Expired", "Approved"}) {
			t.Errorf("delivered %q", got)
		}
	})
	t.Run("never", func(t *testing.T) {
		t.Parallel()
		r, h, v := start(t, SendNever, 2)
		move(r, v, "In Progress", "Expired")
		if got := h.statuses(t); !slices.Equal(got, []string{"Expired"}) {
			t.Errorf("delivered %q", got)
		}
		lost := r.Deliveries()[0]
		if lost.Attempt != 0 || lost.Problem != "never sent" || lost.Quirk != SendNever {
			t.Errorf("lost %+v", lost)
		}
		if d, err := r.Resend(lost.EventID); err != nil || d.Status != 200 || d.Quirk != "" {
			t.Errorf("resent %+v, %v", d, err)
		}
		if got := h.statuses(t); !slices.Equal(got, []string{"Expired", "Not Started"}) {
			t.Errorf("delivered %q", got)
		}
	})
	t.Run("wrong signature", func(t *testing.T) {
		t.Parallel()
		r, h, v := start(t, SendForged, 1)
		move(r, v, "Expired")
		for i, w := range h.got() {
			if right := w.header.Get("X-Signature") == hexHMAC(DefaultWebhookSecret, w.body); right != (i == 1) || len(w.header.Get("X-Signature")) != 64 {
				t.Errorf("delivery %d: header %v", i, w.header)
			}
		}
	})
	t.Run("stale", func(t *testing.T) {
		t.Parallel()
		r, h, v := start(t, SendStale, 1)
		move(r, v)
		w := h.got()[0]
		if !strings.Contains(w.body, `"timestamp":1772362800`) || w.header.Get("X-Timestamp") != "1772362800" || w.header.Get("X-Signature") != hexHMAC(DefaultWebhookSecret, w.body) {
			t.Errorf("header %v, body %s", w.header, w.body)
		}
	})
	t.Run("v2 only", func(t *testing.T) {
		t.Parallel()
		r, h, v := start(t, SendReworded, 1)
		move(r, v)
		w := h.got()[0]
		compact := strings.NewReplacer("\n", "", "  ", "", `": `, `":`).Replace(w.body)
		if w.header.Get("X-Signature") == hexHMAC(DefaultWebhookSecret, w.body) || w.header.Get("X-Signature-V2") != hexHMAC(DefaultWebhookSecret, compact) {
			t.Errorf("header %v, body %s", w.header, w.body)
		}
	})
	t.Run("unknown", func(t *testing.T) {
		t.Parallel()
		for _, wrong := range []armedQuirk{{"sideways", 1}, {SendTwice, -1}} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("Misdeliver(%q, %d) did not panic", wrong.Quirk, wrong.Times)
					}
				}()
				(&Server{}).Misdeliver(wrong.Quirk, wrong.Times)
			}()
		}
	})
}
