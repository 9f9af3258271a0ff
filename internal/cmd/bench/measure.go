package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"didit-sessions/internal/lambdatest"
)

// idleBefore is how long a process that has finished its init does nothing
// before its first call comes.
const idleBefore = 50 * time.Millisecond

// side is one of the two programs that take turns.
type side struct {
	name, binary string
	payload      func() ([]byte, error) // of the next call; called by several goroutines
	status       int
	env          func(w *world) map[string]string
}

// both holds the function's at 0 and the floor's at 1.
type both[T any] [2]T

// times are what one side took, in milliseconds.
type times struct {
	init  sample // process start to the first call of the Runtime API's "next"
	cold  sample // process start to the first answer, the invocation waiting at once
	first sample // the first call after a finished init: from handing over to the answer
	warm  sample // any later call, likewise
}

// measurement is all that was measured of one function and its floor.
type measurement struct {
	far, near both[times]

	// Of the processes that answered the warm calls at no round trip, the most calls
	// of all. Empty where it cannot be read.
	peak both[sample] // MiB
	cpu  both[sample] // microseconds a call

	lambdaSize, hostSize both[float64] // bytes of the binary

	downInit, silentInit sample // milliseconds to init while no upstream can be reached

	secretReads, tokenRequests int // by concurrent cold callers in one process
}

// bench is what all measurements share.
type bench struct {
	plan  plan
	trust *trust
	dir   string
}

// newBench also returns what removes everything that the measurements leave
// behind.
func newBench(p plan) (*bench, func(), error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, nil, err
	}
	// The collector of this process shares the processors with what is measured.
	usual := debug.SetGCPercent(400)
	remove := func() {
		debug.SetGCPercent(usual)
		os.RemoveAll(dir)
	}
	trust, err := newTrust(dir)
	if err != nil {
		remove()
		return nil, nil, err
	}
	return &bench{plan: p, trust: trust, dir: dir}, remove, nil
}

// measure builds and measures the functions one after another, and tells progress
// about it.
func measure(ctx context.Context, p plan, functions []function, progress io.Writer) (*report, error) {
	b, remove, err := newBench(p)
	if err != nil {
		return nil, err
	}
	defer remove()
	r := newReport(p)
	for _, f := range functions {
		m, err := b.measure(ctx, f, f.say(progress))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.title, err)
		}
		r.add(f, m)
	}
	return r, nil
}

func (f function) say(progress io.Writer) func(string) {
	return func(what string) { fmt.Fprintf(progress, "bench: %s: %s\n", f.title, what) }
}

func (b *bench) measure(ctx context.Context, f function, say func(string)) (*measurement, error) {
	m := &measurement{}
	say("building")
	sides, err := b.build(ctx, f, m)
	if err != nil {
		return nil, err
	}
	err = b.limited(ctx, func(ctx context.Context) error { return b.run(ctx, f, sides, m, say) })
	if err != nil {
		return nil, err
	}
	return m, nil
}

// limited ends what takes much longer than it should, and says so.
func (b *bench) limited(ctx context.Context, run func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, b.plan.limit, fmt.Errorf("not finished after %v", b.plan.limit))
	defer cancel()
	err := run(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// run measures all that needs processes.
func (b *bench) run(ctx context.Context, f function, sides both[side], m *measurement, say func(string)) error {
	for _, d := range []distance{far, near} {
		of := &m.far
		if d == near {
			of = &m.near
		}
		say("starts, " + d.String())
		if err := b.starts(ctx, sides, d, of); err != nil {
			return err
		}
		say("warm calls, " + d.String())
		for range b.plan.Rounds {
			if err := b.warm(ctx, sides, d, of, m); err != nil {
				return err
			}
		}
	}
	say("starts without a network")
	if err := b.unreachable(ctx, sides[0], m); err != nil || f.callers == 0 {
		return err
	}
	say(fmt.Sprintf("%d concurrent cold callers", f.callers))
	return b.concurrent(ctx, sides[0], f.callers, m)
}

// build makes the binaries of both sides and takes their sizes.
func (b *bench) build(ctx context.Context, f function, m *measurement) (both[side], error) {
	sides := both[side]{{name: f.key, env: f.env}, {name: f.key + "-floor", env: f.floorEnv}}
	for i, pkg := range []string{f.pkg(), "./internal/cmd/bench/testdata/floor/" + f.floor} {
		s := &sides[i]
		if err := b.prepare(ctx, f, pkg, s); err != nil {
			return sides, err
		}
		var err error
		if m.hostSize[i], err = size(s.binary); err != nil {
			return sides, err
		}
		if runtime.GOOS == "linux" && runtime.GOARCH == f.lambdaCPU {
			m.lambdaSize[i] = m.hostSize[i]
			continue
		}
		deployed := s.binary + "-" + f.lambdaCPU
		if err := lambdatest.BuildLambda(ctx, f.lambdaCPU, pkg, deployed); err != nil {
			return sides, err
		}
		if m.lambdaSize[i], err = size(deployed); err != nil {
			return sides, err
		}
	}
	return sides, nil
}

func (f function) pkg() string { return "./functions/" + f.program }

// prepare builds the side for this machine and finds out what it is to answer.
func (b *bench) prepare(ctx context.Context, f function, pkg string, s *side) error {
	root, err := lambdatest.ModuleRoot(ctx)
	if err != nil {
		return err
	}
	event, err := os.ReadFile(filepath.Join(root, "events", f.event))
	if err != nil {
		return err
	}
	s.status = f.status
	s.payload = func() ([]byte, error) { return event, nil }
	if f.payload != nil {
		if s.payload, err = f.payload(event); err != nil {
			return fmt.Errorf("%s: %w", f.event, err)
		}
	}
	s.binary = filepath.Join(b.dir, s.name)
	return lambdatest.Build(ctx, pkg, s.binary)
}

func size(file string) (float64, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()), nil
}
