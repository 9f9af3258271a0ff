package verification_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/memory"
	"didit-sessions/internal/verification"
)

// change is a status that a session takes at Didit.
type change struct {
	session int
	step    int // of the session, from 1
	status  string
	at      time.Time
	lost    bool // its delivery
}

// simulation is a deployment over some weeks, and what became of lost deliveries.
type simulation struct {
	clock    clock
	store    memory.Store
	bus      memory.Bus
	tasks    memory.Tasks
	tracker  *verification.Tracker
	changes  [][]change  // of each session, in their order
	next     []int       // what comes next at Didit, of each session
	recorded []time.Time // when the record of each session changed last
	unhealed map[int]change
	awaited  bool

	soon    []time.Duration // how long lost deliveries took to heal whose predecessor was recorded shortly before
	longest time.Duration   // that any took
	overdue time.Duration   // the most that a session was
	reads   int
}

// Status tells what Didit knows now.
func (s *simulation) Status(_ context.Context, id string) (didit.Decision, error) {
	s.reads++
	n := number(id)
	d := didit.Decision{SessionID: id, Status: "Not Started"}
	if at := s.next[n]; at > 0 {
		d.Status = s.changes[n][at-1].status
	}
	return d, nil
}

func (s *simulation) APIVersion(context.Context) (didit.Version, error) { return didit.V3, nil }

// number is the number in the id of one of many sessions.
func number(id string) (n int) {
	_, _ = fmt.Sscanf(id[len(id)-12:], "%d", &n)
	return n
}

const linkLife = 7 * 24 * time.Hour

// life draws what becomes of a session: 30 % are never finished, half of these are not even begun,
// and 5 % of the others are reviewed by hand.
func life(random *rand.Rand, session int, created time.Time) (changes []change) {
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(random.Int64N(int64(most-least)))
	}
	at := created
	then := func(status string, wait time.Duration) {
		at = at.Add(wait)
		changes = append(changes, change{session, len(changes) + 1, status, at, random.Float64() < 0.005})
	}
	begun := between(30*time.Second, 10*time.Minute)
	if random.Float64() < 0.1 { // comes back to the link later
		begun = between(10*time.Minute, 6*24*time.Hour)
	}
	switch fate := random.Float64(); {
	case fate < 0.15:
		then("Expired", linkLife)
		return changes
	case fate < 0.3:
		then("In Progress", begun)
		then("Abandoned", max(0, linkLife-begun))
		return changes
	}
	then("In Progress", begun)
	if random.Float64() < 0.05 {
		then("In Review", between(time.Minute, 14*time.Minute))
		then([]string{"Approved", "Declined"}[random.IntN(2)], between(time.Hour, 72*time.Hour))
		return changes
	}
	then([]string{"Approved", "Approved", "Approved", "Declined"}[random.IntN(4)], between(time.Minute, 14*time.Minute))
	return changes
}

func newSimulation(reads int, awaited bool) *simulation {
	s := &simulation{unhealed: map[int]change{}, awaited: awaited}
	s.clock.at = noon()
	s.store.Now = s.clock.now
	s.tracker = &verification.Tracker{Store: &s.store, Bus: &s.bus, Tasks: &s.tasks, Didit: s, ReadsPerMinute: reads, AtOnce: 1, Now: s.clock.now}
	return s
}

// run plays the time, minute by minute.
func (s *simulation) run(t *testing.T, perDay int, simulated time.Duration) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	pause := 24 * time.Hour / time.Duration(perDay)
	var coming []change // in their order; step 0 is the creation
	for created := noon(); created.Before(noon().Add(simulated)); created = created.Add(pause) {
		n := len(s.changes)
		s.changes = append(s.changes, life(random, n, created))
		coming = append(append(coming, change{session: n, at: created}), s.changes[n]...)
	}
	s.next, s.recorded = make([]int, len(s.changes)), make([]time.Time, len(s.changes))
	slices.SortStableFunc(coming, func(a, b change) int { return a.at.Compare(b.at) })
	for minute := noon().Add(time.Minute); !minute.After(noon().Add(simulated)); minute = minute.Add(time.Minute) {
		for len(coming) > 0 && coming[0].at.Before(minute) {
			s.happen(t, coming[0])
			coming = coming[1:]
		}
		s.set(minute)
		s.measure()
		if _, err := s.tracker.Reconcile(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.heal(t)
	}
	for _, c := range s.unhealed {
		s.longest = max(s.longest, s.clock.now().Sub(c.at))
	}
}

func (s *simulation) set(at time.Time) {
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	s.clock.at = at
}

// happen lets a session be created, or change at Didit, whose delivery arrives or not.
func (s *simulation) happen(t *testing.T, c change) {
	t.Helper()
	ctx, id := context.Background(), numbered(c.session)
	s.set(c.at)
	if c.step == 0 {
		s.recorded[c.session] = c.at
		_, _, err := s.store.Add(ctx, verification.NewRecord(id, someone, workflow, "Not Started", c.at))
		if err == nil && s.awaited {
			s.tasks.Open(id)
			err = s.tracker.Await(ctx, id, id)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	s.next[c.session] = c.step
	if c.lost {
		if _, waits := s.unhealed[c.session]; !waits {
			s.unhealed[c.session] = c
		}
		return
	}
	err := s.tracker.Track(ctx, verification.Event{ID: fmt.Sprint(c.session, c.status), Recorded: true, SessionID: id, Status: c.status,
		OccurredAt: c.at.Truncate(time.Second), SentAt: c.at.Truncate(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	s.healed(c.session)
	s.recorded[c.session] = c.at
}

// measure notes how long the sessions that are due have been so.
func (s *simulation) measure() {
	now := s.clock.now()
	for class := range verification.ClassOther + 1 {
		for id := range s.store.Due(context.Background(), class, now) {
			if r, found, _ := s.store.Record(context.Background(), id); found {
				s.overdue = max(s.overdue, now.Sub(r.DueFrom))
			}
			break
		}
	}
}

// heal looks at the records of those whose deliveries were lost.
func (s *simulation) heal(t *testing.T) {
	t.Helper()
	for n, c := range s.unhealed {
		r, found, err := s.store.Record(context.Background(), numbered(n))
		if err != nil || !found {
			t.Fatal(found, err)
		}
		if slices.ContainsFunc(s.changes[n][c.step-1:], func(later change) bool { return later.status == r.Status }) {
			s.healed(n)
			s.recorded[n] = s.clock.now()
		}
	}
}

func (s *simulation) healed(n int) {
	c, lost := s.unhealed[n]
	if !lost {
		return
	}
	delete(s.unhealed, n)
	took := s.clock.now().Sub(c.at)
	s.longest = max(s.longest, took)
	if c.at.Sub(s.recorded[n]) <= 15*time.Minute {
		s.soon = append(s.soon, took)
	}
}

// Ensure that nine days leave nothing behind, at a load that is 1/25 of the largest, with the reads
// of v2 and v3 in the same proportion. COST_TESTS=1 plays two weeks of the whole load.
func TestTracker_Reconcile_simulation(t *testing.T) {
	t.Parallel()
	scale, days := 25, 9
	if os.Getenv("COST_TESTS") == "1" {
		scale, days = 1, 14
	}
	for _, reads := range []int{150, 25} {
		for _, awaited := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d reads a minute, awaited %v", reads, awaited), func(t *testing.T) {
				t.Parallel()
				s := newSimulation(2*reads/scale, awaited)
				s.run(t, 20_000/scale, time.Duration(days)*24*time.Hour)
				slices.Sort(s.soon)
				p99 := s.soon[len(s.soon)*99/100]
				t.Logf("%d sessions, %d reads, %d lost soon after a change: healed in %v (99 %%), %v at most; any in %v at most; overdue by %v at most",
					len(s.changes), s.reads, len(s.soon), p99, s.soon[len(s.soon)-1], s.longest, s.overdue)
				if p99 > 17*time.Minute {
					t.Errorf("got healed within %v at the 99th percentile, want at most 17 min", p99)
				}
				if reads == 150 && (s.overdue > 2*time.Minute || s.longest >= 6*24*time.Hour) {
					t.Errorf("got overdue by %v, unhealed for %v, want at most 2 min and less than 6 days", s.overdue, s.longest)
				}
			})
		}
	}
}
