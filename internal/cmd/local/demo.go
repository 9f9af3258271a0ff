package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// patience ends a story that hangs. It takes the place of the deployed functions' limits, which a
// busy machine would exceed.
const patience = 5 * time.Minute

// demo tells the story on a system of its own.
func demo(ctx context.Context, out io.Writer) error {
	s, err := start(options{
		listen: "127.0.0.1", getenv: func(string) string { return "" }, out: io.Discard, patience: patience,
	})
	if err != nil {
		return err
	}
	return errors.Join(tell(ctx, s, out), s.stop())
}

// tell tells the story on a fresh system, one line a step, and fails at the first step that does
// not end as expected. The clock moves only where the story moves it.
func tell(ctx context.Context, s *system, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s.clock.stop()
	t := &teller{ctx: ctx, system: s}
	for i, step := range t.steps() {
		line := step()
		if t.err != nil {
			return fmt.Errorf("step %d: %w", i+1, t.err)
		}
		fmt.Fprintf(out, "%2d. %s\n", i+1, line)
	}
	fmt.Fprintln(out, "done: every step ended as expected")
	return nil
}

// teller plays the apps, their users, the operator, and an attacker. Once err is set, its requests
// do nothing and return zero values.
type teller struct {
	ctx         context.Context
	system      *system
	err         error // what went wrong first
	session     reply // alice's first
	approved    reply // what GET returned for it once it was approved
	dave        execution
	daveSession reply
}

// steps are the story. Each step returns its line; later ones build on earlier ones.
func (t *teller) steps() []func() string {
	return []func() string{
		t.createFirst, t.createAgain, t.createForOther, t.createUnsigned, t.createInvalid,
		t.createDuringOutage, t.createAfterOutage, t.createAfterRotation,
		t.readNotStarted, t.readForeign, t.forgeWebhook, t.approve, t.checkEvent, t.readApproved, t.listSessions,
		t.deliverAgain, t.startWorkflow, t.releaseWorkflow, t.declineWorkflow,
		t.healByGet, t.healByReconcile, t.readDuringOutage, t.createNext,
	}
}

// check fails the step unless ok.
func (t *teller) check(ok bool, format string, args ...any) {
	if !ok && t.err == nil {
		t.err = fmt.Errorf(format, args...)
	}
}

// settle waits until all webhooks are delivered and all events are handled.
func (t *teller) settle() {
	err := t.system.simulator.Settle(t.ctx)
	t.check(err == nil, "webhooks are still under way: %w", err)
	err = t.system.bus.Wait(t.ctx)
	t.check(err == nil, "events are still under way: %w", err)
}
