package main

import (
	"context"
	"fmt"
	"time"

	"didit-sessions/internal/lambdatest"
)

const (
	// warmUp is how many calls of a process are not counted.
	warmUp = 10

	// turn is how many calls one side makes before the other has its turn: short beside the
	// changing load of a busy machine, long enough to fill the processor's caches.
	turn = 25
)

// warm makes one process of each side answer calls one after another, in turns.
func (b *bench) warm(ctx context.Context, m *measurement, d distance) error {
	w, err := newWorld(ctx, b.trust, d)
	if err != nil {
		return err
	}
	defer w.close()
	sides := m.sides()
	fns := make([]*lambdatest.Function, len(sides))
	before := make([]time.Duration, len(sides))
	for i, s := range sides {
		if fns[i], err = s.start(ctx, w, 1); err != nil {
			return err
		}
		defer fns[i].Stop()
		if _, err := s.call(ctx, fns[i], warmUp); err != nil {
			return err
		}
		before[i] = cpuTime(fns[i].Usage())
	}
	calls := b.plan.calls(d)
	for left := calls; left > 0; left -= turn {
		for i, s := range sides {
			took, err := s.call(ctx, fns[i], min(turn, left))
			if err != nil {
				return fmt.Errorf("%s, %s: %w", s.name, d.name, err)
			}
			for _, call := range took {
				s.samples.addTime(d.name+"/warm", call)
			}
		}
	}
	if d != near {
		return nil
	}
	for i, s := range sides {
		if used := cpuTime(fns[i].Usage()) - before[i]; used > 0 {
			s.samples.add("near/warm cpu-us/op", float64(used.Microseconds())/float64(calls))
		}
		if peak := fns[i].Stop().PeakMemory; peak > 0 {
			s.samples.add("near/warm peak-MiB", float64(peak)/(1<<20))
		}
	}
	return nil
}

// call returns how long each of n calls took.
func (s *side) call(ctx context.Context, fn *lambdatest.Function, n int) ([]time.Duration, error) {
	var took []time.Duration
	for range n {
		result, err := s.invoke(ctx, fn)
		if err != nil {
			return nil, err
		}
		took = append(took, result.Duration)
	}
	return took, nil
}

func cpuTime(used lambdatest.Usage) time.Duration { return used.UserCPU + used.SystemCPU }
