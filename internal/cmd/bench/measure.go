package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"didit-sessions/internal/lambdatest"
)

// plan says how much is measured.
type plan struct {
	runs   int // starts of each kind and distance
	rounds int // processes of each side whose warm calls are put together

	// Calls of each round, not counting those that only warm up.
	farCalls, nearCalls int

	lambdaArch string // GOARCH of the binary whose size is measured
}

var (
	full  = plan{runs: 21, rounds: 3, farCalls: 100, nearCalls: 700, lambdaArch: "arm64"}
	brief = plan{runs: 3, rounds: 1, farCalls: 25, nearCalls: 500, lambdaArch: "arm64"}
)

func (p plan) calls(d distance) int {
	if d == far {
		return p.farCalls
	}
	return p.nearCalls
}

// side is one of the two programs that take turns, and what was measured of it.
type side struct {
	name, binary string
	payload      func() ([]byte, error) // of the next call; safe for concurrent use
	env          func(w *world) map[string]string
	shared       bool // the first process of a world leaves its access token to the others
	samples      samples
}

// measurement is all that was measured of one function and its floor.
type measurement struct{ function, floor *side }

// sides are the programs in the order of their turns.
func (m *measurement) sides() []*side { return []*side{m.function, m.floor} }

// maxAttempts is how often a process is started for its concurrent cold callers.
const maxAttempts = 5

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
	product, err := b.functionSide(ctx, f)
	if err != nil {
		return nil, err
	}
	floor, err := b.floorSide(ctx, f)
	if err != nil {
		return nil, err
	}
	m := &measurement{product, floor}
	if f.only != "" {
		say(f.only + " calls, far")
		if f.only == "cold" {
			return m, b.starts(ctx, m, far, coldStart)
		}
		return m, b.warmRounds(ctx, m, far)
	}
	for _, d := range []distance{far, near} {
		say("starts, " + d.name)
		if err := b.starts(ctx, m, d, coldStart, firstAfterInit); err != nil {
			return nil, err
		}
		say("warm calls, " + d.name)
		if err := b.warmRounds(ctx, m, d); err != nil {
			return nil, err
		}
	}
	say("starts without a network")
	if err := b.unreachable(ctx, product); err != nil || f.callers == 0 {
		return m, err
	}
	say(fmt.Sprintf("%d concurrent cold callers", f.callers))
	for range maxAttempts {
		// On a busy machine callers may meet a limit of the function, and be refused.
		if err = b.concurrent(ctx, f.callers, product); err == nil || ctx.Err() != nil {
			break
		}
	}
	return m, err
}

func (b *bench) warmRounds(ctx context.Context, m *measurement, d distance) error {
	for range b.plan.rounds {
		if err := b.warm(ctx, m, d); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) functionSide(ctx context.Context, f function) (*side, error) {
	s, err := b.build(ctx, f, f.key, "./functions/"+f.program, func(w *world) map[string]string { return w.environment(f) })
	if err == nil {
		s.shared = f.shared
	}
	return s, err
}

func (b *bench) floorSide(ctx context.Context, f function) (*side, error) {
	return b.build(ctx, f, f.key+"-floor", "./internal/cmd/bench/testdata/floor/"+f.floor, (*world).floorEnvironment)
}

// build returns a side after building it for this machine and for Lambda.
func (b *bench) build(ctx context.Context, f function, name, pkg string, env func(*world) map[string]string) (*side, error) {
	s := &side{name: name, binary: filepath.Join(b.dir, strings.ReplaceAll(pkg, "/", "-")), env: env, samples: samples{}}
	root, err := lambdatest.ModuleRoot(ctx)
	if err != nil {
		return nil, err
	}
	event, err := os.ReadFile(filepath.Join(root, "events", f.event))
	if err != nil {
		return nil, err
	}
	s.payload = func() ([]byte, error) { return event, nil }
	if f.payload != nil {
		if s.payload, err = f.payload(event); err != nil {
			return nil, fmt.Errorf("%s: %w", f.event, err)
		}
	}
	if _, err := os.Stat(s.binary); err != nil {
		if err := lambdatest.Build(ctx, pkg, s.binary); err != nil {
			return nil, err
		}
	}
	if f.only != "" {
		return s, nil // its size is measured elsewhere
	}
	deployed := s.binary
	if runtime.GOOS != "linux" || runtime.GOARCH != b.plan.lambdaArch {
		deployed += "-lambda"
		if err := lambdatest.BuildLambda(ctx, b.plan.lambdaArch, pkg, deployed); err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(deployed)
	if err != nil {
		return nil, err
	}
	s.samples.add("binary lambda-MB", float64(info.Size())/1e6)
	return s, nil
}
