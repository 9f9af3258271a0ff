package didit

import (
	"regexp"
	"slices"
	"strings"

	"didit-sessions/internal/strictjson"
)

// maxChecks is how many checks of one document are kept.
const maxChecks = 50

// Check is the status of one node of a workflow. Feature and status are Didit's words and say
// nothing else of the end user.
type Check struct {
	Feature string  `json:"feature"` // ID_VERIFICATION, LIVENESS, … at most 64 characters
	Status  *string `json:"status"`  // Approved, Not Finished, … at most 64 characters; nil while there is none
}

// features are the words of a decision's features, in the order in which they are listed where the
// decision itself names none. Sections are the members with their results: of v3, arrays of nodes;
// of v2, and last of v1, single objects (Didit: Retrieve session; Didit's OpenAPI 3.0.0). Aliases
// are the words of v1's features and of a workflow's (Didit's OpenAPI 3.0.0, workflows).
var features = []struct {
	word     string
	sections []string
	aliases  []string
}{
	{"ID_VERIFICATION", []string{"id_verifications", "id_verification", "kyc"}, []string{"OCR", "KYC", "ID"}},
	{"NFC", []string{"nfc_verifications", "nfc"}, []string{"NFC_VERIFICATION"}},
	{"LIVENESS", []string{"liveness_checks", "liveness"}, nil},
	{"FACE_MATCH", []string{"face_matches", "face_match", "face"}, []string{"FACE"}},
	{"AGE_ESTIMATION", []string{"age_estimations", "age_estimation"}, nil},
	{"PHONE_VERIFICATION", []string{"phone_verifications", "phone"}, []string{"PHONE"}},
	{"EMAIL_VERIFICATION", []string{"email_verifications", "email"}, []string{"EMAIL"}},
	{"PROOF_OF_ADDRESS", []string{"poa_verifications", "poa"}, []string{"POA"}},
	{"AML", []string{"aml_screenings", "aml"}, []string{"AML_SCREENING"}},
	{"IP_ANALYSIS", []string{"ip_analyses", "ip_analysis", "location"}, []string{"LOCATION"}},
	{"DATABASE_VALIDATION", []string{"database_validations", "database_validation"}, nil},
	{"QUESTIONNAIRE", []string{"questionnaire_responses", "questionnaire"}, nil},
	{"DOCUMENT_AI", []string{"document_ai_documents"}, nil},
	{"KYB_REGISTRY", []string{"registry_checks"}, nil},
	{"KYB_DOCUMENTS", []string{"document_verifications"}, nil},
	{"KYB_KEY_PEOPLE", []string{"key_people_checks"}, nil},
}

// node is a node of the workflow as a section or the features describe it.
type node struct {
	feature, id string
	status      *string
	taken       bool
}

// readChecks lists the nodes that a decision names, in the order of its features. A feature without
// a section yet has the status that is beside its name, if there is one.
func readChecks(decision strictjson.Value) []Check {
	nodes := sectionNodes(decision)
	var checks []Check
	add := func(feature string, status *string) {
		if len(checks) < maxChecks {
			checks = append(checks, Check{Feature: feature, Status: status})
		}
	}
	for _, named := range namedFeatures(decision.Get("features")) {
		if n := takeNode(nodes, named); n != nil && n.status != nil {
			named.status = n.status
		}
		add(named.feature, named.status)
	}
	for _, n := range nodes {
		if !n.taken {
			add(n.feature, n.status)
		}
	}
	return checks
}

// takeNode returns the node that a feature's mention means, and marks it as taken: the one of its
// id, or, where one of the two has no id, the next of that feature.
func takeNode(nodes []node, named node) *node {
	for i := range nodes {
		n := &nodes[i]
		if !n.taken && n.feature == named.feature && (n.id == named.id || n.id == "" || named.id == "") {
			n.taken = true
			return n
		}
	}
	return nil
}

// sectionNodes returns the nodes of all sections.
func sectionNodes(decision strictjson.Value) (nodes []node) {
	for _, f := range features {
		for _, name := range f.sections {
			for _, section := range itemsOrSelf(decision.Get(name)) {
				if n, ok := readNode(section); ok {
					n.feature = f.word
					nodes = append(nodes, n)
				}
			}
		}
	}
	return nodes
}

// namedFeatures reads a decision's features: an array of strings or objects, or one string such as
// "OCR + FACE".
func namedFeatures(v strictjson.Value) (named []node) {
	for _, item := range itemsOrSelf(v) {
		if n, ok := readNode(item); ok {
			if n.feature != "" {
				named = append(named, n)
			}
			continue
		}
		for _, part := range strings.FieldsFunc(item.Text(), func(r rune) bool { return r == '+' || r == ',' }) {
			if word := featureWord(part); word != "" && len(named) < maxChecks {
				named = append(named, node{feature: word})
			}
		}
	}
	return named
}

// readNode reads an object, of which only three members matter.
func readNode(v strictjson.Value) (n node, ok bool) {
	if v.Kind() != strictjson.Object {
		return node{}, false
	}
	n = node{feature: featureWord(v.Get("feature").Text()), id: v.Get("node_id").Text()}
	if status := v.Get("status").Text(); isPlainWord(status) {
		n.status = &status
	}
	return n, true
}

// plainWord has no length in it: to compile that would take a part of every cold start.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_ -]*$`)

// isPlainWord keeps out what is in the place of a word and is not one.
func isPlainWord(text string) bool { return len(text) <= maxWord && plainWord.MatchString(text) }

// featureWord returns a decision's word for a feature, whichever of its names is given. Words that
// are not in the table stay as they are; what is not a word becomes "".
func featureWord(name string) string {
	name = strings.TrimSpace(name)
	if !isPlainWord(name) {
		return ""
	}
	for _, f := range features {
		if strings.EqualFold(name, f.word) || slices.ContainsFunc(f.aliases, func(alias string) bool { return strings.EqualFold(name, alias) }) {
			return f.word
		}
	}
	return name
}

// itemsOrSelf returns the first items of an array, or the value itself where it is not one; nothing
// for null.
func itemsOrSelf(v strictjson.Value) (values []strictjson.Value) {
	switch v.Kind() {
	case strictjson.Missing, strictjson.Null:
		return nil
	case strictjson.Array:
		for item := range v.Items() {
			if values = append(values, item); len(values) == maxChecks {
				break
			}
		}
		return values
	default:
		return []strictjson.Value{v}
	}
}
