package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// newOps returns a run without a terminal, with the variables; what it says goes to the builder.
func newOps(variables map[string]string) (*ops, *strings.Builder) {
	var out strings.Builder
	c := &console{timing: unhurried, in: strings.NewReader(""), out: &out, err: &out, getenv: func(name string) string { return variables[name] }}
	return &ops{console: c, flags: map[string]string{}}, &out
}

func upper(_ context.Context, answer string) (string, error) {
	if answer == "wrong" {
		return "", errors.New("that is wrong")
	}
	return strings.ToUpper(answer), nil
}

// Ensure that an answer comes from the flag, else the variable, else the fallback, and that all
// missing and wrong ones are listed at once.
func TestOps_ask(t *testing.T) {
	t.Parallel()
	q := &question{flag: "name", variable: "NAME", usage: "the name", check: upper}
	for _, test := range []struct {
		name, flag, variable string
		q                    question
		want, missing        string
	}{
		{name: "flag", flag: " a\n", variable: "b", q: *q, want: "A"},
		{name: "variable", variable: "b\r\n", q: *q, want: "B"},
		{name: "missing", q: *q, missing: "NAME is missing (-name): the name"},
		{name: "wrong", variable: "wrong", q: *q, missing: "NAME: that is wrong"},
		{name: "two lines", flag: "a\nb", q: *q, missing: "-name: the answer holds a line break or another control character; paste one line"},
		{name: "blank", flag: " ", q: *q, missing: "-name: an answer is needed"},
		{name: "long", flag: strings.Repeat("a", maxAnswer+1), q: *q, missing: "-name: the answer is longer than 65536 bytes"},
		{name: "fallback", q: question{flag: "name", fallback: "c"}, want: "c"},
		{name: "optional", flag: "", q: question{flag: "name", optional: true}},
		{name: "hidden", q: question{flag: "key", variable: "KEY", usage: "the key", secret: true}, missing: "KEY is missing (-key-stdin): the key"},
	} {
		o, _ := newOps(map[string]string{"NAME": test.variable})
		if test.flag != "" {
			o.flags["name"] = test.flag
		}
		got, err := o.ask(t.Context(), &test.q)
		if err != nil || got != test.want {
			t.Errorf("%s: got %q, %v, want %q", test.name, got, err, test.want)
		}
		var missing string
		if err := o.complete(); err != nil {
			missing = err.Error()
			if !isBlind(err) {
				t.Errorf("%s: the error does not end with status 2", test.name)
			}
		}
		if missing != test.missing {
			t.Errorf("%s: got the error %q, want %q", test.name, missing, test.missing)
		}
	}
}

func TestOps_complete_lists(t *testing.T) {
	t.Parallel()
	o, _ := newOps(nil)
	for _, name := range []string{"a", "b"} {
		if _, err := o.ask(t.Context(), &question{flag: name, variable: strings.ToUpper(name), usage: "letter " + name}); err != nil {
			t.Fatal(err)
		}
	}
	const want = "2 answers are missing or wrong:\n  A is missing (-a): letter a\n  B is missing (-b): letter b"
	if err := o.complete(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestOps_choose(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]int{"1": 0, "2": 1, "second": 1, "3": -1, "x": -1} {
		o, _ := newOps(map[string]string{"PICK": answer})
		got, err := o.choose(t.Context(), &question{flag: "pick", variable: "PICK"}, []string{"first", "second"})
		if err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", answer, got, err, want)
		}
		if (o.complete() != nil) != (want < 0) {
			t.Errorf("%q: complete returns %v", answer, o.complete())
		}
	}
}

// Ensure that a step that takes longer than two seconds shows that it goes on, and a short one
// nothing.
func TestConsole_step(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, out := newOps(nil)
		o.timing = timing{}
		work := func(d time.Duration) func(context.Context) error {
			return func(context.Context) error { time.Sleep(d); return nil }
		}
		if err := o.step(t.Context(), "Short", work(time.Second)); err != nil || out.String() != "" {
			t.Errorf("short: got %q, %v", out, err)
		}
		if err := o.step(t.Context(), "Long", work(time.Minute)); err != nil {
			t.Error(err)
		}
		if want := "Long 2.0 s …\nLong 32 s …\nLong 1 min 0 s.\n"; out.String() != want {
			t.Errorf("long: got %q, want %q", out, want)
		}
	})
}

func TestConsole_printJSON(t *testing.T) {
	t.Parallel()
	o, out := newOps(nil)
	if err := o.printJSON(map[string]string{"a": "<b>"}); err != nil || out.String() != "{\n  \"a\": \"<b>\"\n}\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestConsole_report(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want int
		text string
	}{
		{nil, exitWell, ""},
		{errors.New("it is red"), exitWrong, "it is red\n"},
		{blind(errors.New("the network is down")), exitBlind, "the network is down\n"},
		{errSilent, exitWrong, ""},
	} {
		o, out := newOps(nil)
		if got := o.report(t.Context(), test.err); got != test.want || out.String() != test.text {
			t.Errorf("%v: got status %d and %q, want %d and %q", test.err, got, out, test.want, test.text)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o, out := newOps(nil)
	if got := o.report(ctx, ctx.Err()); got != exitBlind || !strings.HasPrefix(out.String(), "Interrupted.") {
		t.Errorf("interrupted: got status %d and %q", got, out)
	}
}

func TestOps_quietly(t *testing.T) {
	t.Parallel()
	o, out := newOps(nil)
	if err := o.quietly(o.child(t.Context(), "sh", "-c", "echo well")); err != nil || out.String() != "" {
		t.Errorf("got %q, %v", out, err)
	}
	if err := o.quietly(o.child(t.Context(), "sh", "-c", "echo why; exit 3")); err == nil || out.String() != "why\n" {
		t.Errorf("got %q, %v, want the output and an error", out, err)
	}
}

// Ensure that functions/README.md has every answer of these commands with its flag, variable and
// parameter.
func TestQuestions_documented(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../../functions/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []*verb{deployVerb, sessionVerb, destroyVerb} {
		for _, q := range v.questions {
			row := "| `" + q.flagName() + "` | `" + q.variable + "` | "
			if q.parameter != "" {
				row += "`" + q.parameter + "` |"
			}
			if !strings.Contains(string(readme), row) {
				t.Errorf("%s: functions/README.md lacks %s", v.name, row)
			}
		}
	}
}
