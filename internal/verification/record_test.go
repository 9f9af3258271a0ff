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
	at := noon().Add(time.Duration(n) * time.Second)
	return Event{ID: fmt.Sprintf("%d %s", n, status), Recorded: true, SessionID: testSession, Status: status, OccurredAt: at, SentAt: at}
}

// seenAtDidit is a reading of the n-th second.
func seenAtDidit(n int, status string) Event {
	e := happened(n, status)
	e.ID = readID(e.SessionID, e.Status, e.OccurredAt, 0)
	return e
}

// created is a record of noon that nothing has happened to yet.
func created() Record { return NewRecord(testSession, "user-123", workflow, StatusNotStarted, noon()) }

func later() moment { return newMoment(noon().Add(time.Hour), 0, 0) }

// after is the record after the event, or after the read during which nothing else was recorded.
func after(r Record, e Event) Record {
	if e.isRead() {
		e.ID = readID(e.SessionID, e.Status, e.OccurredAt, r.News)
		r, _, _ = r.withRead(e, later())
		return r
	}
	r, _ = r.withEvent(e, later())
	return r
}

// known is a record that knows the events, in the order of their arrival.
func known(events ...Event) Record {
	r := created()
	for _, e := range events {
		r = after(r, e)
	}
	return r
}

func TestNewRecord(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 13, 0, 1, 234567890, time.FixedZone("elsewhere", 3600))
	ms := time.Date(2026, 11, 23, 12, 0, 1, 234000000, time.UTC)
	want := Record{SessionID: testSession, VendorData: "user-123", WorkflowID: workflow, Status: StatusNotStarted,
		StatusAt: ms.Truncate(time.Second), Source: SourceCreate, CreatedAt: ms, CheckedAt: ms, DueFrom: ms.Add(15 * time.Minute), Unread: true}
	if got := NewRecord(testSession, "user-123", workflow, StatusNotStarted, at); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v at %v, want times %v", got, got.CreatedAt, ms)
	}
}

// Ensure that the newer status stands, by the event's own time, and that each rule for those of one
// second holds.
func TestRecord_stands(t *testing.T) {
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
		{"event before a read that confirmed", []Event{happened(1, approved), seenAtDidit(3, approved), happened(2, progress)}, approved},
		{"event of the second of a read that confirmed", []Event{happened(1, approved), seenAtDidit(3, approved), happened(3, progress)}, progress},
		{"reading of the second of one that confirmed", []Event{happened(1, approved), seenAtDidit(3, approved), seenAtDidit(3, progress)}, approved},
		{"seen: never again, even on a tie", []Event{happened(1, review), happened(1, progress), happened(1, review)}, progress},
	} {
		if got := known(test.events...); got.Status != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got.Status, test.want)
		}
	}
}

// Ensure that what an event leaves behind is what the rules say, field by field.
func TestRecord_withEvent_fields(t *testing.T) {
	t.Parallel()
	m := later()
	at := func(n int) time.Time { return noon().Add(time.Duration(n) * time.Second) }
	yes := "Approved"
	old, fresh := []Check{{Feature: "OLD"}}, []Check{{Feature: "ID_VERIFICATION", Status: &yes}}
	base := known(happened(5, StatusInProgress))
	base.Checks, base.Asked, base.Unread, base.DueFrom, base.Version, base.CheckedAt, base.Expires = old, 3, false, noon(), 7, noon(), noon()
	with := func(e Event, change func(*Event)) Event { change(&e); return e }
	wins := func(status string, n int, change func(*Record)) func(*Record) {
		return func(r *Record) {
			r.Status, r.StatusAt, r.Asked, r.Unread, r.CheckedAt = status, at(n), 0, true, m.now
			r.DueFrom, r.Expires = m.now.Add(15*time.Minute), m.now.Add(DefaultRetention)
			if change != nil {
				change(r)
			}
		}
	}
	doubt := func(n int) func(*Record) {
		return func(r *Record) { r.DoubtAt, r.Asked, r.Unread, r.DueFrom = at(n), 0, true, m.now }
	}
	finally := func(r *Record) { r.Unread, r.DueFrom = false, time.Time{} }
	isFinal := func(r *Record) { r.Status, r.DueFrom = StatusDeclined, time.Time{} }
	for _, test := range []struct {
		name  string
		base  func(*Record)
		event Event
		want  func(r *Record) // beside what every unseen event changes
	}{
		{"wins", nil, happened(6, StatusInReview), wins(StatusInReview, 6, nil)},
		{"wins with checks", nil, with(happened(6, StatusInReview), func(e *Event) { e.Checks = fresh }), wins(StatusInReview, 6, func(r *Record) { r.Checks = fresh })},
		{"final", nil, happened(6, StatusApproved), wins(StatusApproved, 6, finally)},
		{"final and awaited", func(r *Record) { r.Awaited = true }, happened(6, StatusApproved),
			wins(StatusApproved, 6, func(r *Record) { r.Unread, r.DueFrom = false, m.now.Add(time.Minute) })},
		{"awaited until later", func(r *Record) { r.Awaited, r.Expires = true, m.now.Add(2*DefaultRetention) }, happened(6, StatusInReview),
			wins(StatusInReview, 6, func(r *Record) { r.Expires = m.now.Add(2 * DefaultRetention) })},
		{"loses", nil, with(happened(4, StatusApproved), func(e *Event) { e.Checks = fresh }), nil},
		{"loses on a row that is not due", func(r *Record) { r.DueFrom = time.Time{} }, happened(4, StatusInReview), nil},
		{"leaves a final status", isFinal, happened(6, StatusResubmitted), wins(StatusResubmitted, 6, func(r *Record) { r.Checks = nil })},
		{"leaves a final status with checks", isFinal, with(happened(6, StatusResubmitted), func(e *Event) { e.Checks = fresh }),
			wins(StatusResubmitted, 6, func(r *Record) { r.Checks = fresh })},
		{"from final to final", isFinal, happened(6, StatusApproved), wins(StatusApproved, 6, finally)},
		{"final again", isFinal, happened(6, StatusDeclined), wins(StatusDeclined, 6, func(r *Record) { finally(r); r.Expires = noon() })},
		{"doubtful", nil, with(happened(1, StatusApproved), func(e *Event) { e.SentAt = at(7) }), doubt(7)},
		{"doubtful against a final status", isFinal, with(happened(1, StatusInReview), func(e *Event) { e.SentAt = at(7) }), doubt(7)},
		{"doubtful again, earlier", func(r *Record) { r.DoubtAt = at(9) }, with(happened(1, StatusApproved), func(e *Event) { e.SentAt = at(7) }), doubt(9)},
		{"sent in the second of the standing one", nil, with(happened(1, StatusApproved), func(e *Event) { e.SentAt = at(5) }), nil},
		{"late, of the same status", nil, with(happened(1, StatusInProgress), func(e *Event) { e.SentAt = at(7) }), nil},
		{"two unfinished ones of one second", nil, with(happened(5, StatusInReview), func(e *Event) { e.SentAt = at(5) }),
			wins(StatusInReview, 5, doubt(5))},
		{"the same one of one second", nil, with(happened(5, StatusInProgress), func(e *Event) { e.ID = "again" }), wins(StatusInProgress, 5, nil)},
		{"final in the second of an unfinished one", nil, happened(5, StatusApproved), wins(StatusApproved, 5, finally)},
		{"after the doubtful one was sent", func(r *Record) { r.DoubtAt = at(7) }, happened(8, StatusApproved),
			wins(StatusApproved, 8, func(r *Record) { finally(r); r.DoubtAt = time.Time{} })},
		{"in the second in which the doubtful one was sent", func(r *Record) { r.DoubtAt = at(8) }, happened(8, StatusApproved), wins(StatusApproved, 8, doubt(8))},
		{"not known at Didit", func(r *Record) { r.UnknownSince, r.UnknownReads = noon(), 2 }, happened(4, StatusApproved),
			func(r *Record) { r.UnknownSince, r.UnknownReads = time.Time{}, 0 }},
		{"given up", func(r *Record) { r.UnknownSince, r.UnknownReads, r.DueFrom = noon(), 3, time.Time{} }, happened(4, StatusApproved),
			func(r *Record) {
				r.UnknownSince, r.UnknownReads, r.Asked, r.DueFrom = time.Time{}, 0, 0, m.now.Add(15*time.Minute)
			}},
		{"owner and workflow of others", nil, with(happened(4, StatusApproved), func(e *Event) { e.VendorData, e.WorkflowID = "x", otherWorkflow }), nil},
		{"owner and workflow of others, wins", nil, with(happened(6, StatusInReview), func(e *Event) { e.VendorData, e.WorkflowID = "x", otherWorkflow }), wins(StatusInReview, 6, nil)},
		{"fills in owner and workflow, though it loses", func(r *Record) { r.VendorData, r.WorkflowID = "", "" },
			with(happened(4, StatusApproved), func(e *Event) { e.VendorData, e.WorkflowID = "x", otherWorkflow }),
			func(r *Record) { r.VendorData, r.WorkflowID = "x", otherWorkflow }},
	} {
		before := base
		before.Seen, before.Checks = slices.Clone(base.Seen), slices.Clone(base.Checks)
		if test.base != nil {
			test.base(&before)
		}
		want := before
		want.Seen = append(slices.Clone(before.Seen), test.event.ID)
		want.News++
		if test.want != nil {
			test.want(&want)
		}
		kept := before
		got, changed := before.withEvent(test.event, m)
		if !reflect.DeepEqual(plain(got), plain(want)) || !changed {
			t.Errorf("%s: got %s, changed %v\nwant %s", test.name, plain(got), changed, plain(want))
		}
		if !reflect.DeepEqual(before, kept) || len(before.Seen) != 1 {
			t.Errorf("%s: changed the record that it was given", test.name)
		}
		again, changed := got.withEvent(test.event, newMoment(m.now.Add(time.Hour), 0, 0))
		if !reflect.DeepEqual(again, got) || changed {
			t.Errorf("%s, again: got %s, changed %v, want nothing to change", test.name, plain(again), changed)
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
func TestRecord_seen(t *testing.T) {
	t.Parallel()
	var events []Event
	for n := range 25 {
		events = append(events, happened(100-n, StatusInProgress+strconv.Itoa(n)))
	}
	r := known(events...)
	if len(r.Seen) != 20 || r.Seen[0] != events[5].ID || r.Seen[19] != events[24].ID {
		t.Errorf("got %d events from %q on, want the latest 20", len(r.Seen), r.Seen[0])
	}
	if _, changed := r.withEvent(events[5], later()); changed {
		t.Errorf("the 20th last event was forgotten")
	}
	// What is forgotten still cannot take anything back.
	if next, _ := r.withEvent(events[4], later()); next.Status != r.Status {
		t.Errorf("a forgotten event won: got %s, want %s", next.Status, r.Status)
	}
}

// Ensure that the order and the number of arrivals of events do not matter, provided that no two of
// them are equally strong: of the same second, the same source and the same finality.
func TestRecord_anyOrder(t *testing.T) {
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

// Ensure that two reads of the same status in one second are one event, that others differ, and
// that the id tells what was known when the read began.
func TestReadID(t *testing.T) {
	t.Parallel()
	id := readID(testSession, StatusApproved, noon(), 7)
	if !(Event{ID: id}).isRead() || (Event{ID: "0123"}).isRead() || len(id) > 64 {
		t.Errorf("got id %q, want one that is known as a reading's", id)
	}
	if readID(testSession, StatusApproved, noon().Add(999*time.Millisecond), 7) != id {
		t.Error("within one second: got two ids, want one")
	}
	for _, other := range []string{readID(testSession, StatusApproved, noon().Add(time.Second), 7), readID(testSession, StatusApproved, noon(), 8),
		readID(testSession, StatusDeclined, noon(), 7), readID(otherWorkflow, StatusApproved, noon(), 7)} {
		if other == id {
			t.Errorf("another reading has the same id %q", id)
		}
	}
	for text, want := range map[string]int64{id: 7, "read:0:abc": 0, "read:0123456789abcdef": -1, "read:": -1, "read::x": -1} {
		if got := (Event{ID: text}).readNews(); got != want {
			t.Errorf("%s: got news %d, want %d", text, got, want)
		}
	}
}
