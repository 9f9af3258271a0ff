package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
)

// report is what was measured of one function.
type report struct {
	function function
	figures  []figure
}

// figure is one quantity of a benchmark. Neighbors with the same benchmark share a line.
type figure struct {
	benchmark, unit string // without the function's name, such as "far/cold" and "ms/op"
	n               int    // measurements
	function, floor float64
	hasFloor        bool
}

// newFigures sums a measurement up: medians, unless the unit says otherwise. What this system
// cannot measure is left out.
func newFigures(f function, p plan, m *measurement) []figure {
	var all []figure
	beside := func(benchmark, unit string, n int, of func(*side) float64) {
		all = append(all, figure{benchmark, unit, n, of(&m.function), of(&m.floor), true})
	}
	for _, d := range []distance{far, near} {
		n := len(m.function.at(d).warm)
		beside(d.name+"/init", "ms/op", p.runs, func(s *side) float64 { return s.at(d).init.median() })
		beside(d.name+"/cold", "ms/op", p.runs, func(s *side) float64 { return s.at(d).cold.median() })
		beside(d.name+"/first", "ms/op", p.runs, func(s *side) float64 { return s.at(d).first.median() })
		beside(d.name+"/warm", "ms/op", n, func(s *side) float64 { return s.at(d).warm.median() })
		beside(d.name+"/warm", "p99-ms/op", n, func(s *side) float64 { return s.at(d).warm.percentile(99) })
	}
	if len(m.function.cpu) > 0 {
		beside("near/warm", "cpu-us/op", len(m.function.near.warm), func(s *side) float64 { return s.cpu.median() })
	}
	if len(m.function.peak) > 0 {
		beside("near/warm", "peak-MiB", len(m.function.near.warm), func(s *side) float64 { return s.peak.median() })
	}
	beside("binary", "lambda-MB", 1, func(s *side) float64 { return s.lambdaSize })
	beside("binary", "host-MB", 1, func(s *side) float64 { return s.hostSize })
	alone := func(benchmark, unit string, n int, value float64) {
		all = append(all, figure{benchmark: benchmark, unit: unit, n: n, function: value})
	}
	usual := m.function.near.init.median()
	alone("init/down", "added-ms", len(m.downInit), max(0, m.downInit.median()-usual))
	alone("init/silent", "added-ms", len(m.silentInit), max(0, m.silentInit.median()-usual))
	if f.callers > 0 {
		alone("concurrent", "secret-reads", f.callers, float64(m.secretReads))
		alone("concurrent", "token-requests", f.callers, float64(m.tokenRequests))
	}
	return all
}

// limit returns the largest value that keeps to the bound, and whether the figure does.
func (b bound) limit(f figure) (most float64, held bool) {
	most = cmp.Or(b.exactly, b.ofFloor*f.floor+b.most)
	return most, f.function <= most && (b.exactly == 0 || f.function == b.exactly)
}

// printMachine prints what was the same for all benchmarks, as configuration lines.
func printMachine(w io.Writer) {
	fmt.Fprintf(w, "goos: %s\ngoarch: %s\ngo: %s\npkg: didit-sessions/functions\n", runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// print writes the figures in Go's benchmark format, and the bounds as comments.
func (r report) print(w io.Writer) error {
	var out bytes.Buffer
	for start := 0; start < len(r.figures); {
		end := start + 1
		for end < len(r.figures) && r.figures[end].benchmark == r.figures[start].benchmark {
			end++
		}
		line := r.figures[start:end]
		printLine(&out, r.function.name, "", line, func(f figure) float64 { return f.function })
		if line[0].hasFloor {
			printLine(&out, r.function.name, "/floor", line, func(f figure) float64 { return f.floor })
		}
		start = end
	}
	for _, f := range r.figures {
		if b, ok := r.function.bounds[f.benchmark+" "+f.unit]; ok {
			most, held := b.limit(f)
			verdict := map[bool]string{true: "held", false: "NOT held"}[held]
			fmt.Fprintf(&out, "# %s/%s: %s %s, bound %s (%s): %s\n",
				r.function.name, f.benchmark, format(f.function), f.unit, format(most), b.text, verdict)
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}

func printLine(w io.Writer, function, suffix string, line []figure, value func(figure) float64) {
	name := fmt.Sprintf("Benchmark%s/%s%s-%d", function, line[0].benchmark, suffix, runtime.GOMAXPROCS(0))
	fmt.Fprintf(w, "%-52s %8d", name, line[0].n)
	for _, f := range line {
		fmt.Fprintf(w, " %10s %s", format(value(f)), f.unit)
	}
	fmt.Fprintln(w)
}

// format drops digits that mean nothing.
func format(x float64) string { return strconv.FormatFloat(math.Round(x*1000)/1000, 'f', -1, 64) }
