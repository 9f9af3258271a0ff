package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
)

// starts measures what begins with a new process, the sides taking turns.
func (b *bench) starts(ctx context.Context, sides both[side], d distance, of *both[times]) error {
	w, err := newWorld(ctx, b.trust, d)
	if err != nil {
		return err
	}
	defer w.close()
	for range b.plan.Runs {
		for _, once := range []func(context.Context, side, *world, *times) error{coldStart, firstAfterInit} {
			for i, s := range sides {
				if err := once(ctx, s, w, &of[i]); err != nil {
					return fmt.Errorf("%s, %v: %w", s.name, d, err)
				}
			}
		}
	}
	return nil
}

func coldStart(ctx context.Context, s side, w *world, of *times) error {
	fn, err := s.start(ctx, w, 1)
	if err != nil {
		return err
	}
	defer fn.Stop()
	result, err := s.invoke(ctx, fn)
	if err != nil {
		return err
	}
	of.cold.addTime(result.AnsweredAt.Sub(fn.StartedAt()))
	return nil
}

func firstAfterInit(ctx context.Context, s side, w *world, of *times) error {
	fn, err := s.start(ctx, w, 1)
	if err != nil {
		return err
	}
	defer fn.Stop()
	took, err := fn.WaitReady(ctx)
	if err != nil {
		return err
	}
	time.Sleep(idleBefore)
	result, err := s.invoke(ctx, fn)
	if err != nil {
		return err
	}
	of.init.addTime(took)
	of.first.addTime(result.Duration)
	return nil
}

func (s side) start(ctx context.Context, w *world, concurrency int) (*lambdatest.Function, error) {
	return lambdatest.Start(ctx, lambdatest.Options{
		Binary: s.binary, Name: s.name, Env: w.environment(s.env(w)), MaxConcurrency: concurrency,
	})
}

// invoke fails unless the answer is the one that the event is to get: a refusal
// is quick, and would be a fine figure.
func (s side) invoke(ctx context.Context, fn *lambdatest.Function) (lambdatest.Result, error) {
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

// concurrent lets many callers loose on one process that has just been started,
// and counts what was asked upstream.
func (b *bench) concurrent(ctx context.Context, s side, callers int, m *measurement) error {
	w, err := newWorld(ctx, b.trust, far)
	if err != nil {
		return err
	}
	defer w.close()
	before := w.didit.Count(didittest.OpToken)
	fn, err := s.start(ctx, w, callers)
	if err != nil {
		return err
	}
	defer fn.Stop()
	failures := make([]error, callers)
	var calling sync.WaitGroup
	for i := range callers {
		calling.Go(func() { _, failures[i] = s.invoke(ctx, fn) })
	}
	calling.Wait()
	for _, err := range failures {
		if err != nil {
			return fmt.Errorf("one of %d concurrent cold callers: %w", callers, err)
		}
	}
	m.secretReads = w.secrets.Calls()
	m.tokenRequests = w.didit.Count(didittest.OpToken) - before
	return nil
}

// unreachable measures the init while no upstream answers. An init that fails
// for that is an error.
func (b *bench) unreachable(ctx context.Context, s side, m *measurement) error {
	for _, trouble := range []struct {
		name   string
		silent bool
		into   *sample
	}{{"down", false, &m.downInit}, {"silent", true, &m.silentInit}} {
		for range b.plan.Rounds {
			if err := b.troubledInit(ctx, s, trouble.silent, trouble.into); err != nil {
				return fmt.Errorf("init while the network is %s: %w", trouble.name, err)
			}
		}
	}
	return nil
}

func (b *bench) troubledInit(ctx context.Context, s side, silent bool, into *sample) error {
	w, err := deadWorld(b.trust, silent)
	if err != nil {
		return err
	}
	defer w.close()
	fn, err := s.start(ctx, w, 1)
	if err != nil {
		return err
	}
	defer fn.Stop()
	took, err := fn.WaitReady(ctx)
	if err != nil {
		return err
	}
	into.addTime(took)
	return nil
}
