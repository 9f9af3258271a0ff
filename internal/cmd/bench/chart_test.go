package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
)

// element is what the tests look at in a picture.
type element struct {
	name string
	attr map[string]string
	text string
}

// parseSVG fails unless the picture is well-formed.
func parseSVG(t *testing.T, picture []byte) []element {
	t.Helper()
	var all []element
	decoder := xml.NewDecoder(bytes.NewReader(picture))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, picture)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			all = append(all, e)
		case xml.CharData:
			if len(all) > 0 {
				all[len(all)-1].text += strings.TrimSpace(string(token))
			}
		}
	}
}

func number(t *testing.T, e element, name string) int {
	t.Helper()
	n, err := strconv.Atoi(e.attr[name])
	if err != nil {
		t.Fatalf("%s of %+v: %v", name, e, err)
	}
	return n
}

// Ensure that bars are as long as what they stand for, within the picture, and named; and that both
// configurations of a program share a panel, a scale and the floor of the first.
func TestReport_svg(t *testing.T) {
	t.Parallel()
	r := made()
	second := r.Functions[0]
	second.Title = "createsession, recording"
	second.Sections = []section{{Figures: []figure{{Key: "far_cold", Function: 300, Floor: 131}, {Key: "far_warm_p50", Function: 45}}}}
	r.Functions = append(r.Functions, second)
	picture, err := r.svg()
	if err != nil {
		t.Fatal(err)
	}
	all := parseSVG(t, picture)
	var lengths, bounds []int
	texts := map[string]int{}
	for _, e := range all {
		switch {
		case e.name == "rect" && e.attr["class"] != "card" && number(t, e, "x") == chartLeft:
			lengths = append(lengths, number(t, e, "width"))
		case e.name == "line":
			bounds = append(bounds, number(t, e, "x1")-chartLeft)
		case e.name == "text" || e.name == "tspan":
			texts[e.text]++
		}
	}
	// The longest bar has the whole length, 300 ms here.
	wantLengths, wantBounds := []float64{264.6, 300, 130.25, 47, 0, 125, 41.5, 45, 41.4}, []float64{190, 49, 42.642}
	for i, want := range [][]float64{wantLengths, wantBounds} {
		got := [][]int{lengths, bounds}[i]
		if len(got) != len(want) {
			t.Fatalf("got %d lengths %v, want %d", len(got), got, len(want))
		}
		for j, ms := range want {
			if pixels := ms * chartLength / 300; float64(got[j]) < pixels-1 || float64(got[j]) > pixels+1 {
				t.Errorf("%g ms is %d pixels long, want %.1f", ms, got[j], pixels)
			}
		}
	}
	for _, text := range []string{"264.6", "300.0", "130.2", "47.0", "bound 190.0", "bound 42.6", "cold start", "first call after init", "warm call",
		"createsession, recording", "floor: only forwards"} {
		if texts[text] != 1 {
			t.Errorf("%q is written %d times in %v", text, texts[text], texts)
		}
	}
	if texts["createsession"] != 2 { // heading and legend
		t.Errorf("createsession is written %d times", texts["createsession"])
	}
}

// Ensure that no two bars of a panel overlap, and that each panel begins where the one above ends.
func TestReport_svgRows(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 3; n++ {
		together := make([]functionReport, n)
		p := newPanel(together, full)
		end := panelTop
		for _, g := range p.Groups {
			for _, b := range g.Bars {
				if b.Y < end {
					t.Errorf("%d configurations: a bar begins at %d, above the end at %d of the one before", n, b.Y, end)
				}
				end = b.Y + barHeight
			}
			if len(g.Bars) != n+1 || g.LabelY < g.Bars[0].Y || g.LabelY > end {
				t.Errorf("%d configurations: got %d bars, label at %d", n, len(g.Bars), g.LabelY)
			}
		}
		if end > panelHeight(n) {
			t.Errorf("%d configurations end at %d of %d", n, end, panelHeight(n))
		}
	}
}

// Ensure that no bound is drawn through a number, and that both stay within the picture.
func TestNewBar(t *testing.T) {
	t.Parallel()
	for most := 1.0; most < 200; most++ {
		scale := chartLength / max(most, 100)
		b := newBar("", 100, &verdict{Most: most}, 0, scale)
		const text = 120 // about as wide as number and bound are
		if b.TextX < chartLeft+b.Width || b.TextX <= b.Bound.X || b.TextX+text > chartWidth {
			t.Errorf("bound %g at %d, bar to %d, number at %d", most, b.Bound.X, chartLeft+b.Width, b.TextX)
		}
	}
}

// Ensure that odd reports give a picture too.
func TestReport_svgOdd(t *testing.T) {
	t.Parallel()
	two := made()
	two.Functions = append(two.Functions, functionReport{Title: `<b>&"'`, Program: `<b>&"'`, Floor: `<b>&"'`})
	for name, r := range map[string]*report{"no function": {}, "no figure, name with markup": two} {
		picture, err := r.svg()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		parseSVG(t, picture)
		if bytes.Contains(picture, []byte("NaN")) || bytes.Contains(picture, []byte("<b>")) {
			t.Errorf("%s: got %s", name, picture)
		}
	}
}
