package main

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
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
		{bound{ofWarm: true, most: 4}, 7, 4, 7, true}, // the warm call takes 3
		{bound{ofWarm: true, most: 4}, 7.0001, 4, 7, false},
		{bound{exactly: 1}, 1, 0, 1, true},
		{bound{exactly: 1}, 2, 0, 1, false},
		{bound{exactly: 1}, 0, 0, 1, false},
	} {
		if most, held := tt.bound.limit(figure{function: tt.function, floor: tt.floor, warm: 3}); most != tt.most || held != tt.held {
			t.Errorf("%+v: got %g, held %t", tt, most, held)
		}
	}
}

// measured is a measurement with a value for every figure.
func measured() *measurement {
	return &measurement{
		function: &side{samples: samples{
			"far/init ms/op": {5, 4, 6}, "far/cold ms/op": {200, 180}, "far/first ms/op": {47}, "far/warm ms/op": {42, 41, 43, 90},
			"near/init ms/op": {4}, "near/cold ms/op": {14}, "near/first ms/op": {12}, "near/warm ms/op": {0.5},
			"near/warm peak-MiB": {14, 16, 15}, "near/warm cpu-us/op": {500, 510}, "binary lambda-MB": {9.37},
			"init/down ms/op": {6, 5, 7}, "init/silent ms/op": {1504}, "concurrent secret-reads": {1}, "concurrent token-requests": {2},
		}},
		floor: &side{samples: samples{
			"far/init ms/op": {3}, "far/cold ms/op": {130}, "far/first ms/op": {125}, "far/warm ms/op": {40},
			"near/init ms/op": {2}, "near/cold ms/op": {8}, "near/first ms/op": {7}, "near/warm ms/op": {0.4},
			"near/warm peak-MiB": {11}, "near/warm cpu-us/op": {300}, "binary lambda-MB": {5.83},
		}},
	}
}

// Ensure that each measured quantity lands in its figure.
func TestNewFigures(t *testing.T) {
	t.Parallel()
	want := map[string][2]float64{
		"far/init ms/op": {5, 3}, "far/cold ms/op": {190, 130}, "far/first ms/op": {47, 125}, "far/warm ms/op": {42.5, 40}, "far/warm p99-ms/op": {90, 40},
		"near/init ms/op": {4, 2}, "near/cold ms/op": {14, 8}, "near/first ms/op": {12, 7}, "near/warm ms/op": {0.5, 0.4}, "near/warm p99-ms/op": {0.5, 0.4},
		"binary lambda-MB": {9.37, 5.83}, "near/warm peak-MiB": {15, 11}, "near/warm cpu-us/op": {505, 300},
		"init/down added-ms": {2, 0}, "init/silent added-ms": {1500, 0}, "concurrent secret-reads": {1, 0}, "concurrent token-requests": {2, 0},
	}
	for _, got := range newFigures(measured()) {
		key := got.benchmark + " " + got.unit
		if warm := map[string]float64{"far": 42.5, "near": 0.5}[strings.Split(key, "/")[0]]; got.warm != warm {
			t.Errorf("%s: got the warm call %g, want %g", key, got.warm, warm)
		}
		if values := [2]float64{got.function, got.floor}; values != want[key] || got.hasFloor != (values[1] > 0) {
			t.Errorf("%s: got %v, want %v", key, values, want[key])
		}
		delete(want, key)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

// Ensure that no bound and no bar is lost by a key that no figure has.
func TestFigureKeys(t *testing.T) {
	t.Parallel()
	for _, f := range functions {
		for key := range f.bounds {
			if !slices.Contains(figureKeys, key) {
				t.Errorf("%s has a bound for %s, which is no figure", f.key, key)
			}
		}
	}
	for _, group := range chartGroups {
		if !slices.Contains(figureKeys, group.benchmark+" ms/op") {
			t.Errorf("the picture shows %s, which is no figure", group.benchmark)
		}
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
		{"far/cold", "ms/op", 21, 264.61234, 130.25, true, 0},
		{"far/warm", "ms/op", 300, 41.2, 41.4, true, 0}, {"far/warm", "p99-ms/op", 300, 60, 50.5, true, 0},
		{"concurrent", "secret-reads", 200, 1, 0, false, 0},
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
