package didit

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
)

// SessionRequest holds the parameters of a verification session under Didit's names (Didit:
// Create session; Didit's OpenAPI 3.0.0 for the newer ones). An empty value is not sent. Values
// are sent as they are: Didit validates them. It prints as redacted.
type SessionRequest struct {
	WorkflowID      string          // UUID; required
	VendorData      string          // the caller's id of the end user; makes a repeated request safe
	Callback        string          // URL to which the end user's browser returns
	CallbackMethod  string          // initiator, completer or both
	Language        string          // of the verification page; Didit's codes, as pt-BR
	Metadata        json.RawMessage // any JSON value; number texts and order are kept
	ContactDetails  *ContactDetails
	ExpectedDetails *ExpectedDetails
	PortraitImage   string                     // base64
	SandboxScenario string                     // sandbox applications only
	Extra           map[string]json.RawMessage // further top-level fields
}

// ContactDetails is how the end user is reached. It prints as redacted.
type ContactDetails struct {
	Email                  string
	EmailLang              string
	Phone                  string // E.164; Didit ignores a malformed one without a word
	SendNotificationEmails *bool
}

// ExpectedDetails is what the caller expects the documents to say; Didit reports differences as
// warnings. Dates are YYYY-MM-DD, countries ISO 3166-1 alpha-3. It prints as redacted.
type ExpectedDetails struct {
	FirstName             string
	LastName              string
	DateOfBirth           string
	Gender                string // M or F
	Nationality           string
	Country               string // stands in for the next two where they are empty
	IDCountry             string
	POACountry            string
	Address               string // needs one of the three countries
	IdentificationNumber  string
	IPAddress             string
	ExpectedDocumentTypes []string // P, ID, DL, RP, HIC, TC, SSC
	CompanyName           string
	RegistryCountry       string
	RegistrationNumber    string
}

// Session is a verification session as Didit described it. Where Didit sent nothing, or null,
// the value is nil or empty, but for Metadata, which keeps a null. It prints as its id and status: URL and Token are bearer secrets.
type Session struct {
	ID              string
	Number          *int64 // per application
	Token           string
	URL             string
	VendorData      *string
	Metadata        json.RawMessage // exactly as Didit sent it
	Status          string          // Didit's word
	WorkflowID      string
	Callback        *string
	WorkflowVersion *int64  // newer versions of the API only
	Kind            *string // user or business; newer versions of the API only
}

// CreateSession creates a session, or gets the unfinished one that Didit has for the same
// VendorData and workflow. Without VendorData the request is made again only when the first
// cannot have reached Didit. It returns an [*Error], or what the credential source returned.
func (c *Client) CreateSession(ctx context.Context, r SessionRequest) (Session, error) {
	c.setup()
	body, err := r.encode()
	if err != nil {
		return Session{}, &Error{Kind: KindInvalidRequest, Op: opCreateSession, Reason: "metadata or an extra field is not JSON"}
	}
	var session Session
	err = c.withAuthorization(ctx, func(ctx context.Context, auth authorization) error {
		return c.exchange(ctx, exchange{
			op:         opCreateSession,
			repeatable: r.VendorData != "",
			build: func(ctx context.Context) (*http.Request, error) {
				// The slash at the end matters: without it Didit redirects.
				url := c.apiURL() + "/" + string(c.version(auth.creds)) + "/session/"
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
				if err != nil {
					return nil, err
				}
				request.Header.Set("Content-Type", "application/json")
				auth.set(request.Header)
				return request, nil
			},
			read: func(a answer) error {
				if err := sessionRefusal(a); err != nil {
					return err
				}
				var err error
				session, err = parseSession(a)
				return err
			},
		})
	})
	return session, err
}

// parseSession reads a success. Only the id and the URL are indispensable; an unexpected type
// elsewhere must not cost the caller a session that exists.
func parseSession(a answer) (Session, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(a.body, &fields); err != nil {
		return Session{}, a.unreadable("not JSON")
	}
	s := Session{
		ID:              text(fields["session_id"]),
		Number:          integer(fields["session_number"]),
		Token:           text(fields["session_token"]),
		URL:             text(fields["url"]),
		VendorData:      optionalText(fields["vendor_data"]),
		Metadata:        fields["metadata"],
		Status:          text(fields["status"]),
		WorkflowID:      text(fields["workflow_id"]),
		Callback:        optionalText(fields["callback"]),
		WorkflowVersion: integer(fields["workflow_version"]),
		Kind:            optionalText(fields["session_kind"]),
	}
	if s.ID == "" || s.URL == "" {
		return Session{}, a.unreadable("no session_id or no url")
	}
	return s, nil
}

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func optionalText(raw json.RawMessage) *string {
	var s *string
	if json.Unmarshal(raw, &s) != nil {
		return nil
	}
	return s
}

// integer reads a whole number, or a string that holds one.
func integer(raw json.RawMessage) *int64 {
	var n json.Number
	if json.Unmarshal(raw, &n) != nil {
		return nil
	}
	i, err := n.Int64()
	if err != nil {
		return nil
	}
	return &i
}

// object collects the members of a JSON object that are there.
type object map[string]any

func (o object) text(name, value string) {
	if value != "" {
		o[name] = value
	}
}

// encode writes the request's body. The encoder must not escape <, > and &, which would be
// the same JSON but not the same text.
func (r SessionRequest) encode() ([]byte, error) {
	o := object{}
	for name, value := range r.Extra {
		o[name] = value
	}
	o.text("workflow_id", r.WorkflowID)
	o.text("vendor_data", r.VendorData)
	o.text("callback", r.Callback)
	o.text("callback_method", r.CallbackMethod)
	o.text("language", r.Language)
	o.text("portrait_image", r.PortraitImage)
	o.text("sandbox_scenario", r.SandboxScenario)
	if r.Metadata != nil {
		o["metadata"] = r.Metadata
	}
	if r.ContactDetails != nil {
		o["contact_details"] = r.ContactDetails.object()
	}
	if r.ExpectedDetails != nil {
		o["expected_details"] = r.ExpectedDetails.object()
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(o)
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), err
}

func (d *ContactDetails) object() object {
	o := object{}
	o.text("email", d.Email)
	o.text("email_lang", d.EmailLang)
	o.text("phone", d.Phone)
	if d.SendNotificationEmails != nil {
		o["send_notification_emails"] = *d.SendNotificationEmails
	}
	return o
}

func (d *ExpectedDetails) object() object {
	o := object{}
	o.text("first_name", d.FirstName)
	o.text("last_name", d.LastName)
	o.text("date_of_birth", d.DateOfBirth)
	o.text("gender", d.Gender)
	o.text("nationality", d.Nationality)
	o.text("country", d.Country)
	o.text("id_country", d.IDCountry)
	o.text("poa_country", d.POACountry)
	o.text("address", d.Address)
	o.text("identification_number", d.IdentificationNumber)
	o.text("ip_address", d.IPAddress)
	o.text("company_name", d.CompanyName)
	o.text("registry_country", d.RegistryCountry)
	o.text("registration_number", d.RegistrationNumber)
	if len(d.ExpectedDocumentTypes) > 0 {
		o["expected_document_types"] = d.ExpectedDocumentTypes
	}
	return o
}
