package functiontest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"didit-sessions/internal/lambdatest"
)

// Leaks searches what a function says for texts that must stay inside. It is for one goroutine.
type Leaks struct {
	*World
	// Logged must be in no log and in no error of the direct door.
	Logged []string
	// Answered must be in no answer over HTTP.
	Answered []string

	calls    int
	searched int // bytes of the logs
}

// Call is that of the world; what the function wrote meanwhile, and its error, are searched.
func (l *Leaks) Call(t *testing.T, what string, payload []byte) lambdatest.Result {
	t.Helper()
	r := l.World.Call(t, payload)
	l.search(t, what+", error", r.ErrorType+" "+r.ErrorMessage, l.Logged)
	logs := string(l.Logs())
	l.search(t, what+", logs", logs[l.searched:], l.Logged)
	l.calls, l.searched = l.calls+1, len(logs)
	return r
}

// HTTP is Call for a payload of API Gateway's; the answer is searched too.
func (l *Leaks) HTTP(t *testing.T, what string, payload []byte) lambdatest.HTTPAnswer {
	t.Helper()
	a, err := l.Call(t, what, payload).HTTP()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	l.search(t, what+", answer", fmt.Sprint(a.Status, a.Header, string(a.Body)), l.Answered)
	return a
}

// Done ensures that there was something to search: one line with metrics of each call.
func (l *Leaks) Done(t *testing.T) {
	t.Helper()
	if got := bytes.Count(l.Logs(), []byte(`"CloudWatchMetrics"`)); got != l.calls || got == 0 {
		t.Errorf("%d lines of metrics were searched, of %d calls", got, l.calls)
	}
}

func (l *Leaks) search(t *testing.T, what, text string, markers []string) {
	t.Helper()
	for _, marker := range markers {
		if i := strings.Index(text, marker); i >= 0 {
			t.Fatalf("%s: %q is told: …%.200s", what, marker, text[max(0, i-100):])
		}
	}
}
