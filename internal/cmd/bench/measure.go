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
	payload      []byte
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

	peak both[sample] // MiB, of the processes that answered the warm calls
	cpu  both[sample] // microseconds a warm call at no round trip; empty where it cannot be read

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

// measure builds and measures the functions one after another, and tells progress
// about it.
func measure(ctx context.Context, p plan, functions []function, progress io.Writer) (*report, error) {
	// The collector of this process shares the processors with what is measured.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b := &bench{plan: p, dir: dir}
	if b.trust, err = newTrust(dir); err != nil {
		return nil, err
	}
	r := newReport(p)
	for _, f := range functions {
		m, err := b.measure(ctx, f, func(what string) { fmt.Fprintf(progress, "bench: %s: %s\n", f.name, what) })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		r.add(f, m)
	}
	return r, nil
}

func (b *bench) measure(ctx context.Context, f function, say func(string)) (*measurement, error) {
	m := &measurement{}
	say("building")
	sides, err := b.build(ctx, f, m)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, b.plan.limit, fmt.Errorf("not finished after %v", b.plan.limit))
	defer cancel()
	if err := b.run(ctx, f, sides, m, say); err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return nil, err
	}
	return m, nil
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
	say(fmt.Sprintf("%d concurrent cold callers; starts without a network", f.callers))
	if err := b.concurrent(ctx, sides[0], f.callers, m); err != nil {
		return err
	}
	return b.unreachable(ctx, sides[0], m)
}

// build makes the binaries of both sides and takes their sizes.
func (b *bench) build(ctx context.Context, f function, m *measurement) (both[side], error) {
	var sides both[side]
	root, err := lambdatest.ModuleRoot(ctx)
	if err != nil {
		return sides, err
	}
	payload, err := os.ReadFile(filepath.Join(root, "events", f.event))
	if err != nil {
		return sides, err
	}
	sides[0] = side{name: f.name, env: f.env}
	sides[1] = side{name: "floor", env: f.floorEnv}
	for i, pkg := range []string{"./functions/" + f.name, f.floor} {
		s := &sides[i]
		s.payload, s.status = payload, f.status
		s.binary = filepath.Join(b.dir, f.name+"-"+s.name)
		if err := lambdatest.Build(ctx, pkg, s.binary); err != nil {
			return sides, err
		}
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

func size(file string) (float64, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()), nil
}
