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

// An object is a JSON object whose values are still encoded.
type object map[string]json.RawMessage

// A report maps fields to what is wrong with them, in Didit's shapes: a list of strings, a string,
// or a report.
type report map[string]any

func list(problem string) []string { return []string{problem} }

const (
	notADictionary = "Invalid data. Expected a dictionary."
	required       = "This field is required."
)

var uuidForm = regexp.MustCompile(`^(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// languages are the 54 of Didit's OpenAPI 3.0.0, case-sensitive.
var languages = strings.Fields(`en ar bg bn bs ca cnr cs da de el es et fa fi fr he hi hr hu hy id it ja ka kk ko ky lt
	lv mk mn ms nl no pl pt-BR pt ro ru sk sl so sq sr sv th tr uk uz vi zh-CN zh-TW zh`)

var documentTypes = []string{"P", "ID", "DL", "RP", "HIC", "TC", "SSC"}

// maxPortrait bounds a portrait image, decoded (Didit's OpenAPI 3.0.0).
const maxPortrait = 2 << 20

// A check returns what is wrong with the value of a field, or "".
type check func(string) string

// The fields that are strings, with their checks.
var (
	sessionFields = map[string]check{
		"vendor_data": isText, "callback": isURL, "callback_method": oneOf("initiator", "completer", "both"),
		"language": isLanguage, "portrait_image": checkPortrait, "sandbox_scenario": isText,
	}
	contactFields  = map[string]check{"email": isEmail, "email_lang": isLanguage}
	expectedFields = map[string]check{
		"first_name": isText, "last_name": isText, "identification_number": isText, "address": isText,
		"date_of_birth": isDate, "gender": oneOf("M", "F"), "ip_address": isIP,
		"nationality": isCountry, "country": isCountry, "id_country": isCountry, "poa_country": isCountry,
	}
)

var (
	isText check = func(string) string { return "" }
	isURL        = valid("Enter a valid URL.", func(v string) bool {
		u, err := url.Parse(v)
		return err == nil && u.Scheme != ""
	})
	isEmail = valid("Enter a valid email address.", func(v string) bool {
		a, err := mail.ParseAddress(v)
		return err == nil && a.Address == v
	})
	isDate = valid("Date has wrong format. Use one of these formats instead: YYYY-MM-DD.", func(v string) bool {
		_, err := time.Parse(time.DateOnly, v)
		return err == nil
	})
	isIP = valid("Enter a valid IPv4 or IPv6 address.", func(v string) bool {
		_, err := netip.ParseAddr(v)
		return err == nil
	})
	isCountry  = validChoice(regexp.MustCompile(`^[A-Z]{3}$`).MatchString)
	isLanguage = valid("Invalid language. Supported languages are: "+strings.Join(languages, ", "),
		func(v string) bool { return slices.Contains(languages, v) })
)

// valid returns the check that reports the problem where ok is false.
func valid(problem string, ok func(string) bool) check {
	return func(v string) string {
		if ok(v) {
			return ""
		}
		return problem
	}
}

// validChoice is valid with the problem that the value is not a choice.
func validChoice(ok func(string) bool) check {
	return func(v string) string { return valid(notAChoice(v), ok)(v) }
}

func oneOf(choices ...string) check {
	return validChoice(func(v string) bool { return slices.Contains(choices, v) })
}

func notAChoice(v string) string { return fmt.Sprintf("%q is not a valid choice.", v) }

func checkPortrait(v string) string {
	image, err := base64.StdEncoding.DecodeString(v)
	switch {
	case err != nil:
		return "Invalid base64 image."
	case len(image) > maxPortrait:
		return "Image size exceeds 2MB."
	}
	return ""
}

// has reports whether a field was sent, and not as null.
func (in object) has(name string) bool { return in[name] != nil && string(in[name]) != "null" }

// texts reads the fields that were sent. A number counts as a string: the framework converts it.
func (in object) texts(fields map[string]check, wrong report) map[string]*string {
	texts := make(map[string]*string)
	for name, check := range fields {
		if !in.has(name) {
			continue
		}
		var v string
		var n json.Number
		if json.Unmarshal(in[name], &v) != nil {
			if json.Unmarshal(in[name], &n) != nil {
				wrong[name] = list("Not a valid string.")
				continue
			}
			v = n.String()
		}
		texts[name] = &v
		if problem := check(v); problem != "" {
			wrong[name] = list(problem)
		}
	}
	return texts
}

// workflow returns the workflow id in lower case; every UUID is one. Didit reports an unknown one
// by a plain string rather than a list.
func (in object) workflow(wrong report) string {
	raw, sent := in["workflow_id"]
	var id string
	switch err := json.Unmarshal(raw, &id); {
	case !sent:
		wrong["workflow_id"] = list(required)
	case string(raw) == "null":
		wrong["workflow_id"] = list("This field may not be null.")
	case err != nil || !uuidForm.MatchString(id):
		wrong["workflow_id"] = "Invalid workflow_id."
	}
	return strings.ToLower(id)
}

// nested checks the fields of an object inside the body.
func (in object) nested(name string, wrong report, check func(object, report)) {
	if !in.has(name) {
		return
	}
	inner := report{}
	var v object
	if json.Unmarshal(in[name], &v) != nil {
		inner["non_field_errors"] = list(notADictionary)
	} else {
		check(v, inner)
	}
	if len(inner) > 0 {
		wrong[name] = inner
	}
}

func checkContact(in object, wrong report) { in.texts(contactFields, wrong) }

func checkExpected(in object, wrong report) {
	address := in.texts(expectedFields, wrong)["address"]
	if address != nil && !in.has("country") && !in.has("id_country") && !in.has("poa_country") {
		wrong["address"] = list("An address needs country or poa_country.")
	}
	const name = "expected_document_types"
	if !in.has(name) {
		return
	}
	var types []string
	if json.Unmarshal(in[name], &types) != nil {
		wrong[name] = list("Expected a list of items.")
	}
	for _, v := range types {
		if !slices.Contains(documentTypes, strings.ToUpper(v)) {
			wrong[name] = list(notAChoice(v))
		}
	}
}
