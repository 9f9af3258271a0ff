package repotest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"didit-sessions/internal/verification"
)

// Ensure that the state machine matches errors that functions return, and no others.
func TestStateMachine(t *testing.T) {
	t.Parallel()
	checkStateMachine(t, "VerifyIdentity", read(t, "functions/awaitdecision/verifyidentity.asl.json"))
	documented := all("(?s)```json\n(\\{.+?)```", section(t, read(t, reference), "## Put it into your workflow", "\n## "))
	for _, definition := range documented {
		if strings.Contains(definition, "StartAt") {
			checkStateMachine(t, reference, definition)
		}
	}
}

func checkStateMachine(t *testing.T, where, definition string) {
	t.Helper()
	var machine struct {
		States map[string]struct {
			Type         string
			Retry, Catch []struct{ ErrorEquals []string }
		}
	}
	if err := json.Unmarshal([]byte(definition), &machine); err != nil {
		t.Fatal(err)
	}
	known := all("\\| `(\\w+)` \\|", section(t, read(t, reference), "## Errors", "\n### "))
	known = append(known, verification.TaskSessionExpired, verification.TaskSessionAbandoned, verification.TaskSessionNotFound, verification.TaskUserErased)
	caught := map[string]bool{}
	for name, state := range machine.States {
		for _, rule := range append(state.Retry, state.Catch...) {
			for _, e := range rule.ErrorEquals {
				caught[e] = true
				service := strings.HasPrefix(e, "Lambda.") || strings.HasPrefix(e, "States.") || strings.HasPrefix(e, "Sandbox.")
				if !service && !slices.Contains(known, e) {
					t.Errorf("%s: %s matches %s, which no function returns", where, name, e)
				}
			}
		}
		if state.Type == "Task" && (len(state.Retry) != 1 || !slices.Contains(state.Retry[0].ErrorEquals, "BackendUnavailable")) {
			t.Errorf("%s: %s has no Retry", where, name)
		}
	}
	for _, want := range []string{"Throttled", "DiditUnavailable", "DiditTimeout", "BackendUnavailable", "UserBlocked", "SessionExpired", "SessionAbandoned", "SessionNotFound", "UserErased", "States.Timeout"} {
		if !caught[want] {
			t.Errorf("%s: nothing matches %s", where, want)
		}
	}
}
