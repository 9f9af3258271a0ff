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

// drawn are the reports of two functions.
func drawn() []report {
	bounds := map[string]bound{"far/cold ms/op": {most: 190}, "far/warm ms/op": {ofFloor: 1.03}}
	return []report{
		{function{key: "createsession", bounds: bounds}, []figure{
			{"far/cold", "ms/op", 1, 264.6, 130.25, true, 0}, {"far/first", "ms/op", 1, 47, 125, true, 0},
			{"far/warm", "ms/op", 1, 41.5, 41.4, true, 0}, {"far/warm", "p99-ms/op", 1, 999, 999, true, 0}}},
		{function{key: "<b>&\"'"}, []figure{{"far/cold", "ms/op", 1, 300, 131, true, 0}}},
	}
}

// Ensure that bars and bounds are as long as their values, with the values beside them.
func TestDrawSVG(t *testing.T) {
	t.Parallel()
	picture, err := drawSVG(drawn())
	if err != nil {
		t.Fatal(err)
	}
	var lengths, bounds []int
	texts := map[string]int{}
	for _, e := range parseSVG(t, picture) {
		switch {
		case e.name == "rect" && e.attr["class"] != "card":
			lengths = append(lengths, number(t, e, "width"))
		case e.name == "line":
			bounds = append(bounds, number(t, e, "x1")-barLeft)
		case e.name == "text" || e.name == "tspan":
			texts[e.text]++
		}
	}
	// The longest bar has the whole length, 300 ms here; what was not measured is left out.
	wantLengths, wantBounds := []float64{264.6, 130.25, 47, 125, 41.5, 41.4, 300, 131}, []float64{190, 42.642}
	for i, want := range [][]float64{wantLengths, wantBounds} {
		got := [][]int{lengths, bounds}[i]
		if len(got) != len(want) {
			t.Fatalf("got %d lengths %v, want %d", len(got), got, len(want))
		}
		for j, ms := range want {
			if pixels := ms * barLength / 300; float64(got[j]) < pixels-1 || float64(got[j]) > pixels+1 {
				t.Errorf("%g ms is %d pixels long, want %.1f", ms, got[j], pixels)
			}
		}
	}
	for _, text := range []string{"createsession", "<b>&\"'", "264.6", "300.0", "130.2", "47.0", "bound 190.0", "bound 42.6"} {
		if texts[text] != 1 {
			t.Errorf("%q is written %d times in %v", text, texts[text], texts)
		}
	}
}

// Ensure that no two bars overlap and all are in the picture, even without functions.
func TestDrawSVG_rows(t *testing.T) {
	t.Parallel()
	for n := range 3 {
		picture, err := drawSVG(drawn()[:n])
		if err != nil {
			t.Fatal(err)
		}
		all := parseSVG(t, picture)
		end := 0
		for _, e := range all {
			if e.name == "g" {
				y, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(e.attr["transform"], "translate(0 "), ")"))
				if err != nil || y < end {
					t.Errorf("%d functions: a row is at %q, above the end at %d of the one before", n, e.attr["transform"], end)
				}
				end = y + barHeight
			}
		}
		if height := number(t, all[0], "height"); end > height || bytes.Contains(picture, []byte("NaN")) {
			t.Errorf("%d functions: the last row ends at %d of %d", n, end, height)
		}
	}
}

// Ensure that no bound is drawn through a value, and that both stay within the picture.
func TestNewRow(t *testing.T) {
	t.Parallel()
	for most := 1.0; most < 200; most++ {
		r := newRow(0, "", "", 100, most, barLength/max(most, 100))
		const text = 120 // about as wide as value and bound are
		if r.TextX < barLeft+r.Length || r.TextX <= r.BoundX || r.TextX+text > 760 {
			t.Errorf("bound %g at %d, bar of %d, value at %d", most, r.BoundX, r.Length, r.TextX)
		}
	}
}
