package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

// series are the values that CloudWatch makes of lines of the embedded metric format, by namespace,
// name and dimensions.
func series(t *testing.T, lines string) map[string]float64 {
	t.Helper()
	got := map[string]float64{}
	for line := range strings.SplitSeq(strings.TrimSuffix(lines, "\n"), "\n") {
		if line == "" {
			continue
		}
		var values map[string]any
		var envelope struct {
			Metadata metadata `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(line), &values); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if err := json.Unmarshal([]byte(line), &envelope); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if age := time.Since(time.UnixMilli(envelope.Metadata.Timestamp)); age < 0 || age > time.Hour {
			t.Errorf("%s: is %v old", line, age)
		}
		for _, d := range envelope.Metadata.CloudWatchMetrics {
			for _, dimensions := range d.Dimensions {
				for _, m := range d.Metrics {
					name := d.Namespace + " " + m.Name
					for _, dimension := range dimensions {
						name += fmt.Sprintf(" %s=%v", dimension, values[dimension])
					}
					value, ok := values[m.Name].(float64)
					if !ok {
						t.Errorf("%s: no number %s", line, m.Name)
					}
					got[name] += value
				}
			}
		}
	}
	return got
}

// Ensure that a call makes these series and no others, whatever its code, and that one that had
// nothing to do makes none.
func TestMetrics(t *testing.T) {
	t.Parallel()
	const latency = "n Latency operation=op"
	for name, test := range map[string]struct {
		err  error
		want []string
	}{
		"ok":              {nil, []string{"n Calls operation=op outcome=ok", latency}},
		"a caller's":      {&verification.Error{Code: verification.CodeNotFound}, []string{"n Calls operation=op outcome=caller", latency}},
		"another code":    {&verification.Error{Code: verification.CodeUserBlocked}, []string{"n Calls operation=op outcome=caller", latency}},
		"an operator's":   {&verification.Error{Code: verification.CodePlanRequired}, []string{"n Calls operation=op outcome=operator", "n Calls outcome=operator", latency}},
		"an upstream's":   {&verification.Error{Code: verification.CodeThrottled}, []string{"n Calls operation=op outcome=upstream", latency}},
		"a stale webhook": {&verification.Error{Code: codeStale}, []string{"n Calls operation=op outcome=operator", "n Calls outcome=operator", latency}},
	} {
		var out strings.Builder
		o := &Operation{Name: "op", Log: slog.New(slog.DiscardHandler), Do: func(context.Context, []byte) (any, []slog.Attr, error) { return struct{}{}, nil, test.err }}
		_, _ = o.Invoke(WithMetrics(t.Context(), Metrics{"n", &out}), nil)
		got := series(t, out.String())
		if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, slices.Sorted(slices.Values(test.want))) {
			t.Errorf("%s: got %v, want %q", name, got, test.want)
		}
		if calls := got[test.want[0]]; calls != 1 {
			t.Errorf("%s: got %v calls, want 1", name, calls)
		}
		if strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%s: got %q, want one line", name, out.String())
		}
	}
}

// Ensure that a run of reconcile writes its gauges, and nothing at all if nothing was due.
func TestMetrics_reconcile(t *testing.T) {
	t.Parallel()
	run := func(s *tracker) map[string]float64 {
		var out strings.Builder
		o := Reconcile(s)
		o.Log = slog.New(slog.DiscardHandler)
		_, _ = o.Invoke(WithMetrics(t.Context(), Metrics{"n", &out}), nil)
		return series(t, out.String())
	}
	if got := run(&tracker{}); len(got) != 0 {
		t.Errorf("nothing was due: got %v, want no metric", got)
	}
	got := run(&tracker{sum: verification.Reconciled{Due: 1, OldestOverdue: 90 * time.Second, OldestTask: 48 * time.Hour}})
	if got["n OldestOverdue"] != 90 || got["n OldestTask"] != 48*3600 || got["n Calls operation=reconcile outcome=ok"] != 1 {
		t.Errorf("got %v, want 90 and 172800 seconds of a run", got)
	}
	if got := run(&tracker{err: verification.NewError(verification.CodeCredentialsRejected, "")}); got["n Calls outcome=operator"] != 1 {
		t.Errorf("a run that failed before it looked at anything: got %v, want it counted", got)
	}
}

// Ensure that calls without metrics in their context, as in a program of ours, write none.
func TestMetrics_none(t *testing.T) {
	t.Parallel()
	if _, name, _ := serve(t, Reconcile(&tracker{sum: verification.Reconciled{Due: 1}}), `{}`); name != "" {
		t.Errorf("got %q", name)
	}
}
