package main

import (
	"bytes"
	_ "embed"
	"math"
	"slices"
	"strconv"
	"text/template"
)

//go:embed chart.svg
var chartText string

var chartTemplate = template.Must(template.New("chart.svg").Parse(chartText))

// Measures of the picture, in pixels.
const (
	barLeft   = 220
	barLength = 400 // of the longest bar or bound; the value follows it
	barHeight = 18
	rowHeight = barHeight + 4
	headSpace = 34 // for the heading of a function
)

// chartGroups are the figures that a caller who waits for an answer notices.
var chartGroups = []struct{ benchmark, label string }{
	{"far/cold", "cold start"}, {"far/first", "first call after init"}, {"far/warm", "warm call"},
}

// row is a line of the picture: a heading, or a bar with its value and perhaps a bound.
type row struct {
	Y                int // of the top
	Heading          string
	Label, Class     string
	Length, TextX    int
	Value, BoundText string
	BoundX           int // 0: no bound
}

// drawSVG draws the times of each function beside its floor's, and the bounds. The picture is
// readable on light and on dark pages.
func drawSVG(reports []report) ([]byte, error) {
	longest := 1.0
	for _, r := range reports {
		for _, group := range chartGroups {
			longest = max(longest, slices.Max(r.times(group.benchmark)))
		}
	}
	scale := barLength / longest
	y := 40
	var rows []row
	for _, r := range reports {
		rows = append(rows, row{Y: y, Heading: r.function.key})
		y += headSpace
		for _, group := range chartGroups {
			times := r.times(group.benchmark)
			if times[0] == 0 {
				continue // not measured of this function
			}
			rows = append(rows, newRow(y, group.label, "product", times[0], times[2], scale), newRow(y+rowHeight, "", "floor", times[1], 0, scale))
			y += 2*rowHeight + rowHeight/2
		}
	}
	var out bytes.Buffer
	err := chartTemplate.Execute(&out, map[string]any{"Height": y, "Inner": y - 1, "Rows": rows, "Left": barLeft, "Bar": barHeight})
	return out.Bytes(), err
}

// times returns the time of the benchmark, the floor's, and the bound; 0 for what is missing.
func (r report) times(benchmark string) []float64 {
	for _, f := range r.figures {
		if f.benchmark == benchmark && f.unit == "ms/op" {
			most, _ := r.function.bounds[benchmark+" ms/op"].limit(f)
			return []float64{f.function, f.floor, most}
		}
	}
	return []float64{0, 0, 0}
}

func newRow(y int, label, class string, value, most, scale float64) row {
	pixels := func(value float64) int { return int(math.Round(value * scale)) }
	text := func(value float64) string { return strconv.FormatFloat(value, 'f', 1, 64) }
	r := row{Y: y, Label: label, Class: class, Length: pixels(value), Value: text(value)}
	if most > 0 {
		r.BoundX, r.BoundText = barLeft+pixels(most), "bound "+text(most)
	}
	// The line of the bound must not run through the value.
	r.TextX = max(barLeft+r.Length, r.BoundX) + 8
	return r
}
