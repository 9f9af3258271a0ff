package didittest

import (
	"encoding/json"
	"maps"
	"net/http"
	"time"
)

// decision returns the handler of GET /{version}/session/{id}/decision/. As at Didit, an unknown
// session is not found whatever the credentials (Didit's OpenAPI 3.0.0, retrieve decision).
func (s *Server) decision(version string) func(*call) answer {
	return func(c *call) answer {
		id := c.PathValue("id")
		if !uuidForm.MatchString(id) {
			return notFound(c)
		}
		authorized := s.authorized(c.Request, "decisions:read")
		defer s.lock()()
		v := s.sessions.byID(id)
		if v == nil {
			return NotFound.answer()
		}
		if !authorized {
			return NotAuthenticated.answer()
		}
		return jsonAnswer(http.StatusOK, v.decision(version))
	}
}

// A feature is a node of the simulator's one workflow, an identity check, with the members in which
// the versions of Didit's decisions hold its result (Didit's OpenAPI 3.0.0; "Didit: Retrieve
// session").
type feature struct {
	word       string
	v1, v2, v3 string
	node       string
	result     map[string]any // invented
}

// features hold text that is hard to sign: beyond ASCII, MRZ, a long integer, a whole float, an
// exponent.
var features = []feature{
	{"ID_VERIFICATION", "kyc", "id_verification", "id_verifications", "feature_ocr", map[string]any{
		"document_type": "Identity Card", "document_number": "CAA000000",
		"first_name": "Carmen", "last_name": "Española", "date_of_birth": "1980-01-01",
		"issuing_state": "ESP", "mrz": "IDESPCAA000000<<<<<<<<<<<<<<<<", "warnings": []any{},
	}},
	{"NFC", "nfc", "nfc", "nfc_verifications", "feature_nfc", map[string]any{
		"certificate": map[string]any{"serial_number": json.Number("118120836164494131264123456789012345678")},
	}},
	{"LIVENESS", "liveness", "liveness", "liveness_checks", "feature_liveness", map[string]any{
		"method": "ACTIVE_3D", "score": json.Number("92.0"), "face_quality": json.Number("1e-05"),
	}},
	{"FACE_MATCH", "face", "face_match", "face_matches", "feature_face_match", map[string]any{
		"score": json.Number("89.92"),
	}},
}

// featureStatuses are the statuses of the features in a session of a status, as far as the end user
// got.
var featureStatuses = map[string][]string{
	"Approved":    {"Approved", "Approved", "Approved", "Approved"},
	"Kyc Expired": {"Approved", "Approved", "Approved", "Approved"},
	"Declined":    {"Declined", "Approved", "Approved", "Approved"},
	"In Review":   {"Approved", "Approved", "Approved", "In Review"},
	"Abandoned":   {"Approved", "Not Finished"},
}

// section returns what a decision says about the node, in the shape of a version.
func (f feature) section(status, version string) any {
	section := maps.Clone(f.result)
	section["status"] = status
	if version != "v3" {
		return section
	}
	section["node_id"] = f.node
	return []any{section}
}

// decision returns the result document of a session, in the shape of a version: v1, v2 or v3.
func (v *session) decision(version string) map[string]any {
	document := map[string]any{
		"session_id": v.id, "session_number": v.number, "session_url": v.url(v.origin), "status": v.status,
		"vendor_data": v.vendorData, "callback": v.callback, "metadata": v.metadata, "reviews": []any{},
		"created_at": v.created.UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
	}
	var words []any
	for i, f := range features {
		name := map[string]string{"v1": f.v1, "v2": f.v2, "v3": f.v3}[version]
		document[name] = nil
		if statuses := featureStatuses[v.status]; i < len(statuses) {
			document[name] = f.section(statuses[i], version)
		}
		words = append(words, f.word)
	}
	switch version {
	case "v1":
		document["features"] = "OCR + NFC + LIVENESS + FACE"
		return document
	case "v3":
		document["workflow_version"], document["session_kind"] = 1, "user"
		document["expires_at"] = v.created.UTC().Add(7 * 24 * time.Hour).Format(time.RFC3339)
	}
	document["features"], document["workflow_id"] = words, v.workflowID
	return document
}
