package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/verification"
)

const eraseArn = "arn:aws:lambda:eu-west-1:123456789012:function:erase:live"

// newErasing is an account with eraseuser; what the command says goes to the builder.
func newErasing(t *testing.T, variables map[string]string, function fakeFunction) (*ops, *strings.Builder) {
	t.Helper()
	a := newAccount(t)
	for name, value := range a.environment() {
		t.Setenv(name, value)
	}
	a.functions[eraseArn] = function
	a.stacks["didit-sessions"] = &fakeStack{
		status: "CREATE_COMPLETE", outputs: map[string]string{"EraseUserFunctionArn": eraseArn}, parameters: map[string]string{"LogRetentionDays": "7"}}
	o, _ := openFake(t, a)
	out := new(strings.Builder)
	o.out, o.err, o.verb, o.every = out, out, eraseVerb, time.Millisecond
	o.getenv = func(name string) string { return variables[name] }
	return o, out
}

// Ensure that a user is forgotten by the function as it ships, and that the operator reads what is
// done and what remains.
func TestErase(t *testing.T) {
	s, err := stage.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	const user = "user <&> \"123\" é"
	started, err := s.Didit.StartSession(stage.Workflow, user)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Store.Add(t.Context(), verification.NewRecord(started.ID, user, stage.Workflow, "Approved", time.Now())); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "eraseuser")
	if err := lambdatest.Build(t.Context(), "./functions/eraseuser", binary); err != nil {
		t.Fatal(err)
	}
	o, out := newErasing(t, map[string]string{"USER_ID": user, "CONFIRM": user}, runBinary(binary, s.Environment()))
	if err := erase(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"AWS account …9012 in eu-west-1, stack didit-sessions\n", "Sign the user out first", "Didit's delete of a session is a soft one", "Sessions found: 1, gone from Didit: 1. The user is gone from Didit: true.",
		"backups of the table         the records as they were, 35 days", "not the user's id, 7 days",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	if left, _ := s.Didit.Session(started.ID); !left.Deleted || len(s.Didit.Users()) > 0 {
		t.Error("Didit still has the user")
	}
	if strings.Contains(out.String(), user) {
		t.Errorf("the id is printed:\n%s", out)
	}
}

// Ensure that the function is called until nothing is left, that a failure says what it is and that
// the command continues, and that nothing is done without the id twice.
func TestErase_calls(t *testing.T) {
	const throttled = `{"errorType":"Throttled","errorMessage":"Throttled"}`
	for name, test := range map[string]struct {
		variables map[string]string
		answers   []string // each but the last is an error
		log       string
		want      string // of the error; empty: none
		calls     int
	}{
		"several calls":       {map[string]string{"USER_ID": "u", "CONFIRM": "u"}, []string{throttled, throttled, `{"sessions":2500,"deleted":2500,"user_deleted":true}`}, "", "", 3},
		"Didit is down":       {map[string]string{"USER_ID": "u", "CONFIRM": "u"}, []string{`{"errorType":"DiditUnavailable","errorMessage":"x"}`, ""}, `{"level":"WARN","operation":"erase_user","reason":"didit: delete_session: didit_unavailable"}`, "the user is not forgotten yet: DiditUnavailable: didit: delete_session: didit_unavailable; fix that", 1},
		"another answer":      {map[string]string{"USER_ID": "u", "CONFIRM": "u"}, []string{`[]`}, "", "cannot be read", 1},
		"another id":          {map[string]string{"USER_ID": "u", "CONFIRM": "U"}, []string{`{}`}, "", "CONFIRM: that is another id than the first one", 0},
		"not confirmed":       {map[string]string{"USER_ID": "u"}, []string{`{}`}, "", "CONFIRM is missing (-confirm)", 0},
		"no id":               {nil, []string{`{}`}, "", "USER_ID is missing (-user)", 0},
		"throttled for hours": {map[string]string{"USER_ID": "u", "CONFIRM": "u"}, append(repeatText(throttled, maxEraseCalls), ""), "", "the user is not forgotten yet: Throttled", maxEraseCalls},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			o, out := newErasing(t, test.variables, func(payload []byte) ([]byte, string, string) {
				var in map[string]string
				if json.Unmarshal(payload, &in) != nil || len(in) != 1 || in["vendor_data"] != "u" {
					t.Errorf("got the payload %s", payload)
				}
				answer := test.answers[calls]
				if calls++; calls < len(test.answers) {
					return []byte(answer), "Unhandled", test.log
				}
				return []byte(answer), "", ""
			})
			err := erase(t.Context(), o)
			if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) || calls != test.calls {
				t.Errorf("got error %v after %d calls, want %q after %d\n%s", err, calls, test.want, test.calls, out)
			}
		})
	}
}

func repeatText(text string, n int) (all []string) {
	for range n {
		all = append(all, text)
	}
	return all
}
