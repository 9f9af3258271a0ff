package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// Widths of the table's columns, in characters.
const (
	nameWidth  = 26
	unitWidth  = 5
	valueWidth = 11
	ratioWidth = 8
	boundWidth = 43
)

// print writes the report as tables.
func (r *report) print(w io.Writer) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "medians of %d starts and %d x %d (without round trip %d x %d) warm calls; %s, %d processors, %s\n",
		r.Plan.Runs, r.Plan.Rounds, r.Plan.FarCalls, r.Plan.Rounds, r.Plan.NearCalls, r.Machine.System, r.Machine.Processors, r.Machine.Go)
	for _, f := range r.Functions {
		fmt.Fprintf(&out, "\n%s: %s\nfloor: %s\n", f.Title, f.About, f.Floor)
		row(&out, "", "", "function", "floor", "ratio", "bound", "")
		for _, s := range f.Sections {
			fmt.Fprintln(&out, s.Title)
			for _, line := range s.Figures {
				line.print(&out)
			}
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}

func (f figure) print(w *bytes.Buffer) {
	var floor, ratio, text, held string
	value := f.text(f.Function)
	if f.Floor != 0 {
		floor, ratio = f.text(f.Floor), decimals(f.Ratio, 2)
	}
	if f.unknown() {
		value = "unknown"
	}
	if f.Bound != nil {
		text, held = f.Bound.Text, "NOT held"
		if f.Bound.Held {
			held = "held"
		}
		if f.Unit == "ms" && f.Bound.Most < 1000 {
			text += " = " + f.text(f.Bound.Most)
		}
	}
	row(w, "  "+f.Name, f.Unit, value, floor, ratio, text, held)
}

// text has as many decimals as the unit deserves.
func (f figure) text(value float64) string {
	switch f.Unit {
	case "µs", "":
		return decimals(value, 0)
	case "MiB":
		return decimals(value, 1)
	}
	return decimals(value, 2)
}

func decimals(value float64, n int) string { return strconv.FormatFloat(value, 'f', n, 64) }

// row writes one line without spaces at its end.
func row(w *bytes.Buffer, name, unit, value, floor, ratio, bound, held string) {
	line := fmt.Appendf(nil, "%-*s %-*s %*s %*s %*s   %-*s %s", nameWidth, name, unitWidth, unit,
		valueWidth+2, value, valueWidth, floor, ratioWidth, ratio, boundWidth, bound, held)
	w.Write(append(bytes.TrimRight(line, " "), '\n'))
}
