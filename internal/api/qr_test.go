package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"didit-sessions/internal/api/apitest"
	"didit-sessions/internal/verification"
)

// postTo is post with a query, of valid JSON.
func postTo(t *testing.T, c *CreateSession, query string) (status int, answer map[string]any, body string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/sessions"+query, strings.NewReader(`{}`))
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	apitest.CheckAnswer(t, r, w)
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return w.Code, answer, w.Body.String()
}

// imageOf returns the bytes of a data URI, which must have the media type.
func imageOf(t *testing.T, answer map[string]any, mediaType string) []byte {
	t.Helper()
	uri, _ := answer["qr"].(string)
	text, ok := strings.CutPrefix(uri, "data:"+mediaType+";base64,")
	decoded, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		t.Fatalf("got qr %.60q, error %v, want a data URI of %s", uri, err, mediaType)
	}
	return decoded
}

// readQR reads a code with a third-party reader, and returns its text and level.
func readQR(t *testing.T, picture image.Image) (text, level string) {
	t.Helper()
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Fatal(err)
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		t.Fatalf("the code cannot be read: %v", err)
	}
	return result.GetText(), fmt.Sprint(result.GetResultMetadata()[gozxing.ResultMetadataType_ERROR_CORRECTION_LEVEL])
}

// svgImage is what the tests know of an SVG.
type svgImage struct {
	ViewBox string     `xml:"viewBox,attr"`
	Role    string     `xml:"role,attr"`
	Attrs   []xml.Attr `xml:",any,attr"`
	Title   string     `xml:"title"`
	Paths   []struct {
		Fill string `xml:"fill,attr"`
		D    string `xml:"d,attr"`
	} `xml:"path"`
}

var rectangle = regexp.MustCompile(`M(\d+) (\d+)h(\d+)v(\d+)(?:h-(\d+)|H(\d+))z`)

// rasterise draws the rectangles of the SVG as large as the scale, in pixels a module, says.
func (s *svgImage) rasterise(t *testing.T, scale float64) image.Image {
	t.Helper()
	var size int
	if _, err := fmt.Sscanf(s.ViewBox, "0 0 %d", &size); err != nil {
		t.Fatalf("viewBox %q: %v", s.ViewBox, err)
	}
	at := func(text string) int {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return int(float64(n)*scale + 0.5)
	}
	picture := image.NewGray(image.Rect(0, 0, int(float64(size)*scale), int(float64(size)*scale)))
	draw.Draw(picture, picture.Bounds(), image.NewUniform(color.Gray{128}), image.Point{}, draw.Src)
	for _, path := range s.Paths {
		fill := color.Gray{map[string]uint8{"#fff": 255, "": 0}[path.Fill]}
		if left := rectangle.ReplaceAllString(path.D, ""); left != "" {
			t.Fatalf("the path has %q, which is no rectangle", left)
		}
		for _, r := range rectangle.FindAllStringSubmatch(path.D, -1) {
			x, y := at(r[1]), at(r[2])
			number := func(a, b string) string { return strconv.Itoa(must(strconv.Atoi(a)) + must(strconv.Atoi(b))) }
			area := image.Rect(x, y, at(number(r[1], r[3])), at(number(r[2], r[4])))
			draw.Draw(picture, area, image.NewUniform(fill), image.Point{}, draw.Src)
		}
	}
	return picture
}

func must(n int, err error) int {
	if err != nil {
		panic(err)
	}
	return n
}

// wantQuiet checks that the image is white but for a square with that border on each side.
func wantQuiet(t *testing.T, picture image.Image, border int) {
	t.Helper()
	b := picture.Bounds()
	inner, dark := b.Inset(border), 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			gray := color.GrayModel.Convert(picture.At(x, y)).(color.Gray).Y
			if gray < 128 {
				dark++
			}
			if gray != 255 && !image.Pt(x, y).In(inner) {
				t.Fatalf("the pixel %d, %d of %v has gray %d, want a white border of %d", x, y, b, gray, border)
			}
		}
	}
	corner := color.GrayModel.Convert(picture.At(inner.Min.X, inner.Min.Y)).(color.Gray).Y
	if corner != 0 || dark == 0 {
		t.Errorf("the code does not begin after a border of %d of %v", border, b)
	}
}

// Ensure that a third-party reader finds the session's URL in both images, at the sizes that pages
// show them in, and that the SVG scales and has a title for screen readers.
func TestCreateSession_qr(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"https://verify.didit.me/session/abcdef123456", "http://192.168.1.20:8081/session/x",
		"https://verify.didit.me/session/" + strings.Repeat("aB3_-", 60) + "?lang=ü"} {
		c := newAPI(&sessions{session: verification.Session{ID: workflow, URL: url, Token: "t", WorkflowID: workflow, Status: "Not Started"}}, claims(`"u"`))
		_, answer, _ := postTo(t, c, "?qr=png")
		picture, err := png.Decode(bytes.NewReader(imageOf(t, answer, "image/png")))
		if err != nil {
			t.Fatal(err)
		}
		wantQuiet(t, picture, 4*8)
		if text, level := readQR(t, picture); text != url || level != "M" {
			t.Errorf("PNG: got %q of level %s, want %q of level M", text, level, url)
		}

		_, answer, body := postTo(t, c, "?qr=svg")
		var drawn svgImage
		if err := xml.Unmarshal(imageOf(t, answer, "image/svg+xml"), &drawn); err != nil {
			t.Fatal(err)
		}
		if drawn.Title == "" || strings.Contains(drawn.Title, "/") || drawn.Role != "img" || answer["url"] != url {
			t.Errorf("SVG: got title %q, role %q beside %s", drawn.Title, drawn.Role, body)
		}
		for _, a := range drawn.Attrs {
			if a.Name.Local == "width" || a.Name.Local == "height" {
				t.Errorf("SVG: it has the %s %s, want none: it takes the page's", a.Name.Local, a.Value)
			}
		}
		wantQuiet(t, drawn.rasterise(t, 1), 4)
		for _, scale := range []float64{3, 3.7, 10} {
			if text, level := readQR(t, drawn.rasterise(t, scale)); text != url || level != "M" {
				t.Errorf("SVG, %v pixels a module: got %q of level %s, want %q of level M", scale, text, level, url)
			}
		}
	}
}

// Ensure that an answer has no code unless it is asked for, and that another value is refused, with
// all other faults.
func TestCreateSession_qrValues(t *testing.T) {
	t.Parallel()
	session := verification.Session{ID: workflow, URL: "https://verify.didit.me/session/a", Token: "t", WorkflowID: workflow, Status: "Not Started"}
	for _, query := range []string{"", "?", "?QR=svg", "?other=svg", "?qr2=png"} {
		if status, answer, body := postTo(t, newAPI(&sessions{session: session}, claims(`"u"`)), query); status != 201 || answer["qr"] != nil {
			t.Errorf("%q: got %d %s, want 201 without a code", query, status, body)
		}
	}
	for _, query := range []string{"?qr", "?qr=", "?qr=SVG", "?qr=gif", "?qr=svg&qr=png", "?qr=svg&qr=svg", "?qr=svg%20", "?%71r=pdf"} {
		s := &sessions{session: session}
		postTo(t, newAPI(s, claims(`"u"`)), query)
		if len(s.got.Invalid) != 1 || s.got.Invalid[0].Field != "qr" || s.got.Invalid[0].Private {
			t.Errorf("%q: the domain got the faults %v, want one of qr", query, s.got.Invalid)
		}
	}
	// What a query says that cannot be parsed is not known.
	for _, query := range []string{"?qr=gif;x", "?x=1;qr=gif", "?qr=%zz", "?qr=svg;", "?qr=svg&x=%", "?;"} {
		s := &sessions{session: session}
		postTo(t, newAPI(s, claims(`"u"`)), query)
		if len(s.got.Invalid) != 1 || s.got.Invalid[0].Field != "qr" || s.got.Invalid[0].Message != unreadableQuery {
			t.Errorf("%q: the domain got the faults %v, want one of qr that says %q", query, s.got.Invalid, unreadableQuery)
		}
	}
}

// Ensure that a URL that no code can hold costs the code and not the session.
func TestCreateSession_qrTooLong(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]bool{2331: true, 2332: false} {
		var log bytes.Buffer
		url := "https://" + strings.Repeat("a", n-8)
		c := newAPI(&sessions{session: verification.Session{ID: workflow, URL: url, Token: "t", WorkflowID: workflow, Status: "Not Started"}}, claims(`"u"`))
		c.Log = slog.New(slog.NewJSONHandler(&log, nil))
		status, answer, _ := postTo(t, c, "?qr=png")
		if _, got := answer["qr"]; status != 201 || got != want || strings.Contains(log.String(), "recovered") == want {
			t.Errorf("%d bytes: got %d, code %v, log %s, want 201, %v", n, status, got, log.String(), want)
		}
		if strings.Contains(log.String(), "aaaa") {
			t.Errorf("the URL is logged: %s", log.String())
		}
	}
}
