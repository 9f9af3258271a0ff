package didittest

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Ensure a scenario plays itself in a sandbox application, once, and is refused elsewhere.
func TestServer_scenarios(t *testing.T) {
	t.Parallel()
	order := func(scenario string) string {
		return `{"workflow_id":"` + workflow + `","vendor_data":"u","sandbox_scenario":"` + scenario + `"}`
	}
	live := serve(t, &Server{})
	if got := live.create(order("approve")); got.status != 400 || !strings.HasPrefix(got.body, `{"sandbox_scenario":["`) || len(live.Sessions()) != 0 {
		t.Errorf("live: status %d, body %s, %d sessions; want 400 and none", got.status, got.body, len(live.Sessions()))
	}
	for scenario, end := range map[string]string{"approve": "Approved", "decline_minimum_age": "Declined", "review_aml_possible_match": "In Review"} {
		h := newHook(t, 200)
		r := serve(t, &Server{Sandbox: true, WebhookURL: h.URL, ScenarioPause: time.Nanosecond})
		if got := r.created(order(scenario)).Status; got != "Not Started" {
			t.Errorf("%s: created as %s", scenario, got)
		}
		r.settle()
		if got, want := h.statuses(t), []string{"Not Started", "In Progress", end}; !slices.Equal(got, want) {
			t.Errorf("%s: delivered %q, want %q", scenario, got, want)
		}
		if body := h.got()[0].body; !strings.Contains(body, `"environment":"sandbox"`) {
			t.Errorf("%s: delivered %s, want that it is a sandbox", scenario, body)
		}
	}
	r := serve(t, &Server{Sandbox: true})
	if got := r.create(order("win")); got.status != 400 || got.body != `{"sandbox_scenario":["\"win\" is not a valid choice."]}` {
		t.Errorf("unknown: status %d, body %s", got.status, got.body)
	}
}

// Ensure a caller has two seconds to record a session before its scenario begins.
func TestServer_scenarioPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Sandbox: true}
		defer s.Close()
		unlock := s.lock()
		v := &session{order: order{workflowID: workflow, scenario: new("approve")}}
		s.sessions.add(v)
		s.play(v)
		unlock()
		for _, want := range []struct {
			after  time.Duration
			status string
		}{{2*time.Second - 1, notStarted}, {1, inProgress}, {2*time.Second - 1, inProgress}, {1, "Approved"}} {
			time.Sleep(want.after)
			synctest.Wait()
			if got := s.Sessions()[0].Status; got != want.status {
				t.Errorf("%v later: %s, want %s", want.after, got, want.status)
			}
		}
	})
}
