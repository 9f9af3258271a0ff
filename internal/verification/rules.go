package verification

import (
	"encoding/base64"
	"net/mail"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// parameter is one field that create takes.
type parameter struct {
	path  string
	kind  Kind
	max   int                       // characters of a string; 0: no limit of its own
	check func(value string) string // the rule that a string breaks, or ""
	// suggest is asked before check. Its message quotes the value and is private.
	suggest func(value string) string
}

// anyKind is the kind of a parameter that takes every JSON value.
const anyKind Kind = -1

// Limits of the public contract.
const (
	MaxVendorData = 2048     // bytes of UTF-8: what an index key of DynamoDB holds
	maxMetadata   = 64 << 10 // bytes as sent
	maxPortrait   = 2 << 20  // bytes decoded (Didit's OpenAPI 3.0.0: "Image size exceeds 2MB")
)

// parameters are the fields of Didit's create page and the newer ones whose shape is known. A row
// here is all that a new one needs, beside README and its row in the test.
var parameters = []parameter{
	{"workflow_id", KindString, 0, checkUUID, nil},
	{"vendor_data", KindString, 0, checkVendorData, nil},
	{"callback", KindString, 2048, checkCallback, nil},
	{"callback_method", KindString, 0, oneOf("initiator", "completer", "both"), nil},
	{"metadata", anyKind, 0, nil, nil},
	{"language", KindString, 0, checkLanguage, nil},
	{"portrait_image", KindString, 0, checkPortrait, nil},
	{"sandbox_scenario", KindString, 100, checkSlug, nil},
	{"contact_details", KindObject, 0, nil, nil},
	{"contact_details.email", KindString, 254, checkEmail, nil},
	{"contact_details.email_lang", KindString, 0, checkLanguage, nil},
	{"contact_details.phone", KindString, 0, checkPhone, nil},
	{"contact_details.send_notification_emails", KindBool, 0, nil, nil},
	{"expected_details", KindObject, 0, nil, nil},
	{"expected_details.first_name", KindString, 255, nil, nil},
	{"expected_details.last_name", KindString, 255, nil, nil},
	{"expected_details.date_of_birth", KindString, 0, nil, nil}, // needs the clock: see checkDate
	{"expected_details.gender", KindString, 0, oneOf("M", "F"), nil},
	{"expected_details.nationality", KindString, 0, checkCountry, suggestCountry},
	{"expected_details.country", KindString, 0, checkCountry, suggestCountry},
	{"expected_details.id_country", KindString, 0, checkCountry, suggestCountry},
	{"expected_details.poa_country", KindString, 0, checkCountry, suggestCountry},
	{"expected_details.address", KindString, 512, nil, nil},
	{"expected_details.identification_number", KindString, 100, nil, nil},
	{"expected_details.ip_address", KindString, 0, checkIP, nil},
	{"expected_details.expected_document_types", KindArray, 0, nil, nil},
	{"expected_details.company_name", KindString, 255, nil, nil},
	{"expected_details.registry_country", KindString, 10, nil, nil},
	{"expected_details.registration_number", KindString, 100, nil, nil},
}

func findParameter(path string) (parameter, bool) {
	i := slices.IndexFunc(parameters, func(p parameter) bool { return p.path == path })
	if i < 0 {
		return parameter{}, false
	}
	return parameters[i], true
}

// KnownField reports whether create takes a field of that name or dotted path.
func KnownField(path string) bool {
	_, ok := findParameter(path)
	return ok
}

// dotted reports whether a member's name looks like a path. No field has such a name, and it must
// not be taken for the field at that path.
func dotted(name string) bool { return strings.Contains(name, ".") }

// UserFields are the fields that a signed-in user may send unless the configuration names others.
var UserFields = []string{
	"workflow_id", "callback", "callback_method", "language", "metadata",
	"contact_details.email", "contact_details.email_lang", "contact_details.phone",
	"expected_details.first_name", "expected_details.last_name", "expected_details.date_of_birth",
	"expected_details.gender", "expected_details.nationality", "expected_details.country", "expected_details.address",
}

var (
	uuidForm     = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	languageForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z]{2,4})?$`)
	// At most 15 digits (ITU-T E.164); no country's numbers have fewer than 7 with its code.
	phoneForm = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	slugForm  = regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)
)

// ValidUUID reports whether the string is a UUID, in upper or lower case.
func ValidUUID(text string) bool { return uuidForm.MatchString(text) }

var (
	checkUUID     = matches(uuidForm, "must be a UUID, for example 11111111-2222-3333-4444-555555555555.")
	checkLanguage = matches(languageForm, "must be a language code, such as en, es or pt-BR.")
	checkSlug     = matches(slugForm,
		"must be the name of a scenario in lower case, such as approve or decline_minimum_age.")
)

func matches(form *regexp.Regexp, message string) func(string) string {
	return func(text string) string {
		if !form.MatchString(text) {
			return message
		}
		return ""
	}
}

func checkVendorData(text string) string {
	if len(text) > MaxVendorData {
		return "must not be longer than " + strconv.Itoa(MaxVendorData) + " bytes of UTF-8."
	}
	return ""
}

func checkEmail(text string) string {
	address, err := mail.ParseAddress(text)
	if err != nil || address.Name != "" || address.Address != text {
		return "must be an e-mail address, for example jane@example.com."
	}
	domain := text[strings.LastIndexByte(text, '@')+1:]
	if !strings.Contains(domain, ".") {
		return "must be an e-mail address with a whole domain, for example jane@example.com."
	}
	return ""
}

func checkPhone(text string) string {
	switch {
	case phoneForm.MatchString(text):
		return ""
	case !strings.HasPrefix(text, "+"):
		return "must begin with + and the country code (E.164), for example +14155552671."
	default:
		return "must be + and 7 to 15 digits without spaces (E.164), for example +14155552671."
	}
}

func checkIP(text string) string {
	if ip, err := netip.ParseAddr(text); err != nil || ip.Zone() != "" {
		return "must be an IPv4 or IPv6 address."
	}
	return ""
}

func checkPortrait(text string) string {
	// The decoder skips line breaks.
	characters := len(text) - strings.Count(text, "\n") - strings.Count(text, "\r")
	if base64.StdEncoding.DecodedLen(characters) > maxPortrait+3 {
		return "must not be larger than 2 MB."
	}
	image, err := base64.StdEncoding.DecodeString(text)
	switch {
	case err != nil:
		return "must be base64, with padding."
	case len(image) > maxPortrait:
		return "must not be larger than 2 MB."
	}
	return ""
}

// checkDate requires a valid date that is not in the future in any time zone.
func checkDate(text string, now time.Time) string {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return "must be a real date, written YYYY-MM-DD."
	}
	if furthestEast := now.UTC().Add(14 * time.Hour); day.After(furthestEast) {
		return "must not be in the future."
	}
	return ""
}

func oneOf(words ...string) func(string) string {
	return func(text string) string {
		if !slices.Contains(words, text) {
			return "must be one of " + strings.Join(words, ", ") + "."
		}
		return ""
	}
}

// documentTypes are Didit's words for documents (Didit's OpenAPI 3.0.0), in upper or lower case.
var documentTypes = []string{"P", "ID", "DL", "RP", "HIC", "TC", "SSC"}

// readDocumentTypes returns the words of an array, each once, or the rule that it breaks.
func readDocumentTypes(items []Value) (types []string, problem string) {
	for _, item := range items {
		if item.Kind != KindString || !slices.Contains(documentTypes, strings.ToUpper(item.Text)) {
			return nil, "must be an array of " + strings.Join(documentTypes, ", ") + "."
		}
		if !slices.ContainsFunc(types, func(seen string) bool { return strings.EqualFold(seen, item.Text) }) {
			types = append(types, item.Text)
		}
	}
	if len(types) == 0 {
		return nil, "must name at least one document type."
	}
	return types, ""
}

// checkText applies the rules for a string, and returns the one that it breaks, or "". private
// tells that the message quotes the string.
func (p parameter) checkText(text string) (problem string, private bool) {
	switch {
	case strings.TrimSpace(text) == "":
		return "must not be empty.", false
	case p.max > 0 && utf8.RuneCountInString(text) > p.max:
		return "must not be longer than " + strconv.Itoa(p.max) + " characters.", false
	}
	if p.suggest != nil {
		if suggestion := p.suggest(text); suggestion != "" {
			return suggestion, true
		}
	}
	if p.check == nil {
		return "", false
	}
	return p.check(text), false
}
