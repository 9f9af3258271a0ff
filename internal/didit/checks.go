package didit

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// mostChecks is how many checks of one document are kept.
const mostChecks = 50

// Check is how one node of a workflow stands. Feature and status are Didit's words and hold
// nothing of the end user.
type Check struct {
	Feature string  // ID_VERIFICATION, LIVENESS, … at most 64 characters
	Status  *string // Approved, Not Finished, … at most 64 characters; nil while there is none
}

// features are the words of a decision's features, in the order in which they are listed where
// the decision itself names none. Sections are the members that hold their results: of v3, lists
// of nodes; of v2, and last of v1, single objects (Didit: Retrieve session; Didit's OpenAPI 3.0.0).
// The other words are those of v1's features and of a workflow's (Didit's OpenAPI 3.0.0,
// workflows).
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
}

// node is what a document says of one node, in its section or among its features.
type node struct {
	feature, id string
	status      *string
	taken       bool
}

// readChecks lists what a decision says of its workflow's nodes, in the order of its features.
// A feature that is named and has no section yet has no status but the one beside its name.
func readChecks(decision json.RawMessage) []Check {
	var members map[string]json.RawMessage
	if json.Unmarshal(decision, &members) != nil {
		return nil
	}
	nodes := sectionNodes(members)
	var checks []Check
	add := func(feature string, status *string) {
		if len(checks) < mostChecks {
			checks = append(checks, Check{Feature: feature, Status: status})
		}
	}
	for _, named := range namedFeatures(members["features"]) {
		if found := take(nodes, named); found != nil && found.status != nil {
			named.status = found.status
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

// take finds the node that a feature's mention means: the one of its id, or where either has no
// id, the next of that feature.
func take(nodes []node, named node) *node {
	for i := range nodes {
		n := &nodes[i]
		if !n.taken && n.feature == named.feature && (n.id == named.id || n.id == "" || named.id == "") {
			n.taken = true
			return n
		}
	}
	return nil
}

// sectionNodes are the nodes of all sections.
func sectionNodes(members map[string]json.RawMessage) (nodes []node) {
	for _, f := range features {
		for _, name := range f.sections {
			for _, section := range listOrOne(members[name], mostChecks) {
				if n, ok := readNode(section); ok {
					n.feature = f.word
					nodes = append(nodes, n)
				}
			}
		}
	}
	return nodes
}

// namedFeatures reads the member of that name: texts or objects in a list, or one text as
// "OCR + FACE".
func namedFeatures(raw json.RawMessage) (named []node) {
	for _, item := range listOrOne(raw, mostChecks) {
		if n, ok := readNode(item); ok {
			if n.feature != "" {
				named = append(named, n)
			}
			continue
		}
		for _, part := range strings.FieldsFunc(text(item), func(r rune) bool { return r == '+' || r == ',' }) {
			if word := featureWord(part); word != "" && len(named) < mostChecks {
				named = append(named, node{feature: word})
			}
		}
	}
	return named
}

// readNode reads an object, of which only the three members count.
func readNode(raw json.RawMessage) (n node, ok bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || members == nil {
		return node{}, false
	}
	n = node{feature: featureWord(text(members["feature"])), id: text(members["node_id"])}
	if status := text(members["status"]); plainWord.MatchString(status) {
		n.status = &status
	}
	return n, true
}

// plainWord keeps out whatever stands in the place of a word and is none.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_ -]{0,63}$`)

// featureWord is the word of a decision for a feature, however it is called; words that are not
// in the table stay as they are. It is "" for what is no word.
func featureWord(name string) string {
	name = strings.TrimSpace(name)
	if !plainWord.MatchString(name) {
		return ""
	}
	for _, f := range features {
		if strings.EqualFold(name, f.word) || slices.ContainsFunc(f.aliases, func(alias string) bool { return strings.EqualFold(name, alias) }) {
			return f.word
		}
	}
	return name
}

// listOrOne returns the items of a list, as many as most, or the value itself where it is none;
// nothing for null.
func listOrOne(raw json.RawMessage, most int) []json.RawMessage {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return []json.RawMessage{raw}
	}
	return items[:min(most, len(items))]
}
