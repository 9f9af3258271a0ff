package didittest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// An object is a JSON object whose values are still text.
type object map[string]json.RawMessage

// A report maps fields to what is wrong with them, in whatever shape Didit puts it: a list, a string, a report.
type report map[string]any

var (
	uuidForm    = regexp.MustCompile(`^(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	countryForm = regexp.MustCompile(`^[A-Z]{3}$`)
)

// languages are the 54 of Didit's OpenAPI 3.0.0, case-sensitive.
var languages = strings.Fields(`en ar bg bn bs ca cnr cs da de el es et fa fi fr he hi hr hu hy id it ja ka kk ko ky lt
	lv mk mn ms nl no pl pt-BR pt ro ru sk sl so sq sr sv th tr uk uz vi zh-CN zh-TW zh`)

var documentTypes = []string{"P", "ID", "DL", "RP", "HIC", "TC", "SSC"}

// maxPortrait is how large a portrait image may be, decoded (Didit's OpenAPI 3.0.0).
const maxPortrait = 2 << 20

// has reports whether a field was sent, and not as null.
func (in object) has(name string) bool { return in[name] != nil && string(in[name]) != "null" }

// text reads a field that is a string, or a number, which the framework turns into one; nil means that it was not
// sent. The check, if any, returns what is wrong with the value, or "".
func (in object) text(name string, wrong report, check func(string) string) *string {
	if !in.has(name) {
		return nil
	}
	var v string
	var n json.Number
	if json.Unmarshal(in[name], &v) != nil {
		if json.Unmarshal(in[name], &n) != nil {
			wrong[name] = []string{"Not a valid string."}
			return nil
		}
		v = n.String()
	}
	if check != nil {
		if problem := check(v); problem != "" {
			wrong[name] = []string{problem}
		}
	}
	return &v
}

// nested checks the fields of an object inside the body.
func (in object) nested(name string, wrong report, check func(object, report)) {
	if !in.has(name) {
		return
	}
	inner := report{}
	var v object
	if json.Unmarshal(in[name], &v) != nil {
		inner["non_field_errors"] = []string{"Invalid data. Expected a dictionary."}
	} else {
		check(v, inner)
	}
	if len(inner) > 0 {
		wrong[name] = inner
	}
}

func isURL(v string) string {
	if u, err := url.Parse(v); err != nil || u.Scheme == "" {
		return "Enter a valid URL."
	}
	return ""
}

func isLanguage(v string) string {
	if !slices.Contains(languages, v) {
		return "Invalid language. Supported languages are: " + strings.Join(languages, ", ")
	}
	return ""
}

func isCountry(v string) string {
	if !countryForm.MatchString(v) {
		return fmt.Sprintf("%q is not a valid choice.", v)
	}
	return ""
}

func isPortrait(v string) string {
	image, err := base64.StdEncoding.DecodeString(v)
	switch {
	case err != nil:
		return "Invalid base64 image."
	case len(image) > maxPortrait:
		return "Image size exceeds 2MB."
	}
	return ""
}

func oneOf(choices ...string) func(string) string {
	return func(v string) string {
		if !slices.Contains(choices, v) {
			return fmt.Sprintf("%q is not a valid choice.", v)
		}
		return ""
	}
}

func checkContact(in object, wrong report) {
	in.text("email", wrong, func(v string) string {
		if a, err := mail.ParseAddress(v); err != nil || a.Address != v {
			return "Enter a valid email address."
		}
		return ""
	})
	in.text("email_lang", wrong, isLanguage)
}

func checkExpected(in object, wrong report) {
	for _, name := range []string{"first_name", "last_name", "identification_number"} {
		in.text(name, wrong, nil)
	}
	in.text("date_of_birth", wrong, func(v string) string {
		if _, err := time.Parse(time.DateOnly, v); err != nil {
			return "Date has wrong format. Use one of these formats instead: YYYY-MM-DD."
		}
		return ""
	})
	in.text("gender", wrong, oneOf("M", "F"))
	for _, name := range []string{"nationality", "country", "id_country", "poa_country"} {
		in.text(name, wrong, isCountry)
	}
	in.text("ip_address", wrong, func(v string) string {
		if _, err := netip.ParseAddr(v); err != nil {
			return "Enter a valid IPv4 or IPv6 address."
		}
		return ""
	})
	if in.text("address", wrong, nil) != nil && !in.has("country") && !in.has("id_country") && !in.has("poa_country") {
		wrong["address"] = []string{"An address needs country or poa_country."}
	}
	checkDocumentTypes(in, wrong)
}

func checkDocumentTypes(in object, wrong report) {
	const name = "expected_document_types"
	if !in.has(name) {
		return
	}
	var list []string
	if json.Unmarshal(in[name], &list) != nil {
		wrong[name] = []string{"Expected a list of items."}
	}
	for _, v := range list {
		if !slices.Contains(documentTypes, strings.ToUpper(v)) {
			wrong[name] = []string{fmt.Sprintf("%q is not a valid choice.", v)}
		}
	}
}
