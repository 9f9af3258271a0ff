package main

import (
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestRun_usage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"help":          {[]string{"-h"}, exitMeasured, "-svg"},
		"unknown flag":  {[]string{"-x"}, exitUsage, "-x"},
		"argument":      {[]string{"createsession"}, exitUsage, `unexpected argument "createsession"`},
		"negative runs": {[]string{"-runs", "-1"}, exitUsage, `"-1" for flag -runs`},
		"no number":     {[]string{"-runs", "many"}, exitUsage, "-runs"},
		"no function":   {[]string{"-function", "webhook,createsessions"}, exitUsage, `no function "createsessions"; there are createsession, `},
	} {
		var stdout, stderr strings.Builder
		if code := run(t.Context(), tt.args, &stdout, &stderr); code != tt.code || !strings.Contains(stderr.String(), tt.want) || stdout.Len() > 0 {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want %d and %q", name, code, &stdout, &stderr, tt.code, tt.want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	withRuns := func(p plan, runs int) plan {
		p.runs = runs
		return p
	}
	for _, tt := range []struct {
		args []string
		want options
	}{
		{nil, options{plan: full, functions: functions}},
		{[]string{"-short"}, options{plan: brief, functions: functions}},
		{[]string{"-short", "-runs", "2", "-svg", "x.svg", "-readme", "y.md"}, options{plan: withRuns(brief, 2), functions: functions, svg: "x.svg", readme: "y.md"}},
		{[]string{"-runs", "99"}, options{plan: withRuns(full, 99), functions: functions}},
		{[]string{"-function", "getsession"}, options{plan: full, functions: functions[len(functions)-1:]}},
		{[]string{"-load"}, options{plan: full, functions: functions, load: &fullLoad}},
		{[]string{"-short", "-load"}, options{plan: brief, functions: functions, load: &briefLoad}},
	} {
		got, err := parse(tt.args, io.Discard)
		if err != nil || got.plan != tt.want.plan || got.svg != tt.want.svg || got.readme != tt.want.readme || got.load != tt.want.load || keys(got.functions) != keys(tt.want.functions) {
			t.Errorf("parse(%q) = %+v, %v, want %+v", tt.args, got, err, tt.want)
		}
	}
}

func keys(functions []function) (all string) {
	for _, f := range functions {
		all += f.key
	}
	return all
}

func TestSelectFunctions(t *testing.T) {
	t.Parallel()
	all := []function{{key: "a"}, {key: "b"}, {key: "c"}}
	for wanted, want := range map[string]string{"b": "b", "c,a": "ac", "b,": "", "d": "", ",": "", "": ""} {
		chosen, err := selectFunctions(all, wanted)
		if got := keys(chosen); got != want || (err != nil) != (want == "") {
			t.Errorf("selectFunctions(%q) = %q, %v, want %q", wanted, got, err, want)
		}
	}
	if len(all) != 3 || all[0].key+all[1].key+all[2].key != "abc" {
		t.Errorf("the list itself was changed to %v", all)
	}
}

// Ensure that no function hides another.
func TestFunctions(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, f := range functions {
		if names[f.key] || names[f.name] || strings.Contains(f.key, ",") || strings.ContainsAny(f.name, " /-") {
			t.Errorf("got %s, %s", f.key, f.name)
		}
		names[f.key], names[f.name] = true, true
	}
}

// Ensure that a whole run measures everything.
func TestMeasure(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts real functions")
	}
	t.Parallel()
	// For this processor most is compiled already.
	small := plan{runs: 1, rounds: 1, farCalls: 2, nearCalls: 30, lambdaArch: runtime.GOARCH}
	chosen := slices.Clone(functions)
	for i := range chosen {
		// So many that they share, and so few that none of them meets a limit of the product.
		chosen[i].callers = min(chosen[i].callers, 3)
	}
	var progress strings.Builder
	measured := 0
	err := measure(t.Context(), small, chosen, &progress, func(f function, m *measurement) error {
		measured++
		for _, got := range newFigures(m) {
			// CPU time is counted in steps too large for so few calls, and an unreachable network
			// need not add anything.
			mayBeZero := got.unit == "cpu-us/op" || got.unit == "added-ms"
			if !mayBeZero && (got.n <= 0 || got.function <= 0 || got.hasFloor && got.floor <= 0) {
				t.Errorf("%s: got %+v", f.key, got)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if measured != len(chosen) || !strings.Contains(progress.String(), chosen[0].key+": building") {
		t.Errorf("measured %d functions, progress %q", measured, &progress)
	}
}
