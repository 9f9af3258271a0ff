package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// patience only ends a story that hangs. The limits of the deployed functions are no part of it: on a busy
// machine it would run into them.
const patience = 5 * time.Minute

// demo tells the story on a system of its own.
func demo(ctx context.Context, out io.Writer) error {
	s, err := start(options{listen: "127.0.0.1", getenv: func(string) string { return "" }, out: io.Discard, patience: patience})
	if err != nil {
		return err
	}
	return errors.Join(tell(ctx, s, out), s.stop())
}

// tell tells the story on a fresh system, one line a step, and fails at the first step that does not
// end as told. The clock moves only where the story moves it.
func tell(ctx context.Context, s *system, out io.Writer) error {
	s.clock.stop()
	t := &teller{ctx: ctx, system: s}
	for i, step := range t.steps() {
		line, err := step()
		if err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		fmt.Fprintf(out, "%2d. %s\n", i+1, line)
	}
	fmt.Fprintln(out, "done: every step ended as told")
	return nil
}

// teller plays apps, the people in front of them, and the world around them.
type teller struct {
	ctx         context.Context
	system      *system
	session     reply // alice's first
	asked       reply // what GET said of it last
	dave        execution
	daveSession reply
}

// steps are the story. What a step leaves behind, later ones build on.
func (t *teller) steps() []func() (string, error) {
	return []func() (string, error){
		t.created, t.askedAgain, t.otherUser, t.notSignedIn, t.invalid, t.diditDown, t.diditBack, t.rotated,
		t.notStarted, t.notHers, t.forged, t.approved, t.published, t.verified, t.listed, t.deliveredAgain,
		t.waiting, t.released, t.declined,
		t.healedByGet, t.healedByReconcile, t.servedAsItIs, t.newSession,
	}
}

// settle waits until all webhooks are delivered and all events are handled.
func (t *teller) settle() error {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	if err := t.system.simulator.Settle(ctx); err != nil {
		return fmt.Errorf("webhooks are still on their way: %w", err)
	}
	if err := t.system.bus.Wait(ctx); err != nil {
		return fmt.Errorf("events are still on their way: %w", err)
	}
	return nil
}
