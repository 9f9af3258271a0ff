package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"didit-sessions/internal/lambdatest"
)

// measureCost measures under a quota of processor time where this machine has
// one, and else computes from times and processor times without.
func measureCost(ctx context.Context, p plan, functions []function, progress io.Writer) (*costReport, error) {
	b, remove, err := newBench(p)
	if err != nil {
		return nil, err
	}
	defer remove()
	r := &costReport{Machine: thisMachine(), Plan: p, Measured: true}
	q, err := newQuota(groupRoot)
	if err != nil {
		r.Measured, r.Why = false, err.Error()
	} else {
		defer q.close()
	}
	for _, f := range functions {
		c, err := b.cost(ctx, f, q, f.say(progress))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.title, err)
		}
		r.Functions = append(r.Functions, c)
	}
	return r, nil
}

func (b *bench) cost(ctx context.Context, f function, q *quota, say func(string)) (functionCost, error) {
	c := functionCost{Key: f.key, Title: f.title, About: f.about}
	s := side{name: f.key, env: f.env}
	say("building")
	if err := b.prepare(ctx, f, f.pkg(), &s); err != nil {
		return c, err
	}
	err := b.limited(ctx, func(ctx context.Context) error {
		w, err := newWorld(ctx, b.trust, far)
		if err != nil {
			return err
		}
		defer w.close()
		c.Sizes, err = b.sizes(ctx, s, w, q, say)
		return err
	})
	return c, err
}

// sizes measures each memory size or, without a quota, computes it; q may be nil.
func (b *bench) sizes(ctx context.Context, s side, w *world, q *quota, say func(string)) ([]sizeCost, error) {
	var free costTimes
	if q == nil {
		say("without a quota")
		if err := b.costTimes(ctx, s, w, nil, 1, &free); err != nil {
			return nil, err
		}
	}
	var sizes []sizeCost
	for _, memory := range memorySizes {
		if q == nil {
			sizes = append(sizes, priced(memory, free.at(b.share(memory))))
			continue
		}
		say(fmt.Sprintf("%d MB", memory))
		var t costTimes
		if err := b.costTimes(ctx, s, w, q, b.share(memory), &t); err != nil {
			return nil, fmt.Errorf("%d MB: %w", memory, err)
		}
		sizes = append(sizes, priced(memory, t))
	}
	return sizes, nil
}

func (b *bench) share(memory int) float64 { return max(share(memory), b.plan.minShare) }

// costTimes are what calls took, in milliseconds.
type costTimes struct {
	init, cold, warm sample // cold is init and first call

	// Processor time of a first call with its init, of an init alone, and of a warm
	// call; only without a quota.
	coldCPU, initCPU, warmCPU sample
}

// costTimes measures one memory size; q may be nil.
func (b *bench) costTimes(ctx context.Context, s side, w *world, q *quota, share float64, t *costTimes) error {
	for range b.plan.Runs {
		if err := s.costlyCalls(ctx, w, q, share, 1, t); err != nil {
			return err
		}
		if q == nil {
			if err := s.costlyCalls(ctx, w, nil, share, 0, t); err != nil {
				return err
			}
		}
	}
	return s.costlyCalls(ctx, w, q, share, warmingUp+b.plan.FarCalls, t)
}

// costlyCalls starts a process, which has a whole processor until it is ready,
// and makes so many calls with that share of one.
func (s side) costlyCalls(ctx context.Context, w *world, q *quota, share float64, calls int, t *costTimes) error {
	if q != nil {
		if err := q.limit(1); err != nil {
			return err
		}
	}
	fn, err := s.start(ctx, w, 1)
	if err != nil {
		return err
	}
	defer fn.Stop()
	if q != nil {
		if err := q.add(fn.PID()); err != nil {
			return err
		}
	}
	init, err := fn.WaitReady(ctx)
	if err != nil {
		return err
	}
	if q != nil {
		if err := q.limit(share); err != nil {
			return err
		}
	}
	var took sample
	for range calls {
		one, err := s.call(ctx, fn, 1)
		if err != nil {
			return err
		}
		took = append(took, one...)
		// Calls do not follow one another at once, so each finds its whole share.
		time.Sleep(quotaPeriod)
	}
	if calls == 1 {
		t.init.addTime(init)
		t.cold.add(milliseconds(init) + took[0])
	} else if calls > warmingUp {
		t.warm = append(t.warm, took[warmingUp:]...)
	}
	if q == nil {
		t.addCPU(calls, fn.Stop())
	}
	return nil
}

// addCPU counts the processor time of a whole process that answered so many calls.
func (t *costTimes) addCPU(calls int, u lambdatest.Usage) {
	used := milliseconds(u.UserCPU + u.SystemCPU)
	switch calls {
	case 0:
		t.initCPU.add(used)
	case 1:
		t.coldCPU.add(used)
	default:
		t.warmCPU.add(max(0, used-t.coldCPU.median()) / float64(calls-1))
	}
}

// at is what the times would be with a share of a processor from the first call
// on, if nothing waits while it computes: the most that it can be.
func (t costTimes) at(share float64) costTimes {
	slower := 1/share - 1
	stretched := func(times sample, cpu float64) sample {
		var s sample
		for _, value := range times {
			s.add(value + max(0, cpu)*slower)
		}
		return s
	}
	return costTimes{
		init: t.init,
		cold: stretched(t.cold, t.coldCPU.median()-t.initCPU.median()),
		warm: stretched(t.warm, t.warmCPU.median()),
	}
}
