package verification

import (
	"slices"
	"strings"
	"testing"
)

func TestCountries(t *testing.T) {
	t.Parallel()
	if got, want := len(countries), 250; got != want {
		t.Fatalf("got %d countries, want %d", got, want)
	}
	seen := map[string]bool{}
	var twos []string
	for _, codes := range countries {
		for i, code := range codes {
			if want := 2 + i; len(code) != want || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
				t.Errorf("%v: got %q, want %d capital letters", codes, code, want)
			}
			if seen[code] {
				t.Errorf("%q is there twice", code)
			}
			seen[code] = true
		}
		twos = append(twos, codes[0])
	}
	if !slices.IsSorted(twos) {
		t.Errorf("got alpha-2 codes %q, want them sorted", twos)
	}
	for two, want := range map[string]string{
		"AD": "AND", "AT": "AUT", "AU": "AUS", "CH": "CHE", "DE": "DEU", "EE": "EST", "ES": "ESP", "GB": "GBR", "GG": "GGY", "IE": "IRL",
		"KP": "PRK", "KR": "KOR", "NE": "NER", "NG": "NGA", "RS": "SRB", "SS": "SSD", "SV": "SLV", "TL": "TLS", "UA": "UKR", "US": "USA",
		"XK": "XKX", "ZA": "ZAF", "ZW": "ZWE",
	} {
		if !slices.Contains(countries, [2]string{two, want}) {
			t.Errorf("%s %s is missing", two, want)
		}
	}
}

func TestCheckCountry(t *testing.T) {
	t.Parallel()
	const unknown = "must be a country code of three letters (ISO 3166-1 alpha-3), for example ESP."
	for _, test := range []struct{ code, want string }{
		{"ESP", ""}, {"XKX", ""}, {"AND", ""}, {"ZWE", ""},
		{"ES", "ES has two letters; three are needed: ESP."},
		{"es", "es has two letters; three are needed: ESP."},
		{"XK", "XK has two letters; three are needed: XKX."},
		{"esp", "esp must be in capital letters: ESP."},
		{"Esp", "Esp must be in capital letters: ESP."},
		{"EU", unknown}, {"UK", unknown}, {"ENG", unknown}, {"XXX", unknown}, {"724", unknown}, {"Spain", unknown}, {"E", unknown},
		{"ESP ", unknown}, {"P E", unknown}, {" ES", unknown}, {"AND A", unknown}, {"ES ESP", unknown},
	} {
		p, _ := findParameter("expected_details.country")
		if got, _ := p.checkText(test.code); got != test.want {
			t.Errorf("%q: got %q, want %q", test.code, got, test.want)
		}
	}
}

// Ensure that a message that quotes a value is marked, and that the others are not.
func TestCreator_Create_privateMessages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		path, value string
		private     bool
	}{
		{"expected_details.nationality", `"es"`, true},
		{"expected_details.country", `"esp"`, true},
		{"expected_details.id_country", `"Spain"`, false},
		{"contact_details.email", `"jane"`, false},
		{"contact_details.phone", `"0041791234567"`, false},
	} {
		body := bodyWith(test.path, test.value, "")
		e := refused(t, newCreator(nil).Policy, trusted, body)
		wantRefusal(t, body, e, CodeInvalidRequest, test.path)
		if got := e.Fields[0].Private; got != test.private {
			t.Errorf("%s: %q: got private %v, want %v", body, e.Fields[0].Message, got, test.private)
		}
	}
}
