package main

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"sync"
	"time"
)

// maxHops is how many hops the timeline keeps; the oldest are forgotten first.
const maxHops = 400

// hop is a step of the system, as the page shows it: without secrets and without what sessions
// hold about people.
type hop struct {
	ID        int64     `json:"id"`
	Changed   int64     `json:"changed"` // the version of the timeline in which it was added or repeated
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"` // request, didit, webhook, event, table or task
	SessionID string    `json:"session_id"`
	Title     string    `json:"title"`
	Result    string    `json:"result"`
	Tone      string    `json:"tone"` // good, bad, wait or ""
	Note      string    `json:"note"`
	Took      float64   `json:"took"`  // milliseconds; 0 where nothing took time
	Times     int       `json:"times"` // how often it happened in a row
	Parts     []part    `json:"parts"` // what the row opens to
}

// part is a message, or a row of the table.
type part struct {
	Title   string   `json:"title"`
	Headers []string `json:"headers,omitempty"`
	Body    string   `json:"body"`
}

// timeline keeps the latest hops. The zero value is empty. It is safe for concurrent use.
type timeline struct {
	mu      sync.Mutex
	hops    []hop // oldest first
	version int64
	changed chan struct{} // closed with the next change; nil if no call waits
}

// add appends a hop, or counts it as a repetition of the last one: an app that polls gets the same
// answer many times.
func (t *timeline) add(h hop) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.version++
	h.Changed, h.Times, h.Parts = t.version, 1, append([]part{}, h.Parts...)
	if n := len(t.hops) - 1; n >= 0 && h.repeats(t.hops[n]) {
		h.ID, h.Times = t.hops[n].ID, t.hops[n].Times+1
		t.hops[n] = h
	} else {
		h.ID = t.version
		t.hops = append(t.hops, h)
	}
	if extra := len(t.hops) - maxHops; extra > 0 {
		t.hops = slices.Delete(t.hops, 0, extra)
	}
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// repeats reports whether h is a poll whose answer is that of the hop before.
func (h hop) repeats(before hop) bool {
	if h.Kind != "request" || len(h.Parts) == 0 || len(before.Parts) != len(h.Parts) {
		return false
	}
	last := len(h.Parts) - 1
	return h.Kind == before.Kind && h.Title == before.Title && h.Result == before.Result && h.SessionID != "" &&
		h.SessionID == before.SessionID && h.Parts[0].Body == "" && h.Parts[last].Body == before.Parts[last].Body
}

// since returns the hops that were added or repeated after a version, oldest first, and the current
// version.
func (t *timeline) since(version int64) ([]hop, int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed := []hop{}
	for _, h := range t.hops {
		if h.Changed > version {
			changed = append(changed, h)
		}
	}
	return changed, t.version
}

// wait returns after a change of the version, and at the latest when ctx ends.
func (t *timeline) wait(ctx context.Context, version int64) {
	t.mu.Lock()
	if t.version != version {
		t.mu.Unlock()
		return
	}
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	changed := t.changed
	t.mu.Unlock()
	select {
	case <-changed:
	case <-ctx.Done():
	}
}

// runID differs between runs of the program, so that a page notices that its state is of another
// run.
var runID = rand.Text()

// toneOf returns the tone of a status of HTTP; 0 means that there was no answer.
func toneOf(status int) string {
	switch {
	case status == 0 || status >= 400:
		return "bad"
	case status < 300:
		return "good"
	default:
		return ""
	}
}

// resultOf returns the result of a request.
func resultOf(status int) string {
	if status == 0 {
		return "no answer"
	}
	return strconv.Itoa(status)
}
