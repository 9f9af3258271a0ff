package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/cmd/ops/management"
	"didit-sessions/internal/didit/didittest"
)

// session starts one at Didit, which delivers its first event.
func (l *localWorld) session(t *testing.T) string {
	t.Helper()
	v, err := l.didit.StartSession(didittest.DefaultWorkflow.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	l.settle(t)
	return v.ID
}

func (l *localWorld) settle(t *testing.T) {
	t.Helper()
	if err := l.didit.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (l *localWorld) change(t *testing.T, session, status string) {
	t.Helper()
	if err := l.didit.SetStatus(session, status); err != nil {
		t.Fatal(err)
	}
	l.settle(t)
}

func (l *localWorld) setDown(down bool) {
	l.world.mu.Lock()
	defer l.world.mu.Unlock()
	l.down = down
}

func (l *localWorld) accepted() string {
	l.world.mu.Lock()
	defer l.world.mu.Unlock()
	return strings.Join(l.seen, ",")
}

// forward moves the clock.
func (l *localWorld) forward(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.time = l.time.Add(d)
}

// Ensure that of what was not accepted each event is sent again once, to our URL only, the oldest
// first and at Didit's pace, and that nothing is left to do afterwards.
func TestReplay(t *testing.T) {
	t.Parallel()
	l := newLocalWorld(t)
	l.didit.Now = l.now
	l.didit.RetryWaits = []time.Duration{0}
	l.expect(t, exitWell, "connect")
	// What another destination accepted, ours may have lost.
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(elsewhere.Close)
	_, err := (&site{diditURL: l.url}).client(didKey).CreateDestination(t.Context(), management.NewDestination{
		Label: "other", URL: elsewhere.URL + "/", Enabled: true, Version: "v3", Events: destinationEvents,
	})
	if err != nil {
		t.Fatal(err)
	}
	first := l.session(t)
	old := l.session(t)
	l.forward(48 * time.Hour)
	l.setDown(true)
	second := l.session(t)
	l.forward(time.Minute)
	l.change(t, first, "In Progress") // refused twice, as all of these
	l.forward(time.Minute)
	l.change(t, second, "Approved")
	l.setDown(false)
	l.forward(time.Minute)
	l.change(t, old, "Declined") // accepted

	// Forged, and so refused with 404 and retried; the retry is as forged.
	l.didit.Misdeliver(didittest.SendForged, 1)
	l.change(t, old, "In Review")
	// A failed attempt before one that was accepted.
	l.didit.Misdeliver(didittest.SendNever, 1)
	l.change(t, old, "Approved")
	deliveries := l.didit.Deliveries()
	if _, err := l.didit.Resend(deliveries[len(deliveries)-1].EventID); err != nil {
		t.Fatal(err)
	}

	before := l.accepted()
	l.waits = nil
	got := l.expect(t, exitWell, "replay", "-since", "2h")
	lines := regexp.MustCompile(`(?m)^\S+ \S+  (\S{36})  (.*)$`).FindAllStringSubmatch(got, -1)
	want := []string{second + " Not Started   accepted", first + " In Progress   accepted", second + " Approved      accepted", old + " In Review     accepted"}
	for i, line := range lines {
		if i >= len(want) || line[1]+" "+line[2] != want[i] {
			t.Errorf("line %d: got %s, want %q", i, line[0], want)
		}
	}
	if len(lines) != len(want) || !strings.Contains(got, "\n4 events sent again, 4 of them accepted.\n") {
		t.Errorf("output:\n%s\nwant %d lines and the sum", got, len(want))
	}
	if after := l.accepted(); after != before+",Not Started,In Progress,Approved,In Review" {
		t.Errorf("accepted %s, before the replay %s; want each once, the oldest first", after, before)
	}
	// The log of the destination, those of three sessions, and four events.
	if want := slices.Repeat([]time.Duration{callPause}, 1+3+4-1); !slices.Equal(l.waits, want) {
		t.Errorf("waits %v, want %v", l.waits, want)
	}
	if got := l.expect(t, exitWell, "replay", "-since", "2h"); !strings.HasPrefix(got, "Nothing to send again") {
		t.Errorf("a second time: %s, want nothing to do", got)
	}
}

// Ensure that what is not accepted again is an error, and that Didit's wish to wait is heard.
func TestReplay_refused(t *testing.T) {
	t.Parallel()
	l := newLocalWorld(t)
	l.didit.Now = l.now
	l.expect(t, exitWell, "connect")
	l.setDown(true)
	id := l.session(t)
	l.didit.Inject(didittest.RateLimited.At(didittest.OpManage).Once())
	l.waits = nil
	got := l.expect(t, exitWrong, "replay", "-since", "1d")
	if !strings.Contains(got, id+"  Not Started   status 503\n1 event sent again, 0 of them accepted.\n1 event not accepted; run make doctor ENV=local\n") {
		t.Errorf("output:\n%s\nwant the line, the sum and what to do", got)
	}
	if !slices.Contains(l.waits, 42*time.Second) {
		t.Errorf("waits %v, want the 42 s that Didit asked for", l.waits)
	}
	for fault, want := range map[string]string{
		"rate_limited": "Didit is throttling", "server_error": "try again later", "forbidden": "needs the rights to read sessions",
	} {
		f, _ := didittest.Known(fault)
		l.didit.Inject(f.At(didittest.OpManage))
		status := exitBlind
		if fault == "forbidden" {
			status = exitWrong
		}
		if got := l.expect(t, status, "replay"); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q", fault, got, want)
		}
		l.didit.ClearFaults()
	}
}

func TestReplay_since(t *testing.T) {
	t.Parallel()
	l := newLocalWorld(t)
	for _, since := range []string{"24", "0h", "-1h", "31d", "1h\n", "x", "1.5d "} {
		got, status := l.ops(t, "replay", "-since", since)
		valid := strings.TrimSpace(since) == "1h" || strings.TrimSpace(since) == "1.5d"
		if valid != !strings.Contains(got, "it must be a time such as 90m, 24h or 7d, at most 30d") || !valid && status != exitBlind {
			t.Errorf("-since %q: status %d, output %s", since, status, got)
		}
	}
	l.secrets[didArn] = ""
	if got := l.expect(t, exitWrong, "replay"); got != "no usable key of Didit's is stored; run make connect ENV=local first\n" {
		t.Errorf("without a key: %s", got)
	}
	if got, status := l.opsWith(t, map[string]string{"ENV": "local", "PORT": "1", "CI": "true"}, "replay"); status != exitBlind || !strings.HasPrefix(got, "make run with its simulator does not answer on port 1; start it") {
		t.Errorf("without make run: status %d, %s", status, got)
	}
	if got, status := l.opsWith(t, map[string]string{"ENV": "local", "PORT": "x", "CI": "true"}, "replay"); status != exitBlind || !strings.HasPrefix(got, "PORT must be a number") {
		t.Errorf("a wrong port: status %d, %s", status, got)
	}
}
