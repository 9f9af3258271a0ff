package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// fill replaces the lines between two marks in a Markdown file.
func fill(path, name, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := "<!-- bench: "+name+" -->\n", "<!-- bench: end of "+name+" -->"
	before, rest, hasBegin := bytes.Cut(old, []byte(begin))
	_, after, hasEnd := bytes.Cut(rest, []byte(end))
	if !hasBegin || !hasEnd {
		return fmt.Errorf("%s does not have the marks %s and %s", path, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(path, fmt.Appendf(nil, "%s%s%s%s%s", before, begin, text, end, after), 0o644)
}

// machine describes when and where something was measured.
func machine() string {
	processor := runtime.GOARCH
	cpus, _ := os.ReadFile("/proc/cpuinfo")
	if _, model, found := bytes.Cut(cpus, []byte("model name\t: ")); found {
		processor, _, _ = strings.Cut(string(model), "\n")
	}
	return fmt.Sprintf("%s on %s/%s with %d processors (%s) and %s",
		time.Now().UTC().Format("2 January 2006"), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor, runtime.Version())
}

// benchmarkNames are those of figures with bounds, for readers.
var benchmarkNames = map[string]string{
	"far/cold ms/op": "cold start, ms", "far/first ms/op": "first call after a finished init, ms",
	"far/warm ms/op": "warm call, ms", "near/warm ms/op": "warm call without any round trip, ms",
	"near/warm peak-MiB": "peak memory, MiB", "binary lambda-MB": "binary for arm64, MB",
	"init/down added-ms": "init while the network is down takes longer by, ms", "init/silent added-ms": "init while nothing answers takes longer by, ms",
	"concurrent secret-reads": "cold callers at once: reads of the secret", "concurrent token-requests": "cold callers at once: token requests",
}

// boundsTable returns a Markdown table of every figure with a bound.
func boundsTable(p plan, reports []report) string {
	var out strings.Builder
	fmt.Fprintf(&out, "Medians of %d starts and %d warm calls, measured on %s:\n\n| what | measured | floor | bound | held |\n|---|---|---|---|---|\n",
		p.runs, p.rounds*p.farCalls, machine())
	for _, r := range reports {
		for _, f := range r.figures {
			b, ok := r.function.bounds[f.benchmark+" "+f.unit]
			if !ok {
				continue
			}
			floor := "–"
			if f.hasFloor {
				floor = format(f.floor)
			}
			most, held := b.limit(f)
			fmt.Fprintf(&out, "| %s: %s | %s | %s | %s (%s) | %s |\n", r.function.label, benchmarkNames[f.benchmark+" "+f.unit],
				format(f.function), floor, format(most), b.text, map[bool]string{true: "yes", false: "**no**"}[held])
		}
	}
	return out.String()
}
