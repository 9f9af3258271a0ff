package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
)

func printSection(w io.Writer, title string, lines ...string) {
	fmt.Fprintf(w, "== %s\n%s\n", title, strings.Join(lines, "\n"))
}

// printAnswer prints an HTTP answer as API Gateway would send it, any other answer as it is, or why
// there is none.
func printAnswer(w io.Writer, result lambdatest.Result, failure error) {
	if failure != nil {
		// The whole log follows.
		text, _, _ := strings.Cut(failure.Error(), "; last log lines:")
		printSection(w, "no answer", text, "")
		return
	}
	answer, err := result.HTTP()
	if err != nil {
		printSection(w, "answer", pretty(result.Payload), "")
		return
	}
	lines := []string{fmt.Sprint(answer.Status, " ", http.StatusText(answer.Status))}
	for _, name := range slices.Sorted(maps.Keys(answer.Header)) {
		lines = append(lines, name+": "+strings.Join(answer.Header[name], ", "))
	}
	printSection(w, "answer", append(lines, "", pretty(answer.Body), "")...)
}

// printUpstream prints how often each service was called; prepared is the number of the table's
// requests that were not the function's. The first three services are always listed.
func printUpstream(w io.Writer, s *stage.Stage, prepared int) {
	var lines []string
	for i, service := range []struct {
		name  string
		calls int
	}{
		{"Secrets Manager", s.Secrets.Calls("")}, {"Didit token", s.Didit.Count(didittest.OpToken)}, {"Didit session", s.Didit.Count(didittest.OpCreate)},
		{"Didit decision", s.Didit.Count(didittest.OpDecision)}, {"DynamoDB", s.Table.Calls("") - prepared}, {"EventBridge", s.Bus.Calls("")},
		{"Didit list", s.Didit.Count(didittest.OpList)}, {"Didit delete", s.Didit.Count(didittest.OpDelete) + s.Didit.Count(didittest.OpDeleteUser)},
		{"Step Functions", s.Tasks.Calls("")}, {"Didit other", s.Didit.Count(didittest.OpOther)},
	} {
		if i < 3 || service.calls > 0 {
			lines = append(lines, fmt.Sprintf("%-16s %d", service.name, service.calls))
		}
	}
	printSection(w, "upstream calls", append(lines, "")...)
}

func printTimes(w io.Writer, initDuration, invocation time.Duration, usage lambdatest.Usage) {
	lines := []string{
		fmt.Sprintf("init         %.1f ms", milliseconds(initDuration)),
		fmt.Sprintf("invocation   %.1f ms", milliseconds(invocation)),
		fmt.Sprintf("CPU          %.1f ms", milliseconds(usage.UserCPU+usage.SystemCPU)),
	}
	if usage.PeakMemory > 0 {
		lines = append(lines, fmt.Sprintf("peak memory  %.1f MiB", float64(usage.PeakMemory)/(1<<20)))
	}
	printSection(w, "measured", lines...)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// pretty indents JSON, without changing how numbers are written, and returns anything else as it
// is.
func pretty(text []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, bytes.TrimSpace(text), "", "  ") != nil {
		return string(text)
	}
	return out.String()
}
