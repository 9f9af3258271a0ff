package didit

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
)

// SessionRequest holds the parameters of a verification session. It prints as redacted.
type SessionRequest struct {
	hidden
	// WorkflowID is the UUID of the workflow that the end user goes through. Required.
	WorkflowID string
	// VendorData is the caller's id of the end user. Where it is set, a request may be sent again.
	VendorData string
	// Fields are the other parameters, by Didit's names (Didit: Create session; Didit's OpenAPI
	// 3.0.0 for the newer ones): callback, callback_method, language, metadata, portrait_image, …
	// as strings, booleans and slices, contact_details and expected_details as maps. A
	// [json.RawMessage] is sent as it is, but for white space. Nothing is checked: Didit validates
	// the values.
	//
	// Didit ignores a malformed contact_details.phone without an error, and needs a country beside
	// expected_details.address.
	Fields map[string]any
}

// Session is a verification session as Didit described it. Where Didit sent nothing, or null, the
// value is nil or empty, except for Metadata, which keeps a null. It prints as its id and status:
// URL and Token are bearer secrets.
type Session struct {
	hidden
	ID              string
	Number          *int64 // per application
	Token           string
	URL             string
	VendorData      *string         // the JSON of what is no Unicode string, so that it equals no other id
	Metadata        json.RawMessage // exactly as Didit sent it
	Status          string          // Didit's word
	WorkflowID      string          // the JSON of what is no Unicode string
	Callback        *string
	WorkflowVersion *int64  // newer versions of the API only
	Kind            *string // user or business; newer versions of the API only
}

// CreateSession creates a session, or gets the unfinished one that Didit has for the same
// VendorData and workflow. Without VendorData the request is sent again only if the first cannot
// have reached Didit. It returns an [*Error], or the error of the credential source.
func (c *Client) CreateSession(ctx context.Context, r SessionRequest) (Session, error) {
	body, err := r.encode()
	if err != nil {
		return Session{}, &Error{Kind: KindInvalidRequest, Op: opCreateSession, Reason: "a field cannot be encoded"}
	}
	var session Session
	// Without the slash at the end Didit redirects.
	err = c.call(ctx, http.MethodPost, "/session/", body, exchange{
		op:        opCreateSession,
		retryable: r.VendorData != "",
		read: func(a answer) (err error) {
			if err = sessionRefusal(a, r.freeText()...); err == nil {
				session, err = parseSession(a)
			}
			return err
		},
	})
	return session, err
}

// freeText returns the fields in which the caller sent text of its own, which a refusal may quote.
// The two ids are not among them: what Didit says about them may be of another kind.
func (r SessionRequest) freeText() (names []string) {
	for name := range r.Fields {
		if name != "vendor_data" && name != "workflow_id" {
			names = append(names, name)
		}
	}
	return names
}

// parseSession reads a success. Only the id and the URL are indispensable; an unexpected type
// elsewhere must not cost the caller a session that exists.
func parseSession(a answer) (Session, error) {
	document, ok := a.document()
	if !ok {
		return Session{}, a.unreadable("not JSON")
	}
	s := Session{
		ID:              text(document.Get("session_id")),
		Number:          integer(document.Get("session_number")),
		Token:           text(document.Get("session_token")),
		URL:             text(document.Get("url")),
		VendorData:      nameOf(document.Get("vendor_data")),
		Metadata:        document.Get("metadata").Raw(),
		Status:          word(document.Get("status")),
		Callback:        optionalText(document.Get("callback")),
		WorkflowVersion: integer(document.Get("workflow_version")),
		Kind:            optionalText(document.Get("session_kind")),
	}
	if id := nameOf(document.Get("workflow_id")); id != nil {
		s.WorkflowID = *id
	}
	if s.ID == "" || s.URL == "" {
		return Session{}, a.unreadable("no session_id or no url")
	}
	return s, nil
}

// encode writes the request's body. The encoder must not escape <, > and &, which would be the same
// JSON, but not the same text.
func (r SessionRequest) encode() ([]byte, error) {
	fields := map[string]any{}
	maps.Copy(fields, r.Fields)
	for name, value := range map[string]string{"workflow_id": r.WorkflowID, "vendor_data": r.VendorData} {
		delete(fields, name)
		if value != "" {
			fields[name] = value
		}
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(fields)
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), err
}
