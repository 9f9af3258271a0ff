package main

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
)

// idleBefore is how long a process that has finished its init is idle before its first call.
const idleBefore = 50 * time.Millisecond

// starts measures what begins with a new process, the sides taking turns.
func (b *bench) starts(ctx context.Context, m *measurement, d distance) error {
	w, err := newWorld(ctx, b.trust, d)
	if err != nil {
		return err
	}
	defer w.close()
	for range b.plan.runs {
		for _, start := range []func(context.Context, *side, *world, *times) error{coldStart, firstAfterInit} {
			for _, s := range m.sides() {
				if err := start(ctx, s, w, s.at(d)); err != nil {
					return fmt.Errorf("%s, %s: %w", s.name, d.name, err)
				}
			}
		}
	}
	return nil
}

func coldStart(ctx context.Context, s *side, w *world, to *times) error {
	return s.withProcess(ctx, w, 1, func(fn *lambdatest.Function) error {
		result, err := s.invoke(ctx, fn)
		if err != nil {
			return err
		}
		to.cold.addTime(result.AnsweredAt.Sub(fn.StartedAt()))
		return nil
	})
}

func firstAfterInit(ctx context.Context, s *side, w *world, to *times) error {
	return s.withProcess(ctx, w, 1, func(fn *lambdatest.Function) error {
		took, err := fn.WaitReady(ctx)
		if err != nil {
			return err
		}
		time.Sleep(idleBefore)
		result, err := s.invoke(ctx, fn)
		if err != nil {
			return err
		}
		to.init.addTime(took)
		to.first.addTime(result.Duration)
		return nil
	})
}

// withProcess starts a process in the world for the time of use.
func (s *side) withProcess(ctx context.Context, w *world, concurrency int, use func(*lambdatest.Function) error) error {
	fn, err := s.start(ctx, w, concurrency)
	if err != nil {
		return err
	}
	defer fn.Stop()
	return use(fn)
}

func (s *side) start(ctx context.Context, w *world, concurrency int) (*lambdatest.Function, error) {
	return lambdatest.Start(ctx, lambdatest.Options{Binary: s.binary, Name: s.name, Env: s.env(w), MaxConcurrency: concurrency})
}

// invoke fails unless the answer is the one that the event must get: a refusal is quick, and would
// be a fine figure.
func (s *side) invoke(ctx context.Context, fn *lambdatest.Function) (lambdatest.Result, error) {
	payload, err := s.payload()
	if err != nil {
		return lambdatest.Result{}, err
	}
	result, err := fn.Invoke(ctx, payload)
	if err != nil {
		return result, err
	}
	answer, err := result.HTTP()
	if err != nil {
		return result, err
	}
	if answer.Status != s.status {
		return result, fmt.Errorf("answered with status %d, want %d: %s", answer.Status, s.status, answer.Body)
	}
	return result, nil
}

// concurrent invokes a process that has just been started many times at once, and counts its
// requests.
func (b *bench) concurrent(ctx context.Context, callers int, m *measurement) error {
	w, err := newWorld(ctx, b.trust, far)
	if err != nil {
		return err
	}
	defer w.close()
	before := w.Didit.Count(didittest.OpToken)
	err = m.function.withProcess(ctx, w, callers, func(fn *lambdatest.Function) error {
		failures := make([]error, callers)
		var calls sync.WaitGroup
		for i := range callers {
			calls.Go(func() { _, failures[i] = m.function.invoke(ctx, fn) })
		}
		calls.Wait()
		return cmp.Or(failures...)
	})
	if err != nil {
		return fmt.Errorf("one of %d concurrent cold callers: %w", callers, err)
	}
	m.secretReads = w.Secrets.Calls("")
	m.tokenRequests = w.Didit.Count(didittest.OpToken) - before
	return nil
}

// unreachable measures the init while no upstream answers. An init that fails because of that is an
// error.
func (b *bench) unreachable(ctx context.Context, m *measurement) error {
	for silent, to := range map[bool]*sample{false: &m.downInit, true: &m.silentInit} {
		w, err := unreachableWorld(b.trust, silent)
		if err != nil {
			return err
		}
		defer w.close()
		for range b.plan.rounds {
			err := m.function.withProcess(ctx, w, 1, func(fn *lambdatest.Function) error {
				took, err := fn.WaitReady(ctx)
				to.addTime(took)
				return err
			})
			if err != nil {
				return fmt.Errorf("init while the network is unreachable (silent: %t): %w", silent, err)
			}
		}
	}
	return nil
}
