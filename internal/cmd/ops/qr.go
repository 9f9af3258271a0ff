package main

import (
	"strings"

	"rsc.io/qr"
)

// quietZone is the margin of a QR code in modules (ISO/IEC 18004, section 6.3.8).
const quietZone = 4

// drawQR returns a QR code for a terminal, two modules to a character. It sets both colors, so that
// it is black on white on dark and light terminals alike.
func drawQR(text string) (string, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", err
	}
	const blackOnWhite, reset = "\x1b[38;5;16;48;5;231m", "\x1b[0m"
	halves := map[[2]bool]string{{false, false}: " ", {true, false}: "▀", {false, true}: "▄", {true, true}: "█"}
	var b strings.Builder
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		b.WriteString(blackOnWhite)
		for x := -quietZone; x < code.Size+quietZone; x++ {
			b.WriteString(halves[[2]bool{code.Black(x, y), code.Black(x, y+1)}])
		}
		b.WriteString(reset + "\n")
	}
	return b.String(), nil
}
