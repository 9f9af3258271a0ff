package main

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage/stagetest"
)

// Ensure that no payload takes more than 64 MiB of memory, wherever its costly part stands, and
// that each one is refused. One process gets them all. COST_TESTS=1 looks at the time, too.
func TestBodies(t *testing.T) {
	t.Parallel()
	const (
		maxPayload = 4 << 20
		maxMemory  = 64 << 20
		maxCPU     = 300 * time.Millisecond
	)
	w := stagetest.New(t, lambdatest.Options{})
	texts := stagetest.CostlyJSON(maxPayload - 64)
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		for _, place := range []string{`%s`, `{"session_id":%s}`, `{"session_id":"","task_token":%s}`, `{"nonsense":%s}`} {
			before := w.Usage()
			r := w.Call(t, fmt.Appendf(nil, place, texts[name]))
			after := w.Usage()
			if r.ErrorType != "InvalidRequest" {
				t.Errorf("%s in %s: got %q, want InvalidRequest", name, place, r.ErrorType)
			}
			if after.PeakMemory > stagetest.MaxMemory(maxMemory) {
				t.Fatalf("%s in %s: got a peak of %d KiB, want at most %d", name, place, after.PeakMemory>>10, stagetest.MaxMemory(maxMemory)>>10)
			}
			if took := after.UserCPU + after.SystemCPU - before.UserCPU - before.SystemCPU; took > maxCPU && stagetest.MeasuresCosts() {
				t.Errorf("%s in %s: got %v of a processor, want at most %v", name, place, took, maxCPU)
			}
		}
	}
}
