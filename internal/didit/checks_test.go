package didit

import (
	"strings"
	"testing"

	"didit-sessions/internal/strictjson"
)

func TestReadChecks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, decision, want string }{
		{"v3", `{"features":["ID_VERIFICATION","NFC","LIVENESS"],"id_verifications":[{"node_id":"a","status":"Approved"}],"nfc_verifications":null,"liveness_checks":[]}`,
			`ID_VERIFICATION=Approved NFC LIVENESS`},
		{"v3 without features", `{"face_matches":[{"status":"In Review"}],"id_verifications":[{"status":"Approved"}]}`, `ID_VERIFICATION=Approved FACE_MATCH=In Review`},
		{"v3, every section", `{"questionnaire_responses":[{"status":"1"}],"database_validations":[{"status":"2"}],"ip_analyses":[{"status":"3"}],"aml_screenings":[{"status":"4"}],
			"poa_verifications":[{"status":"5"}],"email_verifications":[{"status":"6"}],"phone_verifications":[{"status":"7"}],"face_matches":[{"status":"8"}],
			"liveness_checks":[{"status":"9"}],"nfc_verifications":[{"status":"10"}],"id_verifications":[{"status":"11"}]}`,
			`ID_VERIFICATION=11 NFC=10 LIVENESS=9 FACE_MATCH=8 PHONE_VERIFICATION=7 EMAIL_VERIFICATION=6 PROOF_OF_ADDRESS=5 AML=4 IP_ANALYSIS=3 DATABASE_VALIDATION=2 QUESTIONNAIRE=1`},
		{"v2, every section", `{"id_verification":{"status":"1"},"nfc":{"status":"2"},"liveness":{"status":"3"},"face_match":{"status":"4"},"phone":{"status":"5"},"email":{"status":"6"},
			"poa":{"status":"7"},"aml":{"status":"8"},"ip_analysis":{"status":"9"},"database_validation":{"status":"10"},"questionnaire":{"status":"11"}}`,
			`ID_VERIFICATION=1 NFC=2 LIVENESS=3 FACE_MATCH=4 PHONE_VERIFICATION=5 EMAIL_VERIFICATION=6 PROOF_OF_ADDRESS=7 AML=8 IP_ANALYSIS=9 DATABASE_VALIDATION=10 QUESTIONNAIRE=11`},
		{"v1", `{"features":"OCR + FACE","kyc":{"status":"Approved"},"face":{"status":"Declined"},"aml":{"status":"Approved"},"location":null}`,
			`ID_VERIFICATION=Approved FACE_MATCH=Declined AML=Approved`},
		{"v1 with commas", `{"features":"OCR,AML , NFC"}`, `ID_VERIFICATION AML NFC`},
		{"features as objects", `{"features":[{"feature":"LIVENESS","status":"Not Finished","node_id":"a"},{"feature":"NFC"}]}`, `LIVENESS=Not Finished NFC`},
		{"nodes by their ids", `{"features":[{"feature":"NFC","node_id":"a","status":"Declined"},{"feature":"NFC","node_id":"b"},{"feature":"NFC","node_id":"c"}],
			"nfc_verifications":[{"node_id":"c","status":"Approved"},{"node_id":"b","status":"In Review"}]}`, `NFC=Declined NFC=In Review NFC=Approved`},
		{"more nodes than mentions", `{"features":["NFC"],"nfc_verifications":[{"node_id":"a","status":"Approved"},{"node_id":"b","status":"In Review"}]}`, `NFC=Approved NFC=In Review`},
		{"a section beats its mention", `{"features":[{"feature":"NFC","status":"Not Finished"}],"nfc":{"status":"Approved"}}`, `NFC=Approved`},
		{"a section without a status", `{"features":[{"feature":"NFC","status":"Not Finished"}],"nfc":{"status":null}}`, `NFC=Not Finished`},
		{"other words", `{"features":["KYB_REGISTRY","document_ai","kyc"]}`, `KYB_REGISTRY DOCUMENT_AI ID_VERIFICATION`},
		{"a business", `{"features":["KYB_REGISTRY","KYB_DOCUMENTS","KYB_KEY_PEOPLE"],"registry_checks":[{"node_id":"a","status":"Approved"}],
			"document_verifications":[{"node_id":"b","status":"In Review"},{"node_id":"c","status":"Declined"}],"key_people_checks":[{"node_id":"d","status":"Not Finished"}]}`,
			`KYB_REGISTRY=Approved KYB_DOCUMENTS=In Review KYB_KEY_PEOPLE=Not Finished KYB_DOCUMENTS=Declined`},
		{"a business without features", `{"key_people_checks":[{"status":"Approved"}],"document_verifications":[{"status":"In Review"}],"registry_checks":[{"status":"Declined"}]}`,
			`KYB_REGISTRY=Declined KYB_DOCUMENTS=In Review KYB_KEY_PEOPLE=Approved`},
		{"documents", `{"features":["DOCUMENT_AI","LIVENESS"],"document_ai_documents":[{"node_id":"a","status":"Approved"},{"node_id":"b","status":null}],"liveness_checks":[{"status":"Declined"}]}`,
			`DOCUMENT_AI=Approved LIVENESS=Declined DOCUMENT_AI`},
		{"documents without features", `{"document_ai_documents":[{"status":"Approved"}]}`, `DOCUMENT_AI=Approved`},
		{"no words", `{"features":["","  ","Carmen Española","<b>",5,null,["NFC"],{"status":"Approved"}],"nfc":"planted","aml":{"status":{"planted":1}},"liveness":{"status":"a\nb"}}`,
			`LIVENESS AML`},
		{"long words", `{"features":["` + strings.Repeat("A", 65) + `","` + strings.Repeat("B", 64) + `"],"nfc":{"status":"` + strings.Repeat("C", 65) + `"}}`,
			strings.Repeat("B", 64) + ` NFC`},
		{"other members", `{"first_name":"planted","reviews":[{"status":"planted"}],"NFC":{"status":"planted"}}`, ``},
		{"empty", `{}`, ``},
		{"no object", `[]`, ``},
		{"null", `null`, ``},
	} {
		var got []string
		for _, c := range readChecks(parsed(t, tt.decision)) {
			text := c.Feature
			if c.Status != nil {
				text += "=" + *c.Status
			}
			got = append(got, text)
		}
		if text := strings.Join(got, " "); text != tt.want {
			t.Errorf("%s: got %s\nwant %s", tt.name, text, tt.want)
		}
	}
}

func parsed(t *testing.T, document string) strictjson.Value {
	t.Helper()
	v, err := strictjson.Parse([]byte(document), strictjson.Options{})
	if err != nil {
		t.Fatalf("%.60s…: %v", document, err)
	}
	return v
}

func TestReadChecks_count(t *testing.T) {
	t.Parallel()
	many := func(item string) string { return "[" + strings.Repeat(item+",", 200) + item + "]" }
	for _, decision := range []string{
		`{"features":` + many(`"NFC"`) + `}`,
		`{"features":"` + strings.Repeat("NFC+", 200) + `"}`,
		`{"nfc_verifications":` + many(`{"status":"Approved"}`) + `,"liveness_checks":` + many(`{"status":"Approved"}`) + `}`,
	} {
		if got := len(readChecks(parsed(t, decision))); got != 50 {
			t.Errorf("%.60s…: got %d checks, want 50", decision, got)
		}
	}
}

// Every word of the table can be told from every other, and no section belongs to two.
func TestFeatures(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, f := range features {
		for _, name := range append(append([]string{f.word}, f.aliases...), f.sections...) {
			if other, taken := seen[name]; taken {
				t.Errorf("%s stands for %s and %s", name, other, f.word)
			}
			seen[name] = f.word
		}
		if got := featureWord(strings.ToLower(f.word)); got != f.word {
			t.Errorf("%s: got %s of its lower-case form", f.word, got)
		}
	}
}
