package verification_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/verification"
)

// fresh is the session that Didit creates once the other one is deleted.
var fresh = numbered(50)

// walked is what Didit has of the end user, as one of those who meet sees it.
type walked struct {
	w *world
	b *backend
}

func (d walked) ListSessions(_ context.Context, vendorData string) iter.Seq2[didit.ListedSession, error] {
	return func(yield func(didit.ListedSession, error) bool) {
		var ids []string
		err := d.b.call("List", func() error {
			for _, id := range []string{session, fresh} {
				if d.w.there[id] {
					ids = append(ids, id)
					d.w.seen[id] = true
				}
			}
			return nil
		})
		if err != nil {
			yield(didit.ListedSession{}, err)
			return
		}
		for _, id := range ids {
			if !yield(didit.ListedSession{ID: id, VendorData: &vendorData}, nil) {
				return
			}
		}
	}
}

func (d walked) DeleteSession(_ context.Context, id string) error {
	return d.b.call("DeleteSession", func() error {
		if !d.w.there[id] {
			return &didit.Error{Kind: didit.KindNotFound, Op: "delete_session"}
		}
		d.w.there[id] = false
		return nil
	})
}

func (d walked) DeleteUser(context.Context, string) error {
	return d.b.call("DeleteUser", func() error { d.w.user = false; return nil })
}

// CreateSession returns the unfinished session, or a new one.
func (d walked) CreateSession(_ context.Context, r didit.SessionRequest) (s didit.Session, err error) {
	err = d.b.call("CreateSession", func() error {
		s = didit.Session{ID: session, URL: "https://didit.test/session", Status: "Not Started", WorkflowID: r.WorkflowID, VendorData: &r.VendorData}
		if there, known := d.w.there[session]; known && !there {
			s.ID = fresh
		}
		d.w.there[s.ID], d.w.user = true, true
		return nil
	})
	return s, err
}

// Status answers like a Didit that has deleted the session, once it has.
func (d walked) Status(ctx context.Context, id string) (didit.Decision, error) {
	if !d.w.there[id] {
		return didit.Decision{}, &didit.Error{Kind: didit.KindNotFound, Op: "decision"}
	}
	return d.w.Status(ctx, id)
}

func (d walked) APIVersion(context.Context) (didit.Version, error) { return didit.V3, nil }

func eraseIn(w *world, b *backend) error {
	e := &verification.Eraser{Store: b, Bus: b, Tasks: b, Didit: walked{w, b}, AtOnce: 1, Now: w.clock.now,
		Sleep: func(_ context.Context, d time.Duration) {
			_ = b.call("Sleep", func() error {
				// The lists have caught up with the records, and nothing that was decided before is still to be
				// published: that takes less time.
				w.clock.pass(d)
				w.store.Lag(false)
				for _, p := range w.all {
					if strings.HasPrefix(p.nextCall, "Publish") && p.name != "erase" && !p.over {
						p.step()
					}
				}
				return nil
			})
		}}
	_, err := e.Erase(context.Background(), someone)
	return err
}

// asWalked has an operation see the Didit of the walk.
func asWalked(a *actor) *actor {
	other := *a
	other.act = func(w *world, b *backend) error {
		seeing := *b
		seeing.didit = walked{w, b}
		return a.act(w, &seeing)
	}
	return &other
}

// The operations that erasure meets.
var (
	erase     = &actor{name: "erase", act: eraseIn}
	eraseToo  = &actor{name: "erase too", act: eraseIn}
	createFor = &actor{name: "create", act: func(w *world, b *backend) error {
		c := &verification.Creator{Didit: walked{w, b}, Store: b, Now: w.clock.now, Policy: verification.Policy{AnyWorkflow: true}}
		_, err := c.Create(context.Background(), verification.CreateRequest{Caller: trusted, Fields: verification.Value{Kind: verification.KindObject, Members: []verification.Member{
			{Name: "workflow_id", Value: verification.Value{Kind: verification.KindString, Text: workflow}},
			{Name: "vendor_data", Value: verification.Value{Kind: verification.KindString, Text: someone}},
		}}})
		return err
	}}
)

// erasures are how things stand when an erasure meets another operation.
var erasures = []beginning{
	{name: "created", age: 20 * time.Minute},
	{name: "awaited", age: 20 * time.Minute, tasks: []string{"first"}},
	{name: "in doubt and awaited", age: 20 * time.Minute, tasks: []string{"first"}, doubt: true},
	{name: "not on record"},
	{name: "expired", expired: true},
	{name: "awaited, lists lag", age: 20 * time.Minute, tasks: []string{"first"}, lags: true},
}

// walkErasure runs an erasure and another operation, lets the system heal, the caller repeat what
// failed and Didit repeat everything, and returns what is wrong in the end.
func walkErasure(b beginning, pair [2]*actor, s schedule, f fault) (wrong []string, calls [2][]string) {
	w := b.world()
	w.there, w.seen, w.user = map[string]bool{session: true}, map[string]bool{}, true
	for i, a := range pair {
		if a.token != "" {
			w.tasks.Open(a.token)
		}
		w.all = append(w.all, w.start(i, a, f))
	}
	w.all[0].run(s.first)
	w.all[1].run(s.second)
	w.all[0].run(toTheEnd)
	w.all[1].run(toTheEnd)
	live, again := slices.Clone(b.tasks), false
	for i, p := range w.all {
		calls[i] = p.names
		if p.token != "" && !p.died && p.err == nil {
			live = append(live, p.token)
		}
		again = again || p.act != nil && strings.HasPrefix(p.name, "erase") && (p.died || p.err != nil)
	}
	plain := &backend{store: &w.store, bus: &w.bus, tasks: &w.tasks, call: func(_ string, make func() error) error { return make() }}
	if again {
		w.clock.pass(time.Minute)
		if err := eraseIn(w, plain); err != nil {
			wrong = append(wrong, fmt.Sprintf("erased again: %v", err))
		}
	}
	silent := len(w.bus.Published())
	plain.didit = walked{w, plain}
	return append(wrong, w.comesBack(plain, live, silent)...), calls
}

// comesBack repeats all that could bring the erased session back, and says what did.
func (w *world) comesBack(b *backend, live []string, silent int) (all []string) {
	ctx := context.Background()
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	t := w.tracker(b)
	events := w.bus.Published()
	last := 0
	for i, e := range events {
		if e.UserErased {
			last = i
		}
	}
	for _, e := range events[last+1:] {
		if e.SessionID == session {
			say("%v was published after the erasure", e)
		}
	}
	w.status = "Approved"
	w.clock.pass(time.Minute)
	for range 2 {
		_, _ = t.Receive(ctx, approval())
		for _, e := range events {
			_ = t.Track(ctx, e)
		}
		_, _ = t.Status(ctx, trusted, session)
		w.clock.pass(25 * time.Hour)
		_, _ = t.Reconcile(ctx)
	}
	for _, e := range w.bus.Published()[silent:] {
		if e.SessionID == session {
			say("%v was published in the end", e)
		}
	}
	for _, id := range []string{session, fresh} {
		r, found, _ := w.store.Record(ctx, id)
		switch erased := w.seen[id]; {
		case erased && (w.there[id] || !found || !r.Erased || r.VendorData != "" || r.Status != "" || r.Version != 0):
			say("%s: at Didit %v, on record %v, erased %v, owner %q, status %q", id, w.there[id], found, r.Erased, r.VendorData, r.Status)
		case !erased && found && r.Erased && w.there[id]:
			say("%s is marked, and was left at Didit", id)
		case !erased && found && !r.Erased && !w.there[id]:
			say("%s is deleted at Didit, and on record", id)
		}
	}
	if w.user && !w.there[fresh] {
		say("Didit has the user")
	}
	if got := w.due(w.clock.now().Add(1000 * time.Hour)); len(got) > 0 {
		say("still due")
	}
	for _, token := range live {
		if end := ending(&w.tasks, token); end != "UserErased" && end != "Approved" {
			say("task %s ended with %q", token, end)
		}
	}
	tokens, _ := w.store.Tokens(ctx, session)
	for _, token := range tokens {
		if slices.Contains(live, token) {
			say("task %s is not forgotten", token)
		}
	}
	if _, err := t.Status(ctx, trusted, session); err == nil {
		say("the session is shown")
	}
	if err := t.Await(ctx, session, "late"); verification.AsError(err).Code != verification.CodeUserErased {
		say("a late task may wait: %v", err)
	}
	return all
}

// What there is to walk; see leastWalks.
const leastErasures = 41972

// Ensure that nothing brings a session back that was erased: whatever meets the erasure in any
// order, and whatever fails at any call, if only the erasure is repeated until it succeeds.
func TestEraser_interleavings(t *testing.T) {
	t.Parallel()
	var walks atomic.Int64
	t.Run("all", func(t *testing.T) {
		for _, b := range erasures {
			for _, other := range []*actor{asWalked(one), asWalked(ask), asWalked(deliver), asWalked(complete), createFor, eraseToo} {
				for _, pair := range [][2]*actor{{erase, other}, {other, erase}} {
					t.Run(b.name+"/"+pair[0].name+"/"+pair[1].name, func(t *testing.T) {
						t.Parallel()
						walks.Add(walkErasures(t, b, pair))
					})
				}
			}
		}
	})
	if walks.Load() < leastErasures {
		t.Errorf("got %d walks, want at least %d: something is not walked any more", walks.Load(), leastErasures)
	}
}

func walkErasures(t *testing.T, b beginning, pair [2]*actor) (walks int64) {
	t.Helper()
	try := func(s schedule, f fault) (calls [2][]string) {
		var wrong []string
		wrong, calls = walkErasure(b, pair, s, f)
		walks++
		for _, problem := range wrong {
			t.Errorf("the first makes %d calls, then the second %d; fault %+v: %s\n%q", s.first, s.second, f, problem, calls)
		}
		return calls
	}
	for first := 0; !t.Failed(); first++ {
		calls := try(schedule{first, toTheEnd}, fault{})
		for second := 1; second < len(calls[1]); second++ {
			try(schedule{first, second}, fault{})
		}
		for process := range pair {
			for call, name := range calls[process] {
				for _, kind := range faultKinds {
					word, _, _ := strings.Cut(name, " ")
					switch {
					case kind == "conflict" && !slices.Contains(conditional, word), name == "Sleep" && kind != "crash":
						continue
					case process == 0 && kind == "crash" && call+1 < first:
						continue // the first is dead by then: a schedule of fewer calls is the same
					case kind == "answer lost" && (slices.Contains(reading, name) || name == "List" || name == "Owned"):
						continue // a read whose answer is lost is one that fails
					}
					try(schedule{first, toTheEnd}, fault{process, call, kind})
				}
			}
		}
		if first >= len(calls[0]) {
			break
		}
	}
	return walks
}
