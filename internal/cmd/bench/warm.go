package main

import (
	"context"
	"fmt"
	"time"

	"didit-sessions/internal/lambdatest"
)

const (
	// warmingUp is how many calls of a process are not counted.
	warmingUp = 10

	// turn is how many calls one side makes before the other has its turn: short
	// beside the moods of a busy machine, long enough to find its own caches warm.
	turn = 25
)

// warm makes one process of each side answer calls one after another, in turns.
func (b *bench) warm(ctx context.Context, sides both[side], d distance, of *both[times], m *measurement) error {
	w, err := newWorld(ctx, b.trust, d)
	if err != nil {
		return err
	}
	defer w.close()
	var fns both[*lambdatest.Function]
	var before both[time.Duration]
	for i, s := range sides {
		if fns[i], err = s.start(ctx, w, 1); err != nil {
			return err
		}
		defer fns[i].Stop()
		if _, err := s.call(ctx, fns[i], warmingUp); err != nil {
			return err
		}
		before[i] = processorTime(fns[i])
	}
	calls := b.plan.calls(d)
	for left := calls; left > 0; left -= turn {
		for i, s := range sides {
			took, err := s.call(ctx, fns[i], min(turn, left))
			if err != nil {
				return fmt.Errorf("%s, %v: %w", s.name, d, err)
			}
			of[i].warm = append(of[i].warm, took...)
		}
	}
	if d != near {
		return nil
	}
	for i, fn := range fns {
		if used := processorTime(fn) - before[i]; used > 0 {
			m.cpu[i].add(float64(used.Microseconds()) / float64(calls))
		}
		if peak := fn.Stop().PeakMemory; peak > 0 {
			m.peak[i].add(float64(peak) / (1 << 20))
		}
	}
	return nil
}

// call returns what n calls took.
func (s side) call(ctx context.Context, fn *lambdatest.Function, n int) (sample, error) {
	var took sample
	for range n {
		result, err := s.invoke(ctx, fn)
		if err != nil {
			return nil, err
		}
		took.addTime(result.Duration)
	}
	return took, nil
}

func processorTime(fn *lambdatest.Function) time.Duration {
	used := fn.Usage()
	return used.UserCPU + used.SystemCPU
}
