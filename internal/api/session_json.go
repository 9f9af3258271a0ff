package api

import (
	"encoding/json"
	"net/url"

	"didit-sessions/internal/verification"
)

// sessionDocument is the session's JSON: the nine fields of Didit's answer, which are always there,
// and those that newer versions of Didit's API add, if Didit sent them.
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
	QR              string          `json:"qr,omitempty"` // the URL as a data URI, if the caller wants it
}

// sessionJSON returns the session for a caller. Without includeURL both of its secrets are left
// out.
func sessionJSON(s verification.Session, includeURL bool) sessionDocument {
	d := sessionDocument{
		SessionID: s.ID, SessionNumber: s.Number, VendorData: s.VendorData, Metadata: s.Metadata,
		Status: s.Status, WorkflowID: s.WorkflowID, Callback: s.Callback,
		WorkflowVersion: s.WorkflowVersion, SessionKind: s.Kind,
	}
	if includeURL {
		d.SessionToken, d.URL = &s.Token, &s.URL
	}
	return d
}

// pathSegment escapes an id that Didit chose for use in a path.
func pathSegment(id string) string { return url.PathEscape(id) }
