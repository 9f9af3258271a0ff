package main

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestBound_limit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		bound           bound
		function, floor float64
		most            float64
		held            bool
	}{
		{bound{most: 10}, 10, 4, 10, true},
		{bound{most: 10}, 10.0001, 0, 10, false},
		{bound{ofFloor: 1.25}, 5, 4, 5, true},
		{bound{ofFloor: 1.25}, 5.0004, 4, 5, false},
		{bound{ofFloor: 1.25, most: 3}, 8, 4, 8, true},
		{bound{ofFloor: 1.25, most: 3}, 8.0008, 4, 8, false},
		{bound{exactly: 1}, 1, 0, 1, true},
		{bound{exactly: 1}, 2, 0, 1, false},
		{bound{exactly: 1}, 0, 0, 1, false},
	} {
		if most, held := tt.bound.limit(figure{function: tt.function, floor: tt.floor}); most != tt.most || held != tt.held {
			t.Errorf("%+v: got %g, held %t", tt, most, held)
		}
	}
}

// measured is a measurement with a value for every figure.
func measured() *measurement {
	m := &measurement{downInit: sample{6, 5, 7}, silentInit: sample{1504}, secretReads: 1, tokenRequests: 2}
	m.function = side{
		far:  times{init: sample{5, 4, 6}, cold: sample{200, 180}, first: sample{47}, warm: sample{42, 41, 43, 90}},
		near: times{init: sample{4}, cold: sample{14}, first: sample{12}, warm: sample{0.5}},
		peak: sample{14, 16, 15}, cpu: sample{500, 510}, lambdaSize: 9.37, hostSize: 10.12,
	}
	m.floor = side{
		far:  times{init: sample{3}, cold: sample{130}, first: sample{125}, warm: sample{40}},
		near: times{init: sample{2}, cold: sample{8}, first: sample{7}, warm: sample{0.4}},
		peak: sample{11}, cpu: sample{300}, lambdaSize: 5.83, hostSize: 6.3,
	}
	return m
}

// Ensure that each measured quantity lands in its figure.
func TestNewFigures(t *testing.T) {
	t.Parallel()
	want := map[string][2]float64{
		"far/init ms/op": {5, 3}, "far/cold ms/op": {190, 130}, "far/first ms/op": {47, 125}, "far/warm ms/op": {42.5, 40}, "far/warm p99-ms/op": {90, 40},
		"near/init ms/op": {4, 2}, "near/cold ms/op": {14, 8}, "near/first ms/op": {12, 7}, "near/warm ms/op": {0.5, 0.4}, "near/warm p99-ms/op": {0.5, 0.4},
		"binary lambda-MB": {9.37, 5.83}, "binary host-MB": {10.12, 6.3}, "near/warm peak-MiB": {15, 11}, "near/warm cpu-us/op": {505, 300},
		"init/down added-ms": {2, 0}, "init/silent added-ms": {1500, 0}, "concurrent secret-reads": {1, 0}, "concurrent token-requests": {2, 0},
	}
	for _, got := range newFigures(functions[0], full, measured()) {
		key := got.benchmark + " " + got.unit
		if values := [2]float64{got.function, got.floor}; values != want[key] {
			t.Errorf("%s: got %v, want %v", key, values, want[key])
		}
		delete(want, key)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

// Ensure that no bound and no bar is lost by a key that no figure has.
func TestNewFigures_keys(t *testing.T) {
	t.Parallel()
	for _, f := range functions {
		keys := map[string]int{}
		for _, got := range newFigures(f, full, measured()) {
			keys[got.benchmark+" "+got.unit]++
		}
		for key := range f.bounds {
			if keys[key] != 1 {
				t.Errorf("%s has a bound for %s, which %d figures are", f.key, key, keys[key])
			}
		}
		for _, group := range chartGroups {
			if keys[group.benchmark+" ms/op"] != 1 {
				t.Errorf("the picture shows %s, which %d figures are", group.benchmark, keys[group.benchmark])
			}
		}
	}
}

func TestPlan_withRuns(t *testing.T) {
	t.Parallel()
	if got := full.withRuns(full.runs + 10); got.runs != full.runs+10 || got.limit < full.limit+10*time.Second {
		t.Errorf("got %+v: more starts need more time than %v", got, full.limit)
	}
	if got := full.withRuns(1); got.runs != 1 || got.limit != full.limit {
		t.Errorf("got %+v", got)
	}
}

// Ensure that the output is what readers of Go's benchmark format take: name, iterations, and pairs
// of value and unit; and that bounds are comments.
func TestReport_print(t *testing.T) {
	t.Parallel()
	f := function{name: "CreateSession", bounds: map[string]bound{
		"far/cold ms/op": {text: "4 round trips + 30 ms", most: 190}, "far/warm ms/op": {text: "1.03 x floor", ofFloor: 1.03},
	}}
	r := report{f, []figure{
		{"far/cold", "ms/op", 21, 264.61234, 130.25, true},
		{"far/warm", "ms/op", 300, 41.2, 41.4, true}, {"far/warm", "p99-ms/op", 300, 60, 50.5, true},
		{"concurrent", "secret-reads", 200, 1, 0, false},
	}}
	var got strings.Builder
	if err := r.print(&got); err != nil {
		t.Fatal(err)
	}
	procs := "-" + strconv.Itoa(runtime.GOMAXPROCS(0))
	want := [][]string{
		{"BenchmarkCreateSession/far/cold" + procs, "21", "264.612", "ms/op"},
		{"BenchmarkCreateSession/far/cold/floor" + procs, "21", "130.25", "ms/op"},
		{"BenchmarkCreateSession/far/warm" + procs, "300", "41.2", "ms/op", "60", "p99-ms/op"},
		{"BenchmarkCreateSession/far/warm/floor" + procs, "300", "41.4", "ms/op", "50.5", "p99-ms/op"},
		{"BenchmarkCreateSession/concurrent" + procs, "200", "1", "secret-reads"},
		strings.Fields("# CreateSession/far/cold: 264.612 ms/op, bound 190 (4 round trips + 30 ms): NOT held"),
		strings.Fields("# CreateSession/far/warm: 41.2 ms/op, bound 42.642 (1.03 x floor): held"),
	}
	lines := strings.Split(strings.TrimSuffix(got.String(), "\n"), "\n")
	if len(lines) != len(want) {
		t.Fatalf("got %d lines, want %d:\n%s", len(lines), len(want), &got)
	}
	for i, line := range lines {
		if !slices.Equal(strings.Fields(line), want[i]) {
			t.Errorf("got  %s\nwant %q", line, want[i])
		}
	}
}
