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
)

func heading(w io.Writer, title string) {
	fmt.Fprintf(w, "== %s\n", title)
}

// printAnswer shows an HTTP answer as API Gateway would send it, and any other
// as the function gave it.
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
	// The log follows in full, so the last lines of it are left out here.
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

func printUpstream(w io.Writer, u *upstream) {
	heading(w, "upstream calls")
	fmt.Fprintf(w, "Secrets Manager  %d\n", u.secrets.Calls())
	fmt.Fprintf(w, "Didit token      %d\n", u.didit.Count(didittest.OpToken))
	fmt.Fprintf(w, "Didit session    %d\n", u.didit.Count(didittest.OpCreate))
	for _, service := range []struct {
		name  string
		calls int
	}{{"Didit decision", u.didit.Count(didittest.OpDecision)}, {"DynamoDB", u.table.Calls("") - u.filled}, {"EventBridge", u.bus.Calls()}, {"Step Functions", u.tasks.Calls()}} {
		if service.calls > 0 {
			fmt.Fprintf(w, "%-16s %d\n", service.name, service.calls)
		}
	}
	if other := u.didit.Count(didittest.OpOther); other > 0 {
		fmt.Fprintf(w, "Didit other      %d\n", other)
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

// pretty indents JSON and leaves everything else, and every number's text,
// alone.
func pretty(text []byte) []byte {
	var out bytes.Buffer
	if json.Indent(&out, bytes.TrimSpace(text), "", "  ") != nil {
		return text
	}
	return out.Bytes()
}
