package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"text/template"
)

//go:embed chart.svg
var chartText string

var chartTemplate = template.Must(template.New("chart.svg").Parse(chartText))

// Measures of the picture, in pixels.
const (
	chartWidth  = 760
	chartLeft   = 190 // where bars begin
	chartLength = 430 // of the longest bar or bound; the value follows it
	barHeight   = 18
	barGap      = 4
	panelTop    = 98 // headings and legend
	groupGap    = 22
	panelBottom = 6
	groups      = 3 // in a panel
)

// groupsDrawn are the figures that somebody who waits for an answer notices.
var groupsDrawn = [groups]struct{ key, label string }{
	{far.key + "_cold", "cold start"},
	{far.key + "_first", "first call after init"},
	{far.key + "_warm_p50", "warm call"},
}

type chart struct {
	Title         string
	Width, Height int
	Inner         struct{ Width, Height int }
	Left, Bar     int
	Panels        []panel
}

// panel shows one program in all its configurations, and their floor.
type panel struct {
	Name, Subtitle string
	Y              int
	Legend         []legendEntry
	Groups         []barGroup
}

type legendEntry struct {
	Class, Text string
	X           int
}

type barGroup struct {
	Label  string
	LabelY int
	Bars   []bar
}

type bar struct {
	Class                  string
	Y, TextY, Width, TextX int
	Text                   string
	Bound                  *boundLine
}

type boundLine struct {
	X, Top, Bottom int
	Text           string
}

// svg draws the bars of each function beside its floor's, and the bounds. The
// picture is readable on light and on dark pages.
func (r *report) svg() ([]byte, error) {
	c := chart{Title: "Time to an answer, beside a bare function", Width: chartWidth, Left: chartLeft, Bar: barHeight}
	for _, together := range r.byProgram() {
		p := newPanel(together, r.Plan)
		p.Y = c.Height
		c.Height += panelHeight(len(together))
		c.Panels = append(c.Panels, p)
	}
	c.Inner.Width, c.Inner.Height = c.Width-1, max(0, c.Height-1)
	var out bytes.Buffer
	err := chartTemplate.Execute(&out, c)
	return out.Bytes(), err
}

// byProgram puts neighbours together that are one program in several configurations.
func (r *report) byProgram() [][]functionReport {
	var all [][]functionReport
	for _, f := range r.Functions {
		last := len(all) - 1
		if last >= 0 && all[last][0].Program == f.Program {
			all[last] = append(all[last], f)
			continue
		}
		all = append(all, []functionReport{f})
	}
	return all
}

// groupHeight is that of the bars of so many configurations, and their floor's.
func groupHeight(configurations int) int {
	return (configurations+1)*(barHeight+barGap) + groupGap
}

func panelHeight(configurations int) int {
	return panelTop + groups*groupHeight(configurations) + panelBottom
}

// class is how bars look: of a program's first configuration, and of others.
func class(i int) string {
	if i == 0 {
		return "product"
	}
	return "other"
}

func newPanel(together []functionReport, p plan) panel {
	const letter, gap = 6.5, 40 // about as wide as a letter of the legend, and what comes between
	drawn := panel{
		Name:     together[0].Program,
		Subtitle: fmt.Sprintf("milliseconds to the answer, %v; medians of %d starts, %d warm calls", far, p.Runs, p.Rounds*p.FarCalls),
	}
	x := 24
	for i, f := range together {
		drawn.Legend = append(drawn.Legend, legendEntry{class(i), f.Title, x})
		x += int(letter*float64(len(f.Title))) + gap
	}
	drawn.Legend = append(drawn.Legend, legendEntry{"floor", "floor: " + together[0].Floor, x})
	scale := chartLength / max(longest(together), 1)
	for i, group := range groupsDrawn {
		drawn.Groups = append(drawn.Groups, newGroup(group.label, group.key, together, panelTop+i*groupHeight(len(together)), scale))
	}
	return drawn
}

// longest is the largest value in the picture, bounds included.
func longest(together []functionReport) float64 {
	var most float64
	for _, f := range together {
		for _, group := range groupsDrawn {
			value := f.figure(group.key)
			most = max(most, value.Function, value.Floor)
			if value.Bound != nil {
				most = max(most, value.Bound.Most)
			}
		}
	}
	return most
}

// figure finds a figure by its key; the zero figure has no bar.
func (f functionReport) figure(key string) figure {
	for _, s := range f.Sections {
		for _, line := range s.Figures {
			if line.Key == key {
				return line
			}
		}
	}
	return figure{}
}

// newGroup lays out the bars of one figure below top: of each configuration with
// its bound, and of the floor that was measured beside the first.
func newGroup(label, key string, together []functionReport, top int, scale float64) barGroup {
	g := barGroup{Label: label, LabelY: top + len(together)*(barHeight+barGap)/2 + barHeight - 5}
	for i, f := range together {
		g.Bars = append(g.Bars, newBar(class(i), f.figure(key).Function, f.figure(key).Bound, g.nextY(top), scale))
	}
	g.Bars = append(g.Bars, newBar("floor", together[0].figure(key).Floor, nil, g.nextY(top), scale))
	return g
}

func (g barGroup) nextY(top int) int { return top + len(g.Bars)*(barHeight+barGap) }

func newBar(class string, value float64, bound *verdict, y int, scale float64) bar {
	length := func(value float64) int { return int(math.Round(value * scale)) }
	b := bar{Class: class, Y: y, Width: length(value), Text: decimals(value, 1), TextY: y + barHeight - 5}
	end := chartLeft + b.Width
	if bound != nil {
		b.Bound = &boundLine{X: chartLeft + length(bound.Most), Top: y - 2, Bottom: y + barHeight + 2, Text: "bound " + decimals(bound.Most, 1)}
		// The line must not run through the number.
		end = max(end, b.Bound.X)
	}
	b.TextX = end + 8
	return b
}
