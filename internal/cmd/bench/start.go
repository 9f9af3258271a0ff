package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
)

// idleBefore is how long a process that has finished its init is idle before its first call.
const idleBefore = 50 * time.Millisecond

// starts measures what begins with a new process, the sides taking turns.
func (b *bench) starts(ctx context.Context, m *measurement, d distance, kinds ...func(context.Context, *side, *world, string) error) error {
	w, err := newWorld(ctx, b.trust, d)
	if err != nil {
		return err
	}
	defer w.close()
	if m.function.shared {
		err := m.function.withProcess(ctx, w, 1, func(fn *lambdatest.Function) error {
			_, err := m.function.invoke(ctx, fn)
			return err
		})
		if err != nil {
			return err
		}
	}
	for range b.plan.runs {
		for _, start := range kinds {
			for _, s := range m.sides() {
				if err := start(ctx, s, w, d.name); err != nil {
					return fmt.Errorf("%s, %s: %w", s.name, d.name, err)
				}
			}
		}
	}
	return nil
}

// coldStart measures from the start of the process to the first answer, the invocation waiting at
// once.
func coldStart(ctx context.Context, s *side, w *world, distance string) error {
	return s.withProcess(ctx, w, 1, func(fn *lambdatest.Function) error {
		result, err := s.invoke(ctx, fn)
		if err != nil {
			return err
		}
		s.samples.addTime(distance+"/cold", result.AnsweredAt.Sub(fn.StartedAt()))
		return nil
	})
}

// firstAfterInit measures from the start of the process to its first poll, and the first call after
// that.
func firstAfterInit(ctx context.Context, s *side, w *world, distance string) error {
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
		s.samples.addTime(distance+"/init", took)
		s.samples.addTime(distance+"/first", result.Duration)
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

// invoke fails if the call is refused: a refusal is quick, and would be a fine figure. A session
// that is on record already answers 200 instead of 201.
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
	if answer.Status != http.StatusOK && answer.Status != http.StatusCreated {
		return result, fmt.Errorf("answered with status %d: %s", answer.Status, answer.Body)
	}
	return result, nil
}

// concurrent invokes a process that has just been started many times at once, and counts its
// requests.
func (b *bench) concurrent(ctx context.Context, callers int, s *side) error {
	w, err := newWorld(ctx, b.trust, far)
	if err != nil {
		return err
	}
	defer w.close()
	err = s.withProcess(ctx, w, callers, func(fn *lambdatest.Function) error {
		failures := make([]error, callers)
		var calls sync.WaitGroup
		for i := range callers {
			calls.Go(func() { _, failures[i] = s.invoke(ctx, fn) })
		}
		calls.Wait()
		return cmp.Or(failures...)
	})
	if err != nil {
		return fmt.Errorf("one of %d concurrent cold callers: %w", callers, err)
	}
	s.samples.add("concurrent secret-reads", float64(w.Secrets.Calls("")))
	s.samples.add("concurrent token-requests", float64(w.Didit.Count(didittest.OpToken)))
	return nil
}

// unreachable measures the init while no upstream answers. An init that fails because of that is an
// error.
func (b *bench) unreachable(ctx context.Context, s *side) error {
	for _, how := range []string{"down", "silent"} {
		w, err := unreachableWorld(b.trust, how == "silent")
		if err != nil {
			return err
		}
		defer w.close()
		for range b.plan.rounds {
			err := s.withProcess(ctx, w, 1, func(fn *lambdatest.Function) error {
				took, err := fn.WaitReady(ctx)
				s.samples.addTime("init/"+how, took)
				return err
			})
			if err != nil {
				return fmt.Errorf("init while the network is %s: %w", how, err)
			}
		}
	}
	return nil
}
