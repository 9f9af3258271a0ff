package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"strings"
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
	warm            float64 // the function's warm call at the same distance; 0 if it was not measured
}

// figureKeys are the figures in the order of the output, by benchmark and unit: the init, from the
// start of a process to its first poll; a cold start; the first call after the init; later calls;
// the size of the binary; what the init takes longer while no upstream can be reached; and the
// requests of concurrent cold callers in one process.
var figureKeys = []string{
	"far/init ms/op", "far/cold ms/op", "far/first ms/op", "far/warm ms/op", "far/warm p99-ms/op",
	"near/init ms/op", "near/cold ms/op", "near/first ms/op",
	"near/warm ms/op", "near/warm p99-ms/op", "near/warm cpu-us/op", "near/warm peak-MiB",
	"binary lambda-MB", "init/down added-ms", "init/silent added-ms",
	"concurrent secret-reads", "concurrent token-requests",
}

// newFigures sums a measurement up. What was not measured is left out.
func newFigures(m *measurement) []figure {
	var all []figure
	for _, key := range figureKeys {
		benchmark, unit, _ := strings.Cut(key, " ")
		function, n := m.function.samples.figure(benchmark, unit)
		floor, floors := m.floor.samples.figure(benchmark, unit)
		if n > 0 {
			distance, _, _ := strings.Cut(benchmark, "/")
			warm, _ := m.function.samples.figure(distance+"/warm", "ms/op")
			all = append(all, figure{benchmark, unit, n, function, floor, floors > 0, warm})
		}
	}
	return all
}

// figure returns the median, unless the unit says otherwise, and of how many measurements.
func (s samples) figure(benchmark, unit string) (value float64, n int) {
	times := s[benchmark+" ms/op"]
	switch unit {
	case "p99-ms/op":
		return times.percentile(99), len(times)
	case "added-ms":
		return max(0, times.median()-s["near/init ms/op"].median()), len(times)
	}
	all := s[benchmark+" "+unit]
	return all.median(), len(all)
}

// limit returns the largest value that keeps to the bound, and whether the figure does.
func (b bound) limit(f figure) (most float64, held bool) {
	most = b.ofFloor*f.floor + b.most
	if b.ofWarm {
		most += f.warm
	}
	most = cmp.Or(b.exactly, most)
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
