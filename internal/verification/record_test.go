package verification

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const testSession = "99999999-2222-3333-4444-555555555555"

// happened is an event of the n-th second after noon. Its id tells all of it.
func happened(n int, status string) Event {
	return Event{ID: fmt.Sprintf("%d %s", n, status), Recorded: true, SessionID: testSession, Status: status,
		OccurredAt: noon().Add(time.Duration(n) * time.Second)}
}

// seenAtDidit is a reading of the n-th second.
func seenAtDidit(n int, status string) Event {
	e := happened(n, status)
	e.ID = readID(e.SessionID, e.Status, e.OccurredAt)
	return e
}

// created is a record of noon that nothing has happened to yet.
func created() Record { return NewRecord(testSession, "user-123", workflow, StatusNotStarted, noon()) }

// known is a record that knows the events, in the order of their arrival.
func known(events ...Event) Record {
	r := created()
	for _, e := range events {
		r, _, _ = r.apply(e, noon().Add(time.Hour))
	}
	return r
}

func TestNewRecord(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 13, 0, 1, 234567890, time.FixedZone("elsewhere", 3600))
	ms := time.Date(2026, 11, 23, 12, 0, 1, 234000000, time.UTC)
	want := Record{SessionID: testSession, VendorData: "user-123", WorkflowID: workflow, Status: StatusNotStarted,
		StatusAt: ms.Truncate(time.Second), Source: SourceCreate, CreatedAt: ms, CheckedAt: ms, DueFrom: ms}
	if got := NewRecord(testSession, "user-123", workflow, StatusNotStarted, at); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v at %v, want times %v", got, got.CreatedAt, ms)
	}
}

// Ensure that the newer status stands, by the event's own time, and that each rule for those of one
// second holds.
func TestRecord_apply_stands(t *testing.T) {
	t.Parallel()
	const progress, review, approved, declined, unknown = StatusInProgress, StatusInReview, StatusApproved, StatusDeclined, "Under Appeal"
	for _, test := range []struct {
		name   string
		events []Event
		want   string
	}{
		{"nothing", nil, StatusNotStarted},
		{"create is older than an event from long ago", []Event{happened(-86400, progress)}, progress},
		{"create is older than a reading from long ago", []Event{seenAtDidit(-86400, progress)}, progress},
		{"newer", []Event{happened(1, progress), happened(2, review)}, review},
		{"older", []Event{happened(2, progress), happened(1, review)}, progress},
		{"newer takes a final one back", []Event{happened(1, approved), happened(2, progress)}, progress},
		{"older final", []Event{happened(2, progress), happened(1, approved)}, progress},
		{"newer final", []Event{happened(1, declined), happened(2, approved)}, approved},
		{"tie: final comes second", []Event{happened(1, progress), happened(1, approved)}, approved},
		{"tie: final came first", []Event{happened(1, approved), happened(1, progress)}, approved},
		{"tie: unknown counts as not final", []Event{happened(1, approved), happened(1, unknown)}, approved},
		{"tie: the later arrival", []Event{happened(1, progress), happened(1, review)}, review},
		{"tie: the later arrival, the other way", []Event{happened(1, review), happened(1, progress)}, progress},
		{"tie: the later of final ones", []Event{happened(1, approved), happened(1, declined)}, declined},
		{"reading: newer", []Event{happened(1, progress), seenAtDidit(2, review)}, review},
		{"reading: older", []Event{happened(2, progress), seenAtDidit(1, approved)}, progress},
		{"reading loses to an event of its second", []Event{happened(1, progress), seenAtDidit(1, review)}, progress},
		{"final reading loses to an event of its second", []Event{happened(1, progress), seenAtDidit(1, approved)}, progress},
		{"final reading loses to a final event of its second", []Event{happened(1, declined), seenAtDidit(1, approved)}, declined},
		{"event beats a reading of its second", []Event{seenAtDidit(1, review), happened(1, progress)}, progress},
		{"event beats a final reading of its second", []Event{seenAtDidit(1, approved), happened(1, progress)}, progress},
		{"event before a reading", []Event{seenAtDidit(2, progress), happened(1, approved)}, progress},
		{"event after a reading", []Event{seenAtDidit(1, approved), happened(2, progress)}, progress},
		{"tie of readings: final comes second", []Event{seenAtDidit(1, progress), seenAtDidit(1, approved)}, approved},
		{"tie of readings: final came first", []Event{seenAtDidit(1, approved), seenAtDidit(1, progress)}, approved},
		{"tie of readings: the later arrival", []Event{seenAtDidit(1, progress), seenAtDidit(1, review)}, review},
		{"seen: never again, even on a tie", []Event{happened(1, review), happened(1, progress), happened(1, review)}, progress},
	} {
		if got := known(test.events...); got.Status != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got.Status, test.want)
		}
	}
}

// Ensure that what an event leaves behind is what the rules say, field by field.
func TestRecord_apply_fields(t *testing.T) {
	t.Parallel()
	now := noon().Add(time.Hour)
	yes := "Approved"
	old, fresh := []Check{{Feature: "OLD"}}, []Check{{Feature: "ID_VERIFICATION", Status: &yes}}
	base := known(happened(5, StatusInProgress))
	base.Checks, base.Asked, base.DueFrom, base.Version, base.CheckedAt = old, 3, noon(), 7, noon()
	with := func(e Event, change func(*Event)) Event { change(&e); return e }
	for _, test := range []struct {
		name         string
		base         func(*Record)
		event        Event
		want         func(r *Record) // beside what every unseen event changes
		changed, won bool
	}{
		{"wins", nil, happened(6, StatusInReview), func(r *Record) {
			r.Status, r.StatusAt, r.Asked, r.DueFrom = StatusInReview, noon().Add(6*time.Second), 0, now
		}, true, true},
		{"wins with checks", nil, with(happened(6, StatusInReview), func(e *Event) { e.Checks = fresh }), func(r *Record) {
			r.Status, r.StatusAt, r.Asked, r.DueFrom, r.Checks = StatusInReview, noon().Add(6*time.Second), 0, now, fresh
		}, true, true},
		{"reading wins", nil, seenAtDidit(6, StatusInReview), func(r *Record) {
			r.Status, r.StatusAt, r.Asked, r.DueFrom, r.Source = StatusInReview, noon().Add(6*time.Second), 0, now, SourceRead
		}, true, true},
		{"final", nil, happened(6, StatusApproved), func(r *Record) {
			r.Status, r.StatusAt, r.Asked, r.DueFrom = StatusApproved, noon().Add(6*time.Second), 0, time.Time{}
		}, true, true},
		{"final and awaited", func(r *Record) { r.Awaited = true }, happened(6, StatusApproved), func(r *Record) {
			r.Status, r.StatusAt, r.Asked, r.DueFrom = StatusApproved, noon().Add(6*time.Second), 0, now
		}, true, true},
		{"loses", nil, with(happened(4, StatusApproved), func(e *Event) { e.Checks = fresh }), nil, true, false},
		{"loses on a row that is not due", func(r *Record) { r.DueFrom = time.Time{} }, happened(4, StatusInReview), nil, true, false},
		{"owner and workflow of others", nil, with(happened(4, StatusApproved), func(e *Event) { e.VendorData, e.WorkflowID = "x", otherWorkflow }), nil, true, false},
		{"owner and workflow of others, wins", nil, with(happened(6, StatusInReview), func(e *Event) { e.VendorData, e.WorkflowID = "x", otherWorkflow }), func(r *Record) {
			r.Status, r.StatusAt, r.Asked, r.DueFrom = StatusInReview, noon().Add(6*time.Second), 0, now
		}, true, true},
		{"fills in owner and workflow, though it loses", func(r *Record) { r.VendorData, r.WorkflowID = "", "" },
			with(happened(4, StatusApproved), func(e *Event) { e.VendorData, e.WorkflowID = "x", otherWorkflow }),
			func(r *Record) { r.VendorData, r.WorkflowID = "x", otherWorkflow }, true, false},
	} {
		before := base
		before.Seen, before.Checks = slices.Clone(base.Seen), slices.Clone(base.Checks)
		if test.base != nil {
			test.base(&before)
		}
		want := before
		want.Seen = append(slices.Clone(before.Seen), test.event.ID)
		want.CheckedAt = now
		if test.want != nil {
			test.want(&want)
		}
		kept := before
		got, changed, won := before.apply(test.event, now)
		if !reflect.DeepEqual(plain(got), plain(want)) || changed != test.changed || won != test.won {
			t.Errorf("%s: got %s, changed %v, won %v\nwant %s, changed %v, won %v", test.name, plain(got), changed, won, plain(want), test.changed, test.won)
		}
		if !reflect.DeepEqual(before, kept) || len(before.Seen) != 1 {
			t.Errorf("%s: changed the record that it was given", test.name)
		}
		again, changed, won := got.apply(test.event, now.Add(time.Hour))
		if !reflect.DeepEqual(again, got) || changed || won {
			t.Errorf("%s, again: got %s, changed %v, won %v, want nothing to change", test.name, plain(again), changed, won)
		}
	}
}

// plain shows what a record's own printing hides.
func plain(r Record) string {
	text := ""
	for field, value := range reflect.ValueOf(r).Fields() {
		if field.IsExported() && field.Name != "Checks" {
			text += fmt.Sprintf("%s:%v ", field.Name, value)
		}
	}
	for _, c := range r.Checks {
		text += " " + c.Feature
	}
	return text
}

// Ensure that a record remembers the latest twenty events, late ones included.
func TestRecord_apply_seen(t *testing.T) {
	t.Parallel()
	var events []Event
	for n := range 25 {
		events = append(events, happened(100-n, StatusInProgress+strconv.Itoa(n)))
	}
	r := known(events...)
	if len(r.Seen) != 20 || r.Seen[0] != events[5].ID || r.Seen[19] != events[24].ID {
		t.Errorf("got %d events from %q on, want the latest 20", len(r.Seen), r.Seen[0])
	}
	if _, changed, _ := r.apply(events[5], noon()); changed {
		t.Errorf("the 20th last event was forgotten")
	}
	// What is forgotten still cannot take anything back.
	if next, _, won := r.apply(events[4], noon()); won || next.Status != r.Status {
		t.Errorf("a forgotten event won: got %s, want %s", next.Status, r.Status)
	}
}

// Ensure that the order and the number of arrivals of events do not matter, provided that no two of
// them are equally strong: of the same second, the same source and the same finality.
func TestRecord_apply_anyOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	statuses := []string{StatusNotStarted, StatusInProgress, StatusInReview, StatusResubmitted, StatusApproved, StatusDeclined, StatusExpired, "Under Appeal"}
	for round := range 400 {
		type strength struct {
			second      int
			read, final bool
		}
		strongest := map[strength]Event{}
		for range 1 + random.IntN(30) {
			second, status, read := random.IntN(12), statuses[random.IntN(len(statuses))], random.IntN(2) == 0
			e := happened(second, status)
			if read {
				e = seenAtDidit(second, status)
			}
			strongest[strength{second, read, Final(status)}] = e
		}
		var events []Event
		want, best := "", -1
		for s, e := range strongest {
			events = append(events, e)
			rank := s.second * 4
			if !s.read {
				rank += 2
			}
			if s.final {
				rank++
			}
			if rank > best {
				want, best = e.Status, rank
			}
		}
		// Map order is one shuffle already; the seeded one makes the rest.
		slices.SortFunc(events, func(a, b Event) int { return strings.Compare(a.ID, b.ID) })
		for range 3 {
			deliveries := slices.Clone(events)
			for range random.IntN(2 * len(events)) {
				deliveries = append(deliveries, events[random.IntN(len(events))])
			}
			random.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
			if got := known(deliveries...).Status; got != want {
				t.Fatalf("round %d: %d deliveries of %d events: got %s, want %s", round, len(deliveries), len(events), got, want)
			}
		}
	}
}

// Ensure that two reads of the same status in one second are one event, and that others differ.
func TestReadID(t *testing.T) {
	t.Parallel()
	id := readID(testSession, StatusApproved, noon())
	if !(Event{ID: id}).isRead() || (Event{ID: "0123"}).isRead() || len(id) > 64 {
		t.Errorf("got id %q, want one that is known as a reading's", id)
	}
	if readID(testSession, StatusApproved, noon().Add(999*time.Millisecond)) != id {
		t.Error("within one second: got two ids, want one")
	}
	for _, other := range []string{readID(testSession, StatusApproved, noon().Add(time.Second)),
		readID(testSession, StatusDeclined, noon()), readID(otherWorkflow, StatusApproved, noon())} {
		if other == id {
			t.Errorf("another reading has the same id %q", id)
		}
	}
}
