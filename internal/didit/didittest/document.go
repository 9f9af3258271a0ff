package didittest

import (
	"encoding/json"
	"time"
)

// A feature is a node of the one workflow that the simulator plays, an identity check, with the members in which the
// versions of Didit's decisions hold its result (Didit's OpenAPI 3.0.0; "Didit: Retrieve session").
type feature struct {
	word           string
	v1, v2, v3     string
	node           string
	result         map[string]any // invented
	approved       string         // status in a session of that status
	declined       string
	review, partly string // in a session under review, or abandoned; "" for a node that was never reached
}

// features hold text that is awkward to sign: beyond ASCII, MRZ, a long integer, a whole float, an exponent.
var features = []feature{
	{"ID_VERIFICATION", "kyc", "id_verification", "id_verifications", "feature_ocr", map[string]any{
		"document_type": "Identity Card", "document_number": "CAA000000", "first_name": "Carmen", "last_name": "Española",
		"date_of_birth": "1980-01-01", "issuing_state": "ESP", "mrz": "IDESPCAA000000<<<<<<<<<<<<<<<<", "warnings": []any{},
	}, "Approved", "Declined", "Approved", "Approved"},
	{"NFC", "nfc", "nfc", "nfc_verifications", "feature_nfc", map[string]any{
		"certificate": map[string]any{"serial_number": json.Number("118120836164494131264123456789012345678")},
	}, "Approved", "Approved", "Approved", "Not Finished"},
	{"LIVENESS", "liveness", "liveness", "liveness_checks", "feature_liveness", map[string]any{
		"method": "ACTIVE_3D", "score": json.Number("92.0"), "face_quality": json.Number("1e-05"),
	}, "Approved", "Approved", "Approved", ""},
	{"FACE_MATCH", "face", "face_match", "face_matches", "feature_face_match", map[string]any{
		"score": json.Number("89.92"),
	}, "Approved", "Approved", "In Review", ""},
}

// status is how the node stands in a session of a status; "" means that it has not run.
func (f feature) status(session string) string {
	switch session {
	case "Approved", "Kyc Expired":
		return f.approved
	case "Declined":
		return f.declined
	case "In Review":
		return f.review
	case "Abandoned":
		return f.partly
	}
	return ""
}

// section is what a decision says of the node, in the shape of a version; nil if it has not run.
func (f feature) section(session, version string) any {
	status := f.status(session)
	if status == "" {
		return nil
	}
	section := map[string]any{"status": status}
	for name, value := range f.result {
		section[name] = value
	}
	if version != "v3" {
		return section
	}
	section["node_id"] = f.node
	return []any{section}
}

// decision is the result document of a session, in the shape of a version: v1, v2 or v3.
func (v *session) decision(version string) map[string]any {
	document := map[string]any{
		"session_id": v.id, "session_number": v.number, "session_url": v.url(v.origin), "status": v.status,
		"vendor_data": v.vendorData, "callback": v.callback, "metadata": v.metadata, "reviews": []any{},
		"created_at": v.created.UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
	}
	var words []any
	for _, f := range features {
		name := map[string]string{"v1": f.v1, "v2": f.v2, "v3": f.v3}[version]
		document[name] = f.section(v.status, version)
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
