package stagetest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/lambdatest"
)

// Leaks searches the answers, errors and logs of a function for strings that must not appear in
// them. It is not safe for concurrent use.
type Leaks struct {
	*World
	// Logged must not appear in logs or in errors of direct invocations.
	Logged []string
	// Answered must not appear in HTTP answers.
	Answered []string

	calls    int
	searched int // bytes of the logs
}

// Call is [World.Call], and searches the error and what the function logged meanwhile.
func (l *Leaks) Call(t *testing.T, what string, payload []byte) lambdatest.Result {
	t.Helper()
	r := l.World.Call(t, payload)
	l.search(t, what+", error", r.ErrorType+" "+r.ErrorMessage, l.Logged)
	logs := string(l.Logs())
	l.search(t, what+", logs", logs[l.searched:], l.Logged)
	l.calls, l.searched = l.calls+1, len(logs)
	return r
}

// HTTP is Call for a payload of API Gateway, and searches the answer too.
func (l *Leaks) HTTP(t *testing.T, what string, payload []byte) awsfake.HTTPAnswer {
	t.Helper()
	a, err := l.Call(t, what, payload).HTTP()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	l.search(t, what+", answer", fmt.Sprint(a.Status, a.Header, string(a.Body)), l.Answered)
	return a
}

// Done checks that there was something to search: one line of metrics for each call.
func (l *Leaks) Done(t *testing.T) {
	t.Helper()
	if got := bytes.Count(l.Logs(), []byte(`"Calls":1`)); got != l.calls || got == 0 {
		t.Errorf("%d lines of metrics were searched, of %d calls", got, l.calls)
	}
}

func (l *Leaks) search(t *testing.T, what, text string, markers []string) {
	t.Helper()
	for _, marker := range markers {
		if i := strings.Index(text, marker); i >= 0 {
			t.Fatalf("%s: found %q: …%.200s", what, marker, text[max(0, i-100):])
		}
	}
}
