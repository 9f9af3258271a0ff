package memory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"didit-sessions/internal/verification"
	"didit-sessions/internal/verification/verificationtest"
)

func TestTasks(t *testing.T) {
	t.Parallel()
	verificationtest.TestTasks(t, func(*testing.T) (verification.Tasks, verificationtest.Waiting) {
		tasks := &Tasks{}
		return tasks, verificationtest.Waiting{Open: tasks.Open, Outcome: func(token string) (verificationtest.TaskOutcome, bool) {
			outcome, ended := tasks.Outcome(token)
			return verificationtest.TaskOutcome(outcome), ended
		}}
	})
}

func TestTasks_Wait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tasks := &Tasks{}
		outcomes := make(chan Outcome, 2)
		for range 2 {
			go func() {
				outcome, err := tasks.Wait(t.Context(), "token")
				if err != nil {
					t.Errorf("Wait: got error %v, want none", err)
				}
				outcomes <- outcome
			}()
		}
		synctest.Wait()
		if _, ended := tasks.Outcome("token"); ended || len(outcomes) > 0 {
			t.Error("the task ended before anybody completed it")
		}
		if err := tasks.Fail(t.Context(), "token", "SessionExpired", "Too late."); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := <-outcomes; got != (Outcome{Failed: true, Name: "SessionExpired", Cause: "Too late."}) {
				t.Errorf("got %+v, want the failure", got)
			}
		}
		tasks.Open("token")
		if _, err := tasks.Wait(t.Context(), "token"); err != nil {
			t.Errorf("Wait for a task that has ended: got error %v, want none", err)
		}
	})
}

func TestTasks_Wait_over(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tasks := &Tasks{}
	if _, err := tasks.Wait(ctx, "token"); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want the context's", err)
	}
}

// Ensure that an outcome prints without its output, which names the end user.
func TestOutcome_redaction(t *testing.T) {
	t.Parallel()
	for _, o := range []Outcome{{Output: "PLANTED"}, {Failed: true, Name: "SessionExpired", Cause: "PLANTED"}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if got := fmt.Sprintf(verb, o); strings.Contains(got, "PLANTED") || !strings.Contains(got, "ed") {
				t.Errorf("%s: got %s, want how the task ended alone", verb, got)
			}
		}
	}
}
