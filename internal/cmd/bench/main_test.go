package main

import (
	"encoding/json"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
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
		"negative runs": {[]string{"-runs", "-1"}, exitUsage, "-runs is -1"},
		"no number":     {[]string{"-runs", "many"}, exitUsage, "-runs"},
		"no function":   {[]string{"-function", "webhook,createsessions"}, exitUsage, `no function "createsessions"; there are createsession, `},
		"two forms":     {[]string{"-cost", "-svg", "x.svg"}, exitUsage, "-cost draws no picture"},
	} {
		var stdout, stderr strings.Builder
		if code := run(t.Context(), tt.args, &stdout, &stderr); code != tt.code || !strings.Contains(stderr.String(), tt.want) || stdout.Len() > 0 {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want %d and %q", name, code, &stdout, &stderr, tt.code, tt.want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want options
	}{
		{nil, options{plan: full}},
		{[]string{"-short"}, options{plan: brief}},
		{[]string{"-short", "-runs", "2", "-json", "-svg", "x.svg"}, options{plan: brief.withRuns(2), json: true, svg: "x.svg"}},
		{[]string{"-runs", "99"}, options{plan: full.withRuns(99)}},
		{[]string{"-cost", "-function", "webhook"}, options{plan: full, cost: true, function: "webhook"}},
	} {
		if got, err := parse(tt.args, io.Discard); err != nil || got != tt.want {
			t.Errorf("parse(%q) = %+v, %v, want %+v", tt.args, got, err, tt.want)
		}
	}
}

func TestSelected(t *testing.T) {
	t.Parallel()
	all := []function{{key: "a"}, {key: "b"}, {key: "c"}}
	for keys, want := range map[string]string{"": "abc", "b": "b", "c,a": "ac", "b,": "", "d": "", ",": ""} {
		chosen, err := selected(all, keys)
		got := ""
		for _, f := range chosen {
			got += f.key
		}
		if got != want || (err != nil) != (want == "") {
			t.Errorf("selected(%q) = %q, %v, want %q", keys, got, err, want)
		}
	}
	if len(all) != 3 || all[0].key+all[1].key+all[2].key != "abc" {
		t.Errorf("the list itself was changed to %v", all)
	}
}

// Ensure that no function hides another, and that each is described.
func TestFunctions(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for _, f := range functions {
		if keys[f.key] || keys[f.title] || f.about == "" || f.floorDoes == "" || strings.Contains(f.key, ",") {
			t.Errorf("got %+v", f)
		}
		keys[f.key], keys[f.title] = true, true
	}
}

// Ensure that a whole run measures everything, and that its report survives JSON.
func TestMeasure(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts real functions")
	}
	t.Parallel()
	small := plan{Runs: 1, Rounds: 1, FarCalls: 2, NearCalls: 30, limit: 5 * time.Minute}
	own := slices.Clone(functions)
	for i := range own {
		own[i].lambdaCPU = runtime.GOARCH // for which most is compiled already
		// So many that they share, and so few that none of them meets a limit of the product.
		own[i].callers = min(own[i].callers, 3)
	}
	var progress strings.Builder
	r, err := measure(t.Context(), small, own, &progress)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Functions) != len(own) || !strings.Contains(progress.String(), own[0].title+": building") {
		t.Errorf("got %d functions, progress %q", len(back.Functions), &progress)
	}
	for _, f := range back.Functions {
		for _, s := range f.Sections {
			for _, got := range s.Figures {
				// CPU time is counted in steps too large for so few calls, and trouble need not add anything.
				mayBeNothing := got.Key == "cpu_warm" || strings.HasPrefix(got.Key, "init_network") || got.unknown() && runtime.GOOS != "linux"
				if got.Function <= 0 && !mayBeNothing {
					t.Errorf("%s, %s: got %+v", f.Key, s.Title, got)
				}
			}
		}
	}
}

// Ensure that what takes too long ends, and says why.
func TestMeasure_limit(t *testing.T) {
	if testing.Short() {
		t.Skip("builds real functions")
	}
	t.Parallel()
	own := slices.Clone(functions[:1])
	own[0].lambdaCPU = runtime.GOARCH
	_, err := measure(t.Context(), plan{Runs: 1, Rounds: 1, limit: 1}, own, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "createsession: not finished after 1ns") {
		t.Errorf("got %v, want the limit named", err)
	}
}
