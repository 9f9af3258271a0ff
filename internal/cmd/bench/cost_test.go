package main

import (
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Ensure that started milliseconds of a GB-s are billed, the init phase included, and each request.
func TestPriced(t *testing.T) {
	t.Parallel()
	got := priced(256, costTimes{init: sample{150, 140, 160}, cold: sample{200.2, 200.1, 300}, warm: sample{45, 44.1, 44.2, 90}})
	// 45 ms at a quarter of a GB: 45e-3 * 0.25 * 13.3334 USD for a million, and 0.20 for the requests.
	want := sizeCost{Memory: 256, Init: 150, Cold: 200.2, WarmP50: 44.6, WarmP99: 90, BilledCold: 201, BilledWarm: 45,
		AllWarm: 0.35, SeldomCold: 0.402, AllCold: 0.87}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if twice := priced(512, costTimes{cold: sample{200.2}, warm: sample{44.6}}); math.Abs(twice.AllWarm-0.2-2*(got.AllWarm-0.2)) > 0.001 {
		t.Errorf("twice the memory costs %g instead of %g", twice.AllWarm, got.AllWarm)
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	for memory, want := range map[int]float64{0: 0, 1769: 1, 3538: 1, 128: 128.0 / 1769} {
		if got := share(memory); got != want {
			t.Errorf("share(%d) = %g, want %g", memory, got, want)
		}
	}
}

// Ensure that with a part of the processor only the processor time grows, and only from the first call on.
func TestCostTimes_at(t *testing.T) {
	t.Parallel()
	free := costTimes{
		init: sample{150}, cold: sample{200}, warm: sample{45, 46},
		coldCPU: sample{25, 24, 26}, initCPU: sample{21, 20, 22}, warmCPU: sample{0.5},
	}
	for part, want := range map[float64][4]float64{1: {150, 200, 45, 46}, 0.25: {150, 212, 46.5, 47.5}, 0.1: {150, 236, 49.5, 50.5}} {
		got := free.at(part)
		if values := [4]float64{got.init.median(), got.cold.median(), got.warm[0], got.warm[1]}; values != want {
			t.Errorf("at(%g): got %v, want %v", part, values, want)
		}
	}
	odd := costTimes{cold: sample{200}, coldCPU: sample{20}, initCPU: sample{21}}
	if got := odd.at(0.1).cold.median(); got != 200 {
		t.Errorf("a call that took no processor time takes %g, want 200", got)
	}
}

func madeCost(measured bool) *costReport {
	return &costReport{
		Machine: machine{System: "linux/arm64", Processors: 2, Go: "go1.26"}, Plan: plan{Runs: 3, FarCalls: 10}, Measured: measured, Why: "no groups",
		Functions: []functionCost{{Key: "createsession", Title: "createsession", About: "POST /sessions", Sizes: []sizeCost{
			{Memory: 128, Init: 148.81, Cold: 196.66, WarmP50: 45.1, WarmP99: 84.4, BilledCold: 197, BilledWarm: 46, AllWarm: 0.277, SeldomCold: 0.302, AllCold: 0.528}}}},
	}
}

func TestCostReport_print(t *testing.T) {
	t.Parallel()
	want := `
medians of 3 starts and 10 warm calls; round trip 40 ms to Didit, 2 ms to AWS; linux/arm64, 2 processors, go1.26
measured with memory/1769 MB of one processor in each 20ms from the first call on, and a whole one before
USD 0.0000133334 per GB-s (arm64, us-east-1) and 0.20 per million calls; the init phase is billed; other services are not counted

createsession: POST /sessions
                 CPU        init        cold        warm        warm   billed ms   billed ms USD/million        10 %         all
memory         share          ms          ms      p50 ms      p99 ms        cold        warm    all warm        cold        cold
128 MB         7.2 %       148.8       196.7        45.1        84.4         197          46       0.277       0.302       0.528
`
	var got strings.Builder
	if err := madeCost(true).print(&got); err != nil {
		t.Fatal(err)
	}
	if got.String() != want[1:] {
		t.Errorf("got:\n%s\nwant:%s", got.String(), want)
	}
	got.Reset()
	if err := madeCost(false).print(&got); err != nil || !strings.Contains(got.String(), "\ncomputed from") || !strings.Contains(got.String(), "no groups\n") {
		t.Errorf("got %v:\n%s\nwant it said that it was computed, and why", err, &got)
	}
}

// Ensure that costs come out with a quota, where this machine has one, and without.
func TestMeasureCost(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts real functions")
	}
	t.Parallel()
	small := plan{Runs: 1, FarCalls: 2, limit: 5 * time.Minute, minShare: 1}
	f := functions[1]
	f.lambdaCPU = runtime.GOARCH
	r, err := measureCost(t.Context(), small, []function{f}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	b, remove, err := newBench(small)
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	computed, err := b.cost(t.Context(), f, nil, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range append(r.Functions, computed) {
		if len(c.Sizes) != len(memorySizes) {
			t.Fatalf("got %+v", c)
		}
		for i, s := range c.Sizes {
			// There are round trips, so nothing is quicker than they are; how much slower is up to the machine.
			if s.Memory != memorySizes[i] || s.WarmP50 < milliseconds(far.didit) || s.Cold < s.Init+milliseconds(far.didit) || s.Init <= 0 ||
				min(s.AllCold, s.SeldomCold, s.AllWarm) <= dollarsPerMillion {
				t.Errorf("got %+v", s)
			}
		}
	}
}
