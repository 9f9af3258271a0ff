package main

import (
	"strings"
	"testing"
	"time"
)

func TestFigure_judge(t *testing.T) {
	t.Parallel()
	bounds := map[string]bound{
		"most":    {text: "most", most: 10},
		"ofFloor": {text: "ofFloor", ofFloor: 1.25},
		"exactly": {text: "exactly", exactly: 1},
		"beside":  {text: "beside", ofFloor: 1.25, most: 3},
	}
	for _, tt := range []struct {
		figure figure
		most   float64 // 0: no verdict
		held   bool
		ratio  float64
	}{
		{figure{Key: "none", Function: 3, Floor: 2}, 0, false, 1.5},
		{figure{Key: "most", Function: 10, Floor: 4}, 10, true, 2.5},
		{figure{Key: "most", Function: 10.0001}, 10, false, 0},
		{figure{Key: "ofFloor", Function: 5, Floor: 4}, 5, true, 1.25},
		{figure{Key: "ofFloor", Function: 5.0004, Floor: 4}, 5, false, 1.25},
		{figure{Key: "beside", Function: 8, Floor: 4}, 8, true, 2},
		{figure{Key: "beside", Function: 8.0008, Floor: 4}, 8, false, 2},
		{figure{Key: "exactly", Function: 1}, 1, true, 0},
		{figure{Key: "exactly", Function: 2}, 1, false, 0},
		{figure{Key: "exactly", Function: 0}, 1, false, 0},
		{figure{Key: "most", Unit: "MiB"}, 0, false, 0}, // this system does not tell
	} {
		got := tt.figure
		got.judge(bounds)
		if got.Ratio != tt.ratio || (got.Bound != nil) != (tt.most != 0) {
			t.Errorf("%+v: got ratio %g, bound %+v", tt.figure, got.Ratio, got.Bound)
		} else if got.Bound != nil && (got.Bound.Most != tt.most || got.Bound.Held != tt.held) {
			t.Errorf("%+v: got %+v, want %g, held %t", tt.figure, *got.Bound, tt.most, tt.held)
		}
	}
}

// Ensure that no bound and no bar is lost by a key that no figure has.
func TestReport_keys(t *testing.T) {
	t.Parallel()
	for _, f := range functions {
		r := newReport(full)
		r.add(f, &measurement{})
		keys := map[string]int{}
		for _, s := range r.Functions[0].Sections {
			for _, line := range s.Figures {
				keys[line.Key]++
			}
		}
		for key := range f.bounds {
			if keys[key] != 1 {
				t.Errorf("%s has a bound for %s, which %d figures are", f.key, key, keys[key])
			}
		}
		for _, group := range groupsDrawn {
			if keys[group.key] != 1 {
				t.Errorf("the picture shows %s, which %d figures are", group.key, keys[group.key])
			}
		}
	}
}

// Ensure that each measured quantity lands in its figure.
func TestReport_add(t *testing.T) {
	t.Parallel()
	m := &measurement{
		peak: both[sample]{{14, 16, 15}, {11}}, cpu: both[sample]{{500, 510}, {300}},
		lambdaSize: both[float64]{9_370_000, 5_830_000}, hostSize: both[float64]{10_120_000, 6_300_000},
		downInit: sample{6, 5, 7}, silentInit: sample{1504}, secretReads: 1, tokenRequests: 2,
	}
	m.far[0] = times{init: sample{5, 4, 6}, cold: sample{200, 180}, first: sample{47}, warm: sample{42, 41, 43, 90}}
	m.far[1] = times{init: sample{3}, cold: sample{130}, first: sample{125}, warm: sample{40}}
	m.near[0] = times{init: sample{4}, cold: sample{14}, first: sample{12}, warm: sample{0.5}}
	m.near[1] = times{init: sample{2}, cold: sample{8}, first: sample{7}, warm: sample{0.4}}
	r := newReport(full)
	r.add(functions[0], m)
	want := map[string][2]float64{
		"far_init": {5, 3}, "far_cold": {190, 130}, "far_first": {47, 125}, "far_warm_p50": {42.5, 40}, "far_warm_p99": {90, 40},
		"near_init": {4, 2}, "near_cold": {14, 8}, "near_first": {12, 7}, "near_warm_p50": {0.5, 0.4}, "near_warm_p99": {0.5, 0.4},
		"binary_lambda": {9.37, 5.83}, "binary_host": {10.12, 6.3}, "peak_memory": {15, 11}, "cpu_warm": {505, 300},
		"init_network_down": {2, 0}, "init_network_silent": {1500, 0}, "cold_secret_reads": {1, 0}, "cold_token_requests": {2, 0},
	}
	for _, s := range r.Functions[0].Sections {
		for _, got := range s.Figures {
			if values := [2]float64{got.Function, got.Floor}; values != want[got.Key] {
				t.Errorf("%s: got %v, want %v", got.Key, values, want[got.Key])
			}
			delete(want, got.Key)
		}
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestPlan_withRuns(t *testing.T) {
	t.Parallel()
	if got := full.withRuns(full.Runs + 10); got.Runs != full.Runs+10 || got.limit < full.limit+10*time.Second {
		t.Errorf("got %+v: more starts need more time than %v", got, full.limit)
	}
	if got := full.withRuns(1); got.Runs != 1 || got.limit != full.limit {
		t.Errorf("got %+v", got)
	}
}

// made is a small report with every kind of line.
func made() *report {
	return &report{
		Machine: machine{System: "linux/arm64", Processors: 2, Go: "go1.26"},
		Plan:    plan{Runs: 3, Rounds: 2, FarCalls: 10, NearCalls: 100},
		Functions: []functionReport{{Key: "createsession", Title: "createsession", Program: "createsession", About: "POST /sessions", Floor: "only forwards", Sections: []section{
			{Title: far.String(), Figures: []figure{
				{Key: "far_cold", Name: "cold: start to answer", Unit: "ms", Function: 264.6, Floor: 130.25, Ratio: 2.031, Bound: &verdict{"<= 4 round trips + 30 ms", 190, false}},
				{Key: "far_first", Name: "first call after init", Unit: "ms", Function: 47, Floor: 125, Ratio: 0.376, Bound: &verdict{"<= 49", 49, true}},
				{Key: "far_warm_p50", Name: "warm p50", Unit: "ms", Function: 41.5, Floor: 41.4, Ratio: 1.002, Bound: &verdict{"<= 1.03 x floor", 42.642, true}},
			}},
			{Title: "process", Figures: []figure{
				{Name: "peak memory", Unit: "MiB"},
				{Name: "CPU of a warm call", Unit: "µs", Function: 512.3, Floor: 300, Ratio: 1.708},
				{Name: "down: adds to init", Unit: "ms", Bound: &verdict{"<= 2 s", 2000, true}},
				{Name: "secret reads", Function: 2, Bound: &verdict{"exactly 1", 1, false}},
			}},
		}}},
	}
}

func TestReport_print(t *testing.T) {
	t.Parallel()
	want := `
medians of 3 starts and 2 x 10 (without round trip 2 x 100) warm calls; linux/arm64, 2 processors, go1.26

createsession: POST /sessions
floor: only forwards
                                      function       floor    ratio   bound
round trip 40 ms to Didit, 2 ms to AWS
  cold: start to answer    ms           264.60      130.25     2.03   <= 4 round trips + 30 ms = 190.00           NOT held
  first call after init    ms            47.00      125.00     0.38   <= 49 = 49.00                               held
  warm p50                 ms            41.50       41.40     1.00   <= 1.03 x floor = 42.64                     held
process
  peak memory              MiB         unknown
  CPU of a warm call       µs              512         300     1.71
  down: adds to init       ms             0.00                        <= 2 s                                      held
  secret reads                               2                        exactly 1                                   NOT held
`
	var got strings.Builder
	if err := made().print(&got); err != nil {
		t.Fatal(err)
	}
	if got.String() != want[1:] {
		t.Errorf("got:\n%s\nwant:%s", got.String(), want)
	}
}
