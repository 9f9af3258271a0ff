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

// Ensure that bars are as long as what they stand for, within the picture, and named.
func TestReport_svg(t *testing.T) {
	t.Parallel()
	r := made()
	picture, err := r.svg()
	if err != nil {
		t.Fatal(err)
	}
	all := parseSVG(t, picture)
	var lengths, bounds []int
	texts := map[string]int{}
	for _, e := range all {
		switch {
		case e.name == "rect" && (e.attr["class"] == "product" || e.attr["class"] == "floor") && number(t, e, "x") == chartLeft:
			lengths = append(lengths, number(t, e, "width"))
		case e.name == "line":
			bounds = append(bounds, number(t, e, "x1")-chartLeft)
		case e.name == "text":
			texts[e.text]++
		}
	}
	// The longest bar has the whole length, 264.6 ms here.
	wantLengths, wantBounds := []float64{264.6, 130.25, 47, 125, 41.5, 41.4}, []float64{190, 49, 42.642}
	for i, want := range [][]float64{wantLengths, wantBounds} {
		got := [][]int{lengths, bounds}[i]
		if len(got) != len(want) {
			t.Fatalf("got %d lengths %v, want %d", len(got), got, len(want))
		}
		for j, ms := range want {
			if pixels := ms * chartLength / 264.6; float64(got[j]) < pixels-1 || float64(got[j]) > pixels+1 {
				t.Errorf("%g ms is %d pixels long, want %.1f", ms, got[j], pixels)
			}
		}
	}
	for _, text := range []string{"264.6", "130.2", "47.0", "bound 190.0", "bound 42.6", "cold start", "first call after init", "warm call"} {
		if texts[text] != 1 {
			t.Errorf("%q is written %d times in %v", text, texts[text], texts)
		}
	}
}

// Ensure that no bound is drawn through a number.
func TestFigure_group(t *testing.T) {
	t.Parallel()
	for most := 1.0; most < 200; most++ {
		g := figure{Function: 100, Floor: 50, Bound: &verdict{Most: most}}.group("", 0, 2)
		for _, b := range g.Bars {
			if g.Bound.X >= b.TextX-2 && g.Bound.X <= b.TextX+40 {
				t.Errorf("bound %g at %d, number at %d", most, g.Bound.X, b.TextX)
			}
			if b.TextX < chartLeft+b.Width {
				t.Errorf("bound %g: the number at %d lies on a bar that ends at %d", most, b.TextX, chartLeft+b.Width)
			}
		}
	}
}

// Ensure that odd reports give a picture too.
func TestReport_svgOdd(t *testing.T) {
	t.Parallel()
	two := made()
	two.Functions = append(two.Functions, functionReport{Name: `<b>&"'`})
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
