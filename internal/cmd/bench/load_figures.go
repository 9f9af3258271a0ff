package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// loadFigures are what came of the load.
type loadFigures struct {
	plan    loadPlan
	answers map[string]int
	memory  map[string]*memory // by function
	wrong   []string           // what was lost, and answers outside the contract; the first hundred
}

// memory is the resident size of a process in MiB, once a second.
type memory struct{ first, last sample }

func (l *load) count(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.figures.answers[strings.TrimSpace(what)]++
}

func (l *load) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.figures.wrong) < 100 {
		l.figures.wrong = append(l.figures.wrong, fmt.Sprintf(format, args...))
	}
}

// watchMemory notes the memory of the processes until stop is called: of the first half of the
// load, and of the second.
func (l *load) watchMemory() (stop func()) {
	half, end := time.Now().Add(l.plan.lasts/2), time.Now().Add(l.plan.lasts)
	for name := range l.fns {
		l.figures.memory[name] = &memory{}
	}
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(min(time.Second, l.plan.lasts/4+time.Millisecond))
		defer ticker.Stop()
		for {
			select {
			case <-ended:
				return
			case now := <-ticker.C:
				for name, fn := range l.fns {
					size, m := residentMiB(fn.PID()), l.figures.memory[name]
					if now.Before(half) {
						m.first = append(m.first, size)
					} else if now.Before(end) {
						m.last = append(m.last, size)
					}
				}
			}
		}
	}()
	return func() { close(ended); <-done }
}

// residentMiB reads the memory of a running process (proc(5)); 0 where there is no /proc.
func residentMiB(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	var size, resident int64
	if err == nil {
		_, err = fmt.Sscan(string(text), &size, &resident)
	}
	if err != nil {
		return 0
	}
	return float64(resident*int64(os.Getpagesize())) / (1 << 20)
}

// flat reports whether the process takes no more memory in the second half than in the first.
func (m *memory) flat() bool { return m.last.median() <= 1.05*m.first.median()+1 }

func verdict(held bool) string { return map[bool]string{true: "held", false: "NOT held"}[held] }

// print writes the memory in Go's benchmark format, and the rest as comments.
func (f *loadFigures) print(w io.Writer) {
	for _, name := range slices.Sorted(maps.Keys(f.memory)) {
		m := f.memory[name]
		fmt.Fprintf(w, "BenchmarkLoad/%s %d %s first-MiB %s last-MiB\n", name, len(m.first)+len(m.last), format(m.first.median()), format(m.last.median()))
		fmt.Fprintf(w, "# Load/%s: memory flat: %s\n", name, verdict(m.flat()))
	}
	for _, what := range slices.Sorted(maps.Keys(f.answers)) {
		fmt.Fprintf(w, "# Load: %d × %s\n", f.answers[what], what)
	}
	fmt.Fprintf(w, "# Load: nothing lost, no answer outside the contract: %s\n", verdict(len(f.wrong) == 0))
	for _, what := range f.wrong {
		fmt.Fprintf(w, "# Load: %s\n", what)
	}
}

// table returns the figures in Markdown.
func (f *loadFigures) table() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d sessions at once for %v, and %d deliveries in random order, on %s: %d sessions were verified, nothing was lost, and no answer was outside the contract.\n\n| function | memory in the first half, MiB | in the second half |\n|---|---|---|\n",
		f.plan.sessions, f.plan.lasts, f.plan.deliveries, machine(), f.answers["verified"])
	for _, name := range slices.Sorted(maps.Keys(f.memory)) {
		m := f.memory[name]
		fmt.Fprintf(&out, "| `%s` | %s | %s |\n", name, format(m.first.median()), format(m.last.median()))
	}
	return out.String()
}
