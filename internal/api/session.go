package api

import (
	"encoding/json"
	"net/url"

	"didit-sessions/internal/verification"
)

// sessionDocument is the session's JSON: the nine fields of Didit's answer, always there, and
// what newer versions of the API add, where Didit sent it.
type sessionDocument struct {
	SessionID       string          `json:"session_id"`
	SessionNumber   *int64          `json:"session_number"`
	SessionToken    *string         `json:"session_token,omitempty"`
	VendorData      *string         `json:"vendor_data"`
	Metadata        json.RawMessage `json:"metadata"`
	Status          string          `json:"status"`
	WorkflowID      string          `json:"workflow_id"`
	Callback        *string         `json:"callback"`
	URL             *string         `json:"url,omitempty"`
	WorkflowVersion *int64          `json:"workflow_version,omitempty"`
	SessionKind     *string         `json:"session_kind,omitempty"`
}

// sessionJSON is the session for a caller; without includeURL it holds neither of its secrets.
func sessionJSON(s verification.Session, includeURL bool) sessionDocument {
	d := sessionDocument{
		SessionID: s.ID, SessionNumber: s.Number, VendorData: s.VendorData, Metadata: s.Metadata,
		Status: s.Status, WorkflowID: s.WorkflowID, Callback: s.Callback,
		WorkflowVersion: s.WorkflowVersion, SessionKind: s.Kind,
	}
	if d.Metadata == nil {
		d.Metadata = json.RawMessage("null")
	}
	if includeURL {
		d.SessionToken, d.URL = &s.Token, &s.URL
	}
	return d
}

// pathSegment makes an id that Didit chose safe within a path.
func pathSegment(id string) string { return url.PathEscape(id) }
