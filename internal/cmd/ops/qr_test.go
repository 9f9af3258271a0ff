package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"rsc.io/qr"
)

// Ensure that the drawing has every module of the code in its place, with the quiet zone around it.
func TestDrawQR(t *testing.T) {
	t.Parallel()
	const url = "https://verify.didit.me/session/oM6bfv_AZ4CS"
	code, err := qr.Encode(url, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := drawQR(url)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(drawn, "\n"), "\n")
	if want := (code.Size + 2*quietZone + 1) / 2; len(lines) != want {
		t.Fatalf("got %d lines, want %d", len(lines), want)
	}
	for i, line := range lines {
		line, ok := strings.CutPrefix(line, "\x1b[38;5;16;48;5;231m")
		line, end := strings.CutSuffix(line, "\x1b[0m")
		if !ok || !end || utf8.RuneCountInString(line) != code.Size+2*quietZone {
			t.Fatalf("line %d is %q, want %d characters between colors", i, line, code.Size+2*quietZone)
		}
		for x, r := range []rune(line) {
			x, y := x-quietZone, 2*i-quietZone
			if top, bottom := r == '▀' || r == '█', r == '▄' || r == '█'; top != code.Black(x, y) || bottom != code.Black(x, y+1) {
				t.Fatalf("the module at %d, %d is drawn as %q", x, y, r)
			}
		}
	}
}
