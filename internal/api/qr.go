package api

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"rsc.io/qr"

	"didit-sessions/internal/verification"
)

// quietZone is the white border that readers need, in modules (ISO/IEC 18004).
const quietZone = 4

// qrImages are the values of the query parameter qr, and what they add to the answer.
var qrImages = map[string]func(*qr.Code) string{
	"svg": func(c *qr.Code) string { return dataURI("image/svg+xml", svg(c)) },
	"png": func(c *qr.Code) string { return dataURI("image/png", c.PNG()) }, // 8 pixels a module, with the quiet zone
}

// qrWanted returns the value of the query parameter qr, empty if it is not there, and an error of
// the field for one that does not exist, or if the query cannot be parsed.
func qrWanted(rawQuery string) (format string, invalid []verification.FieldError) {
	query, err := url.ParseQuery(rawQuery)
	values := query["qr"]
	switch {
	case err != nil:
		return "", []verification.FieldError{{Field: "qr", Message: unreadableQuery}}
	case len(values) == 0:
		return "", nil
	case len(values) == 1 && qrImages[values[0]] != nil:
		return values[0], nil
	}
	return "", []verification.FieldError{{Field: "qr", Message: "must be svg or png, once, in the query."}}
}

// qrCode returns the text as a QR code of level M, a data URI in a format of qrImages. It fails if
// the text has more than 2,331 bytes, which no code can hold.
func qrCode(text, format string) (string, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", verification.NewError(verification.CodeInternal, "the session's URL is too long for a QR code")
	}
	return qrImages[format](code), nil
}

func dataURI(mediaType string, image []byte) string {
	return "data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(image)
}

// svg draws the code as one path, a line for each run of dark modules. The image has no size of its
// own: it takes that of the page.
func svg(c *qr.Code) []byte {
	var dark strings.Builder
	for y := range c.Size {
		for x := 0; x < c.Size; x++ {
			begin := x
			for c.Black(x, y) {
				x++
			}
			if x > begin {
				fmt.Fprintf(&dark, "M%d %dh%dv1h-%dz", begin+quietZone, y+quietZone, x-begin, x-begin)
			}
		}
	}
	size := c.Size + 2*quietZone
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges" role="img">`+
		`<title>QR code of the link to the verification</title><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="%s"/></svg>`,
		size, size, size, size, &dark)
}
