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
	chartLength = 470 // of the longest bar; its value follows it
	barHeight   = 18
	barGap      = 4
	panelTop    = 92 // headings and legend
	groupHeight = 80
	panelBottom = 12
	groups      = 3 // in a panel
	panelHeight = panelTop + groups*groupHeight + panelBottom
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

type panel struct {
	Name, Subtitle string
	Y, LegendFloor int
	Groups         []barGroup
}

type barGroup struct {
	Label  string
	LabelY int
	Bars   []bar
	Bound  *boundLine
}

type bar struct {
	Class                  string
	Y, TextY, Width, TextX int
	Text                   string
}

type boundLine struct {
	X, Top, Bottom, TextY int
	Text                  string
}

// svg draws the bars of each function beside its floor's, and the bounds. The
// picture is readable on light and on dark pages.
func (r *report) svg() ([]byte, error) {
	c := chart{Title: "Time to an answer, beside a bare function", Width: chartWidth, Height: panelHeight * len(r.Functions), Left: chartLeft, Bar: barHeight}
	c.Inner.Width, c.Inner.Height = c.Width-1, c.Height-1
	for i, f := range r.Functions {
		p := f.panel(r.Plan)
		p.Y = i * panelHeight
		c.Panels = append(c.Panels, p)
	}
	var out bytes.Buffer
	err := chartTemplate.Execute(&out, c)
	return out.Bytes(), err
}

func (f functionReport) panel(p plan) panel {
	const letter = 7 // about as wide as a letter of the legend
	drawn := panel{
		Name:        f.Name,
		Subtitle:    fmt.Sprintf("milliseconds to the answer, %v; medians of %d starts, %d warm calls", far, p.Runs, p.Rounds*p.FarCalls),
		LegendFloor: 42 + letter*len(f.Name) + 20,
	}
	var figures [groups]figure
	var longest float64
	for i, group := range groupsDrawn {
		figures[i] = f.figure(group.key)
		longest = max(longest, figures[i].Function, figures[i].Floor)
		if b := figures[i].Bound; b != nil {
			longest = max(longest, b.Most)
		}
	}
	scale := chartLength / max(longest, 1)
	for i, group := range groupsDrawn {
		drawn.Groups = append(drawn.Groups, figures[i].group(group.label, panelTop+i*groupHeight, scale))
	}
	return drawn
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

// group lays out both bars and the bound below top.
func (f figure) group(label string, top int, scale float64) barGroup {
	length := func(value float64) int { return int(math.Round(value * scale)) }
	first := top + 24
	second := first + barHeight + barGap
	g := barGroup{Label: label, LabelY: second + 2}
	if f.Bound != nil {
		g.Bound = &boundLine{X: chartLeft + length(f.Bound.Most), Top: first - 4, Bottom: second + barHeight + 4,
			TextY: first - 9, Text: "bound " + decimals(f.Bound.Most, 1)}
	}
	for i, value := range []float64{f.Function, f.Floor} {
		b := bar{Class: "product", Y: first, Width: length(value), Text: decimals(value, 1)}
		if i == 1 {
			b.Class, b.Y = "floor", second
		}
		b.TextY, b.TextX = b.Y+barHeight-5, chartLeft+b.Width+6
		// The line of the bound must not run through the number.
		const numberWidth = 48
		if g.Bound != nil && g.Bound.X >= b.TextX-6 && g.Bound.X < b.TextX+numberWidth {
			b.TextX = g.Bound.X + 8
		}
		g.Bars = append(g.Bars, b)
	}
	return g
}
