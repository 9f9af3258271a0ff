package main

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
)

// report is everything that was measured, and what -json prints.
type report struct {
	Machine   machine          `json:"machine"`
	Plan      plan             `json:"plan"`
	Functions []functionReport `json:"functions"`
}

type machine struct {
	System     string `json:"system"` // as "linux/amd64"
	Processors int    `json:"processors"`
	Go         string `json:"go"`
}

type functionReport struct {
	Key      string    `json:"key"`
	Title    string    `json:"title"`
	Program  string    `json:"program"` // directory under functions/
	About    string    `json:"about"`
	Floor    string    `json:"floor"` // what the floor does
	Sections []section `json:"sections"`
}

type section struct {
	Title   string   `json:"title"`
	Figures []figure `json:"figures"`
}

// figure is one line of the table. Floor and ratio are 0 where there is no floor
// to compare with, and memory and CPU time where this system does not tell.
type figure struct {
	Key      string   `json:"key"`
	Name     string   `json:"name"`
	Unit     string   `json:"unit,omitempty"`
	Function float64  `json:"function"`
	Floor    float64  `json:"floor,omitempty"`
	Ratio    float64  `json:"ratio,omitempty"`
	Bound    *verdict `json:"bound,omitempty"`
}

// verdict is a bound in the figure's unit, and whether the figure keeps to it.
type verdict struct {
	Text string  `json:"text"`
	Most float64 `json:"most"`
	Held bool    `json:"held"`
}

func newReport(p plan) *report { return &report{Plan: p, Machine: thisMachine()} }

func thisMachine() machine {
	return machine{System: runtime.GOOS + "/" + runtime.GOARCH, Processors: runtime.NumCPU(), Go: runtime.Version()}
}

// add sums a measurement up: medians, unless the figure's name says otherwise.
func (r *report) add(f function, m *measurement) {
	initially := m.near[0].init.median()
	mb := func(bytes float64) float64 { return bytes / 1e6 }
	process := section{Title: "process", Figures: []figure{
		{Key: "binary_lambda", Name: "binary, linux/" + f.lambdaCPU, Unit: "MB", Function: mb(m.lambdaSize[0]), Floor: mb(m.lambdaSize[1])},
		{Key: "binary_host", Name: "binary, " + r.Machine.System, Unit: "MB", Function: mb(m.hostSize[0]), Floor: mb(m.hostSize[1])},
		{Key: "peak_memory", Name: "peak memory", Unit: "MiB", Function: m.peak[0].median(), Floor: m.peak[1].median()},
		{Key: "cpu_warm", Name: "CPU of a warm call", Unit: "µs", Function: m.cpu[0].median(), Floor: m.cpu[1].median()},
	}}
	trouble := section{Title: "network down or silent while starting", Figures: []figure{
		{Key: "init_network_down", Name: "down: adds to init", Unit: "ms", Function: max(0, m.downInit.median()-initially)},
		{Key: "init_network_silent", Name: "silent: adds to init", Unit: "ms", Function: max(0, m.silentInit.median()-initially)},
	}}
	sections := []section{distanceSection(far, m.far), distanceSection(near, m.near), process, trouble}
	if f.callers > 0 {
		sections = append(sections, section{Title: fmt.Sprintf("%d concurrent cold callers in one process", f.callers), Figures: []figure{
			{Key: "cold_secret_reads", Name: "secret reads", Function: float64(m.secretReads)},
			{Key: "cold_token_requests", Name: "token requests", Function: float64(m.tokenRequests)},
		}})
	}
	for _, s := range sections {
		for i := range s.Figures {
			s.Figures[i].judge(f.bounds)
		}
	}
	r.Functions = append(r.Functions, functionReport{
		Key: f.key, Title: f.title, Program: f.program, About: f.about, Floor: f.floorDoes, Sections: sections,
	})
}

func distanceSection(d distance, of both[times]) section {
	line := func(key, name string, value func(times) float64) figure {
		return figure{Key: d.key + "_" + key, Name: name, Unit: "ms", Function: value(of[0]), Floor: value(of[1])}
	}
	return section{Title: d.String(), Figures: []figure{
		line("init", "init", func(t times) float64 { return t.init.median() }),
		line("cold", "cold: start to answer", func(t times) float64 { return t.cold.median() }),
		line("first", "first call after init", func(t times) float64 { return t.first.median() }),
		line("warm_p50", "warm p50", func(t times) float64 { return t.warm.median() }),
		line("warm_p99", "warm p99", func(t times) float64 { return t.warm.percentile(99) }),
	}}
}

// judge holds the figure against the bound of its key, where there is one, and
// then drops digits that mean nothing.
func (f *figure) judge(bounds map[string]bound) {
	if f.Floor != 0 {
		f.Ratio = f.Function / f.Floor
	}
	if b, ok := bounds[f.Key]; ok && !f.unknown() {
		most := cmp.Or(b.exactly, b.ofFloor*f.Floor+b.most)
		held := f.Function <= most && (b.exactly == 0 || f.Function == b.exactly)
		f.Bound = &verdict{Text: b.text, Most: thousandths(most), Held: held}
	}
	f.Function, f.Floor, f.Ratio = thousandths(f.Function), thousandths(f.Floor), thousandths(f.Ratio)
}

// unknown reports whether the figure could not be measured on this system.
func (f figure) unknown() bool { return f.Function == 0 && (f.Unit == "MiB" || f.Unit == "µs") }

func thousandths(x float64) float64 { return math.Round(x*1000) / 1000 }
