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

// plan says how much is measured.
type plan struct {
	runs   int // starts of each kind and distance
	rounds int // processes of each side whose warm calls are put together

	// Calls of each round, not counting those that only warm up.
	farCalls, nearCalls int

	limit      time.Duration // for each function, not counting builds
	lambdaArch string        // GOARCH of the binary whose size is measured
}

var (
	full  = plan{runs: 21, rounds: 3, farCalls: 100, nearCalls: 700, limit: 3 * time.Minute, lambdaArch: "arm64"}
	brief = plan{runs: 3, rounds: 1, farCalls: 25, nearCalls: 500, limit: time.Minute, lambdaArch: "arm64"}
)

// withRuns is the plan with another number of starts, and time for them.
func (p plan) withRuns(runs int) plan {
	const pairsOfStarts = 4 * time.Second // both sides, both kinds, both distances, with room
	p.limit += time.Duration(max(0, runs-p.runs)) * pairsOfStarts
	p.runs = runs
	return p
}

func (p plan) calls(d distance) int {
	if d == far {
		return p.farCalls
	}
	return p.nearCalls
}

// side is one of the two programs that take turns, and what was measured of it.
type side struct {
	name, pkg, binary string
	payload           func() ([]byte, error) // of the next call; safe for concurrent use
	status            int                    // of the answer
	env               func(w *world) map[string]string

	far, near            times
	lambdaSize, hostSize float64 // MB of the binary

	// Of the processes that answered the warm calls without a round trip. Empty where it cannot be
	// read.
	peak sample // MiB
	cpu  sample // microseconds a call
}

// times are what one side took at one distance, in milliseconds.
type times struct {
	init  sample // process start to the first call of the Runtime API's "next"
	cold  sample // process start to the first answer, the invocation waiting at once
	first sample // the first call after a finished init: from handing over to the answer
	warm  sample // any later call, likewise
}

// at returns the times at the distance.
func (s *side) at(d distance) *times {
	if d == far {
		return &s.far
	}
	return &s.near
}

// measurement is all that was measured of one function and its floor.
type measurement struct {
	function, floor side

	downInit, silentInit       sample // milliseconds to init while no upstream can be reached
	secretReads, tokenRequests int    // by concurrent cold callers in one process
}

// sides are the programs in the order of their turns.
func (m *measurement) sides() []*side { return []*side{&m.function, &m.floor} }

// bench is what all measurements share.
type bench struct {
	plan  plan
	trust *trust
	dir   string
}

// measure builds and measures the functions one after another, and calls done after each.
func measure(ctx context.Context, p plan, functions []function, progress io.Writer, done func(function, *measurement) error) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// The garbage collector of this process shares the processors with what is measured.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	trust, err := newTrust(dir)
	if err != nil {
		return err
	}
	b := &bench{plan: p, trust: trust, dir: dir}
	for _, f := range functions {
		say := func(what string) { fmt.Fprintf(progress, "bench: %s: %s\n", f.key, what) }
		m, err := b.measure(ctx, f, say)
		if err != nil {
			return fmt.Errorf("%s: %w", f.key, err)
		}
		if err := done(f, m); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) measure(ctx context.Context, f function, say func(string)) (*measurement, error) {
	say("building")
	m, err := b.build(ctx, f)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, b.plan.limit, fmt.Errorf("not finished after %v", b.plan.limit))
	defer cancel()
	err = b.run(ctx, f, m, say)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return m, err
}

// run measures all that needs processes.
func (b *bench) run(ctx context.Context, f function, m *measurement, say func(string)) error {
	for _, d := range []distance{far, near} {
		say("starts, " + d.name)
		if err := b.starts(ctx, m, d); err != nil {
			return err
		}
		say("warm calls, " + d.name)
		for range b.plan.rounds {
			if err := b.warm(ctx, m, d); err != nil {
				return err
			}
		}
	}
	say("starts without a network")
	if err := b.unreachable(ctx, m); err != nil || f.callers == 0 {
		return err
	}
	say(fmt.Sprintf("%d concurrent cold callers", f.callers))
	return b.concurrent(ctx, f.callers, m)
}

// build builds both sides.
func (b *bench) build(ctx context.Context, f function) (*measurement, error) {
	m := &measurement{function: b.functionSide(f), floor: b.floorSide(f)}
	for _, s := range m.sides() {
		if err := b.prepare(ctx, f, s); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (b *bench) functionSide(f function) side {
	return side{name: f.key, pkg: "./functions/" + f.program, binary: filepath.Join(b.dir, f.key),
		env: func(w *world) map[string]string { return w.environment(f.recording) }}
}

func (b *bench) floorSide(f function) side {
	return side{name: f.key + ", floor", pkg: "./internal/cmd/bench/testdata/floor/" + f.floor, binary: filepath.Join(b.dir, f.key+"-floor"),
		env: (*world).floorEnvironment}
}

// prepare builds the side for this machine and for Lambda, measures the binaries, and reads the
// event.
func (b *bench) prepare(ctx context.Context, f function, s *side) error {
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
	if err := lambdatest.Build(ctx, s.pkg, s.binary); err != nil {
		return err
	}
	deployed := s.binary
	if runtime.GOOS != "linux" || runtime.GOARCH != b.plan.lambdaArch {
		deployed += "-lambda"
		if err := lambdatest.BuildLambda(ctx, b.plan.lambdaArch, s.pkg, deployed); err != nil {
			return err
		}
	}
	s.hostSize, err = megabytes(s.binary)
	if err == nil {
		s.lambdaSize, err = megabytes(deployed)
	}
	return err
}

func megabytes(file string) (float64, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / 1e6, nil
}
