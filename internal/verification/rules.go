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
	most  int                       // characters of a text, 0 for no limit of its own
	check func(value string) string // what is wrong with a text, or ""
}

// anyKind marks a parameter that takes every JSON value.
const anyKind Kind = -1

// Limits of the public contract.
const (
	MostVendorData = 2048     // bytes of UTF-8, what an index key of DynamoDB holds
	mostMetadata   = 64 << 10 // bytes as sent
	mostPortrait   = 2 << 20  // bytes decoded (Didit's OpenAPI 3.0.0: "Image size exceeds 2MB")
)

// parameters are the fields of Didit's create page and the newer ones whose shape is known.
var parameters = []parameter{
	{"workflow_id", Text, 0, checkUUID},
	{"vendor_data", Text, 0, checkVendorData},
	{"callback", Text, 2048, checkCallback},
	{"callback_method", Text, 0, oneOf("initiator", "completer", "both")},
	{"metadata", anyKind, 0, nil},
	{"language", Text, 0, checkLanguage},
	{"portrait_image", Text, 0, checkPortrait},
	{"sandbox_scenario", Text, 100, checkSlug},
	{"contact_details", Object, 0, nil},
	{"contact_details.email", Text, 254, checkEmail},
	{"contact_details.email_lang", Text, 0, checkLanguage},
	{"contact_details.phone", Text, 0, checkPhone},
	{"contact_details.send_notification_emails", Flag, 0, nil},
	{"expected_details", Object, 0, nil},
	{"expected_details.first_name", Text, 255, nil},
	{"expected_details.last_name", Text, 255, nil},
	{"expected_details.date_of_birth", Text, 0, nil}, // needs the clock: see checkDate
	{"expected_details.gender", Text, 0, oneOf("M", "F")},
	{"expected_details.nationality", Text, 0, checkCountry},
	{"expected_details.country", Text, 0, checkCountry},
	{"expected_details.id_country", Text, 0, checkCountry},
	{"expected_details.poa_country", Text, 0, checkCountry},
	{"expected_details.address", Text, 512, nil},
	{"expected_details.identification_number", Text, 100, nil},
	{"expected_details.ip_address", Text, 0, checkIP},
	{"expected_details.expected_document_types", List, 0, nil},
	{"expected_details.company_name", Text, 255, nil},
	{"expected_details.registry_country", Text, 10, nil},
	{"expected_details.registration_number", Text, 100, nil},
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

// dotted reports whether a member's name reads like a path. No field has such a name, and it must
// not be taken for the field at that path.
func dotted(name string) bool { return strings.Contains(name, ".") }

// UserFields is what a signed-in user may send unless the configuration says otherwise.
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

// ValidUUID reports whether the text is a UUID, in any case.
func ValidUUID(text string) bool { return uuidForm.MatchString(text) }

func checkUUID(text string) string {
	if !ValidUUID(text) {
		return "must be a UUID, as 11111111-2222-3333-4444-555555555555."
	}
	return ""
}

func checkVendorData(text string) string {
	if len(text) > MostVendorData {
		return "must not be longer than " + strconv.Itoa(MostVendorData) + " bytes of UTF-8."
	}
	return ""
}

func checkLanguage(text string) string {
	if !languageForm.MatchString(text) {
		return "must be a language code, as en, es or pt-BR."
	}
	return ""
}

func checkEmail(text string) string {
	address, err := mail.ParseAddress(text)
	if err != nil || address.Name != "" || address.Address != text {
		return "must be an e-mail address, as jane@example.com."
	}
	domain := text[strings.LastIndexByte(text, '@')+1:]
	if !strings.Contains(domain, ".") {
		return "must be an e-mail address with a whole domain, as jane@example.com."
	}
	return ""
}

func checkPhone(text string) string {
	switch {
	case phoneForm.MatchString(text):
		return ""
	case !strings.HasPrefix(text, "+"):
		return "must begin with + and the country code (E.164), as +14155552671."
	default:
		return "must be + and 7 to 15 digits without spaces (E.164), as +14155552671."
	}
}

func checkSlug(text string) string {
	if !slugForm.MatchString(text) {
		return "must be a scenario's name in lower case, as approve or decline_minimum_age."
	}
	return ""
}

func checkIP(text string) string {
	if ip, err := netip.ParseAddr(text); err != nil || ip.Zone() != "" {
		return "must be an IPv4 or IPv6 address."
	}
	return ""
}

func checkPortrait(text string) string {
	if base64.StdEncoding.DecodedLen(len(text)) > mostPortrait+3 {
		return "must not be larger than 2 MB."
	}
	image, err := base64.StdEncoding.DecodeString(text)
	switch {
	case err != nil:
		return "must be base64, with padding."
	case len(image) > mostPortrait:
		return "must not be larger than 2 MB."
	}
	return ""
}

// checkDate wants a real day that has begun somewhere on earth.
func checkDate(text string, now time.Time) string {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return "must be a real date, written YYYY-MM-DD."
	}
	if furthestEast := now.UTC().Add(14 * time.Hour); day.After(furthestEast) {
		return "must not lie in the future."
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

// documentTypes are Didit's words for documents (Didit's OpenAPI 3.0.0), in any case.
var documentTypes = []string{"P", "ID", "DL", "RP", "HIC", "TC", "SSC"}

func checkDocumentTypes(list []Value) string {
	seen := map[string]bool{}
	for _, item := range list {
		word := strings.ToUpper(item.Text)
		if item.Kind != Text || !slices.Contains(documentTypes, word) {
			return "must be a list of " + strings.Join(documentTypes, ", ") + "."
		}
		seen[word] = true
	}
	if len(list) == 0 || len(seen) < len(list) {
		return "must name at least one document type, and each once."
	}
	return ""
}

// checkText applies a parameter's rules to a text.
func (p parameter) checkText(text string) string {
	switch {
	case strings.TrimSpace(text) == "":
		return "must not be empty."
	case p.most > 0 && utf8.RuneCountInString(text) > p.most:
		return "must not be longer than " + strconv.Itoa(p.most) + " characters."
	case p.check != nil:
		return p.check(text)
	}
	return ""
}
