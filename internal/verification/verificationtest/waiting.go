package verificationtest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

// longest is how many characters a task token may have (AWS Step Functions: SendTaskSuccess).
const longest = 2048

func addTask(t *testing.T, s verification.Store, n int, token string) {
	t.Helper()
	if err := s.AddTask(t.Context(), sessionID(n), token); err != nil {
		t.Fatalf("AddTask: %v", err)
	}
}

func removeTask(t *testing.T, s verification.Store, n int, token string) {
	t.Helper()
	if err := s.RemoveTask(t.Context(), sessionID(n), token); err != nil {
		t.Fatalf("RemoveTask: %v", err)
	}
}

// wantTasks compares in any order.
func wantTasks(t *testing.T, s verification.Store, n int, want ...string) {
	t.Helper()
	got, err := s.Tasks(t.Context(), sessionID(n))
	slices.Sort(got)
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("tasks of session %d: got %d %.200q, error %v, want %d %.200q", n, len(got), got, err, len(want), want)
	}
}

// tasks ensures that tokens are kept by session, each once, and forgotten one by one.
func tasks(t *testing.T, s verification.Store) {
	for n := range 2 {
		add(t, s, newRecord(n, recent()))
	}
	wantTasks(t, s, 0)
	addTask(t, s, 0, "AAAA/+=b")
	addTask(t, s, 0, "another")
	addTask(t, s, 1, "another")
	addTask(t, s, 0, "AAAA/+=b")
	wantTasks(t, s, 0, "AAAA/+=b", "another")
	wantTasks(t, s, 1, "another")
	removeTask(t, s, 0, "another")
	removeTask(t, s, 0, "another")
	wantTasks(t, s, 0, "AAAA/+=b")
	wantTasks(t, s, 1, "another")
	removeTask(t, s, 0, "AAAA/+=b")
	wantTasks(t, s, 0)
	removeTask(t, s, 7, "nobody's")
	addTask(t, s, 0, "another")
	wantTasks(t, s, 0, "another")
	// Records and tasks come and go apart.
	takeAway(t, s, stored(t, s, 0), true)
	wantTasks(t, s, 0, "another")
	removeTask(t, s, 1, "another")
	stored(t, s, 1)
}

// tasksLong ensures that tokens are told apart to the last of their characters.
func tasksLong(t *testing.T, s verification.Store) {
	var want []string
	for _, last := range []string{"a", "b", "A"} {
		want = append(want, strings.Repeat("x", longest-1)+last)
		addTask(t, s, 1, want[len(want)-1])
	}
	want = append(want, strings.Repeat("x", longest-1), "x")
	addTask(t, s, 1, want[3])
	addTask(t, s, 1, want[4])
	wantTasks(t, s, 1, want...)
	removeTask(t, s, 1, want[0])
	wantTasks(t, s, 1, want[1:]...)
}

func tasksWithoutRecord(t *testing.T, s verification.Store) {
	addTask(t, s, 1, "token")
	wantTasks(t, s, 1, "token")
	add(t, s, newRecord(1, recent()))
	wantTasks(t, s, 1, "token")
	wantDue(t, s, time.Now(), 10, 1)
	wantOwned(t, s, someone, 10, 1)
}

func tasksConcurrent(t *testing.T, s verification.Store) {
	var all sync.WaitGroup
	var want []string
	for i := range 20 {
		token := fmt.Sprintf("token-%d", i%10)
		if i < 10 && i%2 == 0 {
			want = append(want, token)
		}
		all.Go(func() {
			if err := s.AddTask(t.Context(), sessionID(1), token); err != nil {
				t.Errorf("AddTask: %v", err)
			}
		})
	}
	all.Wait()
	for i := range 20 {
		if i%2 == 0 {
			continue
		}
		all.Go(func() {
			if err := s.RemoveTask(t.Context(), sessionID(1), fmt.Sprintf("token-%d", i%10)); err != nil {
				t.Errorf("RemoveTask: %v", err)
			}
		})
	}
	all.Wait()
	wantTasks(t, s, 1, want...)
}

// takeRead ensures that every minute has its own reads.
func takeRead(t *testing.T, s verification.Store) {
	minute := time.Now().UTC().Truncate(time.Minute)
	for i, test := range []struct {
		at   time.Time
		most int
		want bool
	}{
		{minute, 0, false},
		{minute, -1, false},
		{minute, 2, true},
		{minute.Add(time.Minute - time.Millisecond), 2, true},
		{minute.Add(30 * time.Second), 2, false},
		{minute.Add(30 * time.Second).In(time.FixedZone("elsewhere", 5400)), 2, false},
		{minute.Add(time.Minute), 2, true},
		{minute, 2, false},
		{minute, 3, true},
		{minute, 1, false},
		{minute.Add(time.Hour), 1, true},
		{minute.Add(time.Hour), 1, false},
	} {
		if got, err := s.TakeRead(t.Context(), test.at, test.most); err != nil || got != test.want {
			t.Errorf("%d: one of %d at %v: got %v, error %v, want %v", i, test.most, test.at, got, err, test.want)
		}
	}
}

// takeReadConcurrent ensures that no more are taken than there are, however many ask.
func takeReadConcurrent(t *testing.T, s verification.Store) {
	const callers, most = 50, 30
	minute := time.Now().UTC().Truncate(time.Minute)
	var taken atomic.Int64
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			ok, err := s.TakeRead(t.Context(), minute.Add(time.Duration(i)*time.Second), most)
			if err != nil {
				t.Errorf("TakeRead: %v", err)
			}
			if ok {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if got := taken.Load(); got != most {
		t.Errorf("%d callers took %d reads, want %d", callers, got, most)
	}
}
