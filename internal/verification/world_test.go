package verification_test

import (
	"context"
	"slices"
	"strings"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/memory"
	"didit-sessions/internal/verification"
)

// world is all that outlives a crash, and what Didit knows.
type world struct {
	clock  clock
	store  memory.Store
	bus    memory.Bus
	tasks  memory.Tasks
	status string // at Didit
	took   []string
	reads  int // of the session at Didit, by those who meet

	all   []*process      // those who meet
	there map[string]bool // the sessions that Didit has; false: deleted; see erase_walk_test.go
	seen  map[string]bool // those that a list of Didit's had
	user  bool            // Didit has the user
}

// Status tells what Didit knows now.
func (w *world) Status(_ context.Context, id string) (didit.Decision, error) {
	w.reads++
	return didit.Decision{SessionID: id, Status: w.status}, nil
}

func (w *world) APIVersion(context.Context) (didit.Version, error) { return didit.V3, nil }

// emptyDidit knows no session.
type emptyDidit struct{}

func (emptyDidit) APIVersion(context.Context) (didit.Version, error) { return didit.V3, nil }

func (emptyDidit) Status(context.Context, string) (didit.Decision, error) {
	return didit.Decision{}, &didit.Error{Kind: didit.KindNotFound, Op: "decision"}
}

// fault is what befalls one call of a process.
type fault struct {
	process, call int
	kind          string // of the kinds below; empty: none
}

// What can happen to a call: it fails and does nothing, its answer is lost, the process dies after
// its effect, or another writer is first. To die before the effect is to die after the one before.
var faultKinds = []string{"fails", "answer lost", "crash", "conflict"}

// conditional are the calls that another writer can disturb.
var conditional = []string{"Claim", "Replace", "Remove"}

type crash struct{}

// process is an operation that stops before each call that it makes.
type process struct {
	*actor
	resume   chan struct{}
	stands   chan string // before which call; closed at the end
	calls    int
	names    []string // of the calls
	nextCall string   // before which it stands
	over     bool
	died     bool
	err      error
}

// actor is an operation, and the task that it registers, if any.
type actor struct {
	name    string
	token   string
	unknown bool // Didit knows nothing when this one asks
	act     func(w *world, b *backend) error
}

// start makes the process ready for its first call.
func (w *world) start(number int, a *actor, f fault) *process {
	// Not by iter.Pull: the race detector keeps 40 kB of each coroutine for ever.
	p := &process{actor: a, resume: make(chan struct{}), stands: make(chan string)}
	go func() {
		defer close(p.stands)
		<-p.resume
		defer func() {
			if value := recover(); value != nil {
				if _, ok := value.(crash); !ok {
					panic(value)
				}
				p.died = true
			}
		}()
		b := &backend{store: &w.store, bus: &w.bus, tasks: &w.tasks, didit: w}
		if a.unknown {
			b.didit = emptyDidit{}
		}
		b.call = func(name string, make func() error) error {
			p.stands <- name
			<-p.resume
			met := f.kind != "" && f.process == number && f.call == p.calls
			p.calls++
			p.names = append(p.names, name)
			if met && f.kind == "fails" {
				return down()
			}
			if met && f.kind == "conflict" {
				w.store.Conflict(1)
			}
			err := make()
			w.store.Conflict(0)
			w.watch(name)
			switch {
			case met && f.kind == "crash":
				panic(crash{})
			case met && f.kind == "answer lost":
				return down()
			}
			return err
		}
		p.err = a.act(w, b)
	}()
	p.step()
	return p
}

// watch notes which statuses the record took.
func (w *world) watch(call string) {
	if strings.HasPrefix(call, "Replace") {
		if r, found, _ := w.store.Record(context.Background(), session); found {
			w.took = append(w.took, r.Status)
		}
	}
}

func (p *process) step() {
	p.resume <- struct{}{}
	name, ok := <-p.stands
	if p.nextCall = name; !ok {
		p.over = true
	}
}

// run makes up to so many calls.
func (p *process) run(calls int) {
	for ; calls > 0 && !p.over; calls-- {
		p.step()
	}
}

// toTheEnd is more calls than any operation makes.
const toTheEnd = 1000

func (w *world) tracker(b *backend) *verification.Tracker {
	return &verification.Tracker{Store: b, Bus: b, Tasks: b, Didit: b, AtOnce: 1, Now: w.clock.now}
}

// approval is what Didit tells by its webhook.
func approval() didit.WebhookEvent { return delivered("approval", "Approved", noon()) }

// hear receives Didit's webhook, and tracks what the bus makes of it.
func (w *world) hear(b *backend) error {
	t := w.tracker(b)
	before := len(w.bus.Published())
	if _, err := t.Receive(context.Background(), approval()); err != nil {
		return err
	}
	for _, e := range w.bus.Published()[before:] {
		if e.ID == "approval" {
			if err := t.Track(context.Background(), e); err != nil {
				return err
			}
		}
	}
	return nil
}

func register(token string) *actor {
	return &actor{name: "register " + token, token: token, act: func(w *world, b *backend) error {
		return w.tracker(b).Await(context.Background(), session, token)
	}}
}

func status(w *world, b *backend) error {
	t := w.tracker(b)
	t.Tasks = nil // as in the function that answers apps
	_, err := t.Status(context.Background(), trusted, session)
	return err
}

// The operations that meet each other.
var (
	one, two = register("one"), register("two")
	ask      = &actor{name: "ask", act: status}
	askToo   = &actor{name: "ask too", act: status}
	deliver  = &actor{name: "deliver", act: func(w *world, b *backend) error {
		_ = b.call("Didit", func() error { w.status = "Approved"; return nil }) // whatever happens to the call: what is not delivered now is delivered later
		return w.hear(b)
	}}
	complete = &actor{name: "complete", act: func(w *world, b *backend) error {
		_, err := w.tracker(b).Reconcile(context.Background())
		return err
	}}
	create = &actor{name: "create", act: func(w *world, b *backend) error {
		_, _, err := b.Add(context.Background(), verification.NewRecord(session, someone, workflow, "Not Started", w.clock.now()))
		return err
	}}
)

// The same, where Didit does not know the session.
var unknownOne, unknownComplete = unknown(one), unknown(complete)

func unknown(a *actor) *actor {
	other := *a
	other.name, other.unknown = a.name+" (unknown at Didit)", true
	return &other
}

// beginning is how things stand when two operations meet.
type beginning struct {
	name   string
	age    time.Duration // of the record; 0: there is none
	tasks  []string      // that wait already
	actors []*actor      // each meets each
	first  []*actor      // if any: only these meet the others, and are met
	gone   bool          // a session may be given up, or is too old to be asked about if no task waits
	// doubt: a decision was delivered whose time does not tell whether it is newer.
	doubt bool
	// What DynamoDB does. lags: lists show what there was in the beginning. expired: there is a record
	// that has expired, of an awaited session. beside: such a record and an unreadable one are due
	// first.
	lags, expired, beside bool
}

var beginnings = []beginning{
	{name: "created", age: 20 * time.Minute, actors: []*actor{one, two, ask, deliver, complete}},
	{name: "awaited", age: 20 * time.Minute, tasks: []string{"first"}, actors: []*actor{one, ask, deliver, complete}},
	{name: "not on record", actors: []*actor{one, two, deliver, create}},
	{name: "old", age: 31 * 24 * time.Hour, actors: []*actor{one, deliver, complete}, gone: true},
	{name: "not on record, not known", first: []*actor{unknownOne}, actors: []*actor{unknownOne, two, deliver, create}},
	{name: "awaited, not known any more", age: 20 * time.Minute, tasks: []string{"first"}, first: []*actor{unknownComplete}, actors: []*actor{unknownComplete, one, deliver, ask}, gone: true},
	{name: "created, asked twice", age: 20 * time.Minute, first: []*actor{askToo}, actors: []*actor{askToo, ask, complete, deliver}},
	{name: "in doubt", age: 20 * time.Minute, doubt: true, first: []*actor{ask, complete}, actors: []*actor{one, ask, deliver, complete}},
	{name: "in doubt and awaited", age: 20 * time.Minute, tasks: []string{"first"}, doubt: true, first: []*actor{complete}, actors: []*actor{one, ask, deliver, complete}},
	{name: "awaited, lists lag", age: 20 * time.Minute, tasks: []string{"first"}, lags: true, first: []*actor{complete}, actors: []*actor{complete, one, ask, deliver}},
	{name: "expired", expired: true, first: []*actor{one, create}, actors: []*actor{one, two, deliver, create, complete}},
	{name: "beside unreadable ones", age: 20 * time.Minute, tasks: []string{"first"}, beside: true, first: []*actor{complete}, actors: []*actor{complete, ask, deliver}},
}

// besides are the ids of the records that are due first where a beginning has them.
var besides = []string{numbered(1), numbered(2)}

// pairs are those who meet, in both orders.
func (b beginning) pairs() (all [][2]*actor) {
	for _, a := range b.actors {
		for _, other := range b.actors {
			chosen := b.first == nil || slices.Contains(b.first, a) || slices.Contains(b.first, other)
			// The second registration is like the first, and is there to meet it.
			twice := slices.Contains(b.actors, one) && (a == two || other == two && a != one)
			if a != other && chosen && !twice {
				all = append(all, [2]*actor{a, other})
			}
		}
	}
	return all
}

func (b beginning) world() *world {
	w := &world{status: "In Progress"}
	w.clock.at = noon()
	w.store.Now = w.clock.now
	ctx := context.Background()
	if b.expired {
		r := verification.NewRecord(session, someone, workflow, "In Progress", noon().Add(-time.Hour))
		r.Awaited, r.Expires, r.DueFrom = true, noon().Add(-time.Minute), noon().Add(-time.Hour)
		_, _, _ = w.store.Add(ctx, r)
	}
	if b.beside {
		for _, id := range besides {
			r := verification.NewRecord(id, someone, workflow, "In Progress", noon().Add(-time.Hour))
			r.Expires = noon().Add(-time.Minute)
			if id == besides[0] {
				r.Expires = time.Time{}
				w.store.Spoil(id)
			}
			_, _, _ = w.store.Add(ctx, r)
		}
	}
	if b.age > 0 {
		r := verification.NewRecord(session, someone, workflow, "Not Started", noon().Add(-b.age))
		r.Awaited = len(b.tasks) > 0
		_, _, _ = w.store.Add(ctx, r)
	}
	for _, token := range b.tasks {
		_ = w.store.AddToken(ctx, session, token)
		w.tasks.Open(token)
	}
	if b.doubt {
		t := &verification.Tracker{Store: &w.store, Now: w.clock.now}
		for i, status := range []string{"In Progress", "Declined"} {
			_ = t.Track(ctx, verification.Event{ID: status, Recorded: true, SessionID: session, Status: status,
				OccurredAt: noon().Add(time.Duration(-10-i) * time.Second), SentAt: noon().Add(-5 * time.Second)})
		}
	}
	if b.lags {
		w.store.Lag(true)
	}
	return w
}
