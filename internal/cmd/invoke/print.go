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

func heading(w io.Writer, title string) {
	fmt.Fprintf(w, "== %s\n", title)
}

// printAnswer prints an HTTP answer as API Gateway would send it, and any other answer as it is.
func printAnswer(w io.Writer, result lambdatest.Result) {
	heading(w, "answer")
	answer, err := result.HTTP()
	if err != nil {
		fmt.Fprintf(w, "%s\n\n", pretty(result.Payload))
		return
	}
	fmt.Fprintln(w, answer.Status, http.StatusText(answer.Status))
	for _, name := range slices.Sorted(maps.Keys(answer.Header)) {
		fmt.Fprintf(w, "%s: %s\n", name, strings.Join(answer.Header[name], ", "))
	}
	fmt.Fprintf(w, "\n%s\n\n", pretty(answer.Body))
}

func printCrash(w io.Writer, err error) {
	heading(w, "no answer")
	// The whole log follows.
	text, _, _ := strings.Cut(err.Error(), "; last log lines:")
	fmt.Fprintf(w, "%s\n\n", text)
}

func printLogs(w io.Writer, lines []string) {
	heading(w, "logs")
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintln(w)
}

// printUpstream prints how often each service was called; prepared is the number of the table's
// requests that were not the function's. The first three services are always listed.
func printUpstream(w io.Writer, s *stage.Stage, prepared int) {
	heading(w, "upstream calls")
	for i, service := range []struct {
		name  string
		calls int
	}{
		{"Secrets Manager", s.Secrets.Calls("")}, {"Didit token", s.Didit.Count(didittest.OpToken)}, {"Didit session", s.Didit.Count(didittest.OpCreate)},
		{"Didit decision", s.Didit.Count(didittest.OpDecision)}, {"DynamoDB", s.Table.Calls("") - prepared}, {"EventBridge", s.Bus.Calls("")},
		{"Step Functions", s.Tasks.Calls("")}, {"Didit other", s.Didit.Count(didittest.OpOther)},
	} {
		if i < 3 || service.calls > 0 {
			fmt.Fprintf(w, "%-16s %d\n", service.name, service.calls)
		}
	}
	fmt.Fprintln(w)
}

func printTimes(w io.Writer, initDuration, invocation time.Duration, usage lambdatest.Usage) {
	heading(w, "measured")
	fmt.Fprintf(w, "init         %.1f ms\n", milliseconds(initDuration))
	fmt.Fprintf(w, "invocation   %.1f ms\n", milliseconds(invocation))
	fmt.Fprintf(w, "CPU          %.1f ms\n", milliseconds(usage.UserCPU+usage.SystemCPU))
	if usage.PeakMemory > 0 {
		fmt.Fprintf(w, "peak memory  %.1f MiB\n", float64(usage.PeakMemory)/(1<<20))
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// pretty indents JSON, without changing how numbers are written, and returns anything else as it
// is.
func pretty(text []byte) []byte {
	var out bytes.Buffer
	if json.Indent(&out, bytes.TrimSpace(text), "", "  ") != nil {
		return text
	}
	return out.Bytes()
}
