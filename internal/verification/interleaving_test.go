package verification_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// schedule is who runs when: the first makes so many calls, then the second so many, then the first
// goes on to its end, and the second after it.
type schedule struct{ first, second int }

// walk runs two operations, lets the system heal, and returns what is wrong in the end, and which
// calls each made.
func walk(b beginning, pair [2]*actor, s schedule, f fault, lost bool) (wrong []string, calls [2][]string) {
	w := b.world()
	var all [2]*process
	for i, a := range pair {
		if a.token != "" {
			w.tasks.Open(a.token)
		}
		all[i] = w.start(i, a, f)
	}
	all[0].run(s.first)
	all[1].run(s.second)
	all[0].run(toTheEnd)
	all[1].run(toTheEnd)
	live := slices.Clone(b.tasks)
	for i, p := range all {
		calls[i] = p.names
		if p.token != "" && !p.died && p.err == nil {
			live = append(live, p.token)
		}
	}
	if w.reads > 1 {
		wrong = append(wrong, fmt.Sprintf("Didit was asked %d times within a minute", w.reads))
	}
	w.heal(lost)
	return append(wrong, w.wrong(b, live)...), calls
}

// heal lets everything happen that happens in the end: Didit repeats its webhook and the bus its
// events, unless they are lost, and the schedule calls until nothing is due.
func (w *world) heal(lost bool) {
	ctx := context.Background()
	b := &backend{store: &w.store, bus: &w.bus, tasks: &w.tasks, didit: w}
	b.call = func(name string, make func() error) error {
		err := make()
		w.watch(name)
		return err
	}
	t := w.tracker(b)
	w.status = "Approved"
	w.store.Lag(false)
	w.clock.pass(time.Minute)
	if !lost {
		_ = w.hear(b)
		for _, e := range w.bus.Published() {
			_ = t.Track(ctx, e)
		}
	}
	for range 4 {
		w.clock.pass(25 * time.Hour)
		if len(w.due(w.clock.now())) == 0 {
			return
		}
		_, _ = t.Reconcile(ctx)
	}
}

// wrong says what must not be in the end.
func (w *world) wrong(b beginning, live []string) (all []string) {
	ctx := context.Background()
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	r, found, _ := w.store.Record(ctx, session)
	for _, token := range live {
		if end := ending(&w.tasks, token); end != "Approved" && (!b.gone || end != "SessionNotFound") {
			say("task %s ended with %q, and %q stands", token, end, r.Status)
		}
	}
	frozen := found && r.Status != "Approved"
	if frozen && (!b.gone || len(live) > 0 && !w.gaveUp(live)) || !found && (b.age > 0 || len(live) > 0) {
		say("status is %q, on record %v, frozen", r.Status, found)
	}
	if len(w.due(w.clock.now().Add(1000*time.Hour))) > 0 && found && !frozen {
		say("still due")
	}
	tokens, _ := w.store.Tokens(ctx, session)
	for _, token := range tokens {
		if slices.Contains(live, token) { // others are of tasks that ended when their registration failed
			say("task %s is not forgotten", token)
		}
	}
	published := map[string]bool{"Not Started": true, "In Progress": b.doubt}
	for _, e := range w.bus.Published() {
		published[e.Status] = published[e.Status] || e.Recorded
	}
	for _, status := range w.took {
		if !published[status] {
			say("%s was recorded and never published", status)
		}
	}
	return all
}

// due is whether the session is due at a time.
func (w *world) due(at time.Time) []string {
	return slices.DeleteFunc(due(&w.store, at), func(id string) bool { return id != session })
}

func (w *world) gaveUp(live []string) bool {
	return !slices.ContainsFunc(live, func(token string) bool { return ending(&w.tasks, token) != "SessionNotFound" })
}

// What there is to walk. An operation that makes fewer calls lowers it rightly; nothing else does.
const (
	leastWalks  = 42283
	leastFaults = 31777
)

// Ensure that two operations on one session may meet in any order and fail at any call: in the end
// every task that waits is ended with the status that stands, that is Didit's, and every status
// that was recorded was published.
func TestTracker_interleavings(t *testing.T) {
	t.Parallel()
	var walks, faults atomic.Int64
	t.Run("all", func(t *testing.T) {
		for _, b := range beginnings {
			for _, pair := range b.pairs() {
				t.Run(b.name+"/"+pair[0].name+"/"+pair[1].name, func(t *testing.T) {
					t.Parallel()
					n, f := walkAll(t, b, pair)
					walks.Add(n)
					faults.Add(f)
				})
			}
		}
	})
	if walks.Load() < leastWalks || faults.Load() < leastFaults {
		t.Errorf("got %d walks, %d of them with a fault, want at least %d and %d: something is not walked any more",
			walks.Load(), faults.Load(), leastWalks, leastFaults)
	}
}

// reading are the calls that have no effect.
var reading = []string{"Record", "Tokens", "Due", "Decision"}

// walkAll runs every schedule of the pair, and every fault in those where the second runs at one
// go.
func walkAll(t *testing.T, b beginning, pair [2]*actor) (walks, faults int64) {
	t.Helper()
	try := func(s schedule, f fault) (calls [2][]string) {
		for _, lost := range []bool{false, true} {
			if !lost && f.kind != "" && (f.kind != "crash" || !slices.Contains(pair[:], deliver)) {
				continue // what was lost needs more to heal than what comes again
			}
			var wrong []string
			wrong, calls = walk(b, pair, s, f, lost)
			walks++
			if f.kind != "" {
				faults++
			}
			for _, problem := range wrong {
				t.Errorf("the first makes %d calls, then the second %d; fault %+v; webhook lost %v: %s", s.first, s.second, f, lost, problem)
			}
		}
		return calls
	}
	for first := 0; ; first++ {
		calls := try(schedule{first, toTheEnd}, fault{})
		for second := 1; second < len(calls[1]); second++ {
			try(schedule{first, second}, fault{})
		}
		for process := range pair {
			for call, name := range calls[process] {
				for _, kind := range faultKinds {
					word, _, _ := strings.Cut(name, " ")
					if kind == "conflict" && !slices.Contains(conditional, word) {
						continue
					}
					if process == 0 && kind == "crash" && call+1 < first {
						continue // the first is dead by then: a schedule of fewer calls is the same
					}
					if kind == "answer lost" && slices.Contains(reading, name) {
						continue // a read whose answer is lost is one that fails
					}
					try(schedule{first, toTheEnd}, fault{process, call, kind})
				}
			}
		}
		if first >= len(calls[0]) || t.Failed() {
			return walks, faults
		}
	}
}
