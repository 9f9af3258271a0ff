package verification

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"didit-sessions/internal/didit"
)

// Provider is what the domain needs of Didit; [*didit.Client] is one.
type Provider interface {
	// CreateSession creates a session, or gets the unfinished one of the same vendor data. It
	// returns a [*didit.Error], or an [*Error] of whoever keeps the credentials.
	CreateSession(ctx context.Context, r didit.SessionRequest) (didit.Session, error)
}

// Decisions is what following sessions needs of Didit; [*didit.Client] is one.
type Decisions interface {
	// Decision reads the decision document of a session. It returns errors as Provider does.
	Decision(ctx context.Context, sessionID string) (didit.Decision, error)
}

// Session is a verification session as Didit described it. It prints as its id and status.
type Session = didit.Session

// request is the draft as Didit takes it.
func (d *draft) request() didit.SessionRequest {
	r := didit.SessionRequest{
		WorkflowID:      d.workflowID,
		VendorData:      d.vendorData,
		Callback:        d.texts["callback"],
		CallbackMethod:  d.texts["callback_method"],
		Language:        d.texts["language"],
		Metadata:        d.metadata,
		PortraitImage:   d.texts["portrait_image"],
		SandboxScenario: d.texts["sandbox_scenario"],
		Extra:           d.extra,
	}
	if d.objects["contact_details"] {
		r.ContactDetails = &didit.ContactDetails{
			Email:     d.texts["contact_details.email"],
			EmailLang: d.texts["contact_details.email_lang"],
			Phone:     d.texts["contact_details.phone"],
		}
		if notify, ok := d.flags["contact_details.send_notification_emails"]; ok {
			r.ContactDetails.SendNotificationEmails = &notify
		}
	}
	if d.objects["expected_details"] {
		text := func(name string) string { return d.texts["expected_details."+name] }
		r.ExpectedDetails = &didit.ExpectedDetails{
			FirstName:             text("first_name"),
			LastName:              text("last_name"),
			DateOfBirth:           text("date_of_birth"),
			Gender:                text("gender"),
			Nationality:           text("nationality"),
			Country:               text("country"),
			IDCountry:             text("id_country"),
			POACountry:            text("poa_country"),
			Address:               text("address"),
			IdentificationNumber:  text("identification_number"),
			IPAddress:             text("ip_address"),
			ExpectedDocumentTypes: d.documentTypes,
			CompanyName:           text("company_name"),
			RegistryCountry:       text("registry_country"),
			RegistrationNumber:    text("registration_number"),
		}
	}
	return r
}

var codes = map[didit.Kind]Code{
	didit.KindUnexpected:          CodeInternal,
	didit.KindInvalidRequest:      CodeInvalidRequest,
	didit.KindPlanRequired:        CodePlanRequired,
	didit.KindInsufficientCredits: CodeInsufficientCredits,
	didit.KindUserBlocked:         CodeUserBlocked,
	didit.KindNotFound:            CodeNotFound,
	didit.KindCredentialsRejected: CodeCredentialsRejected,
	didit.KindThrottled:           CodeThrottled,
	didit.KindUnavailable:         CodeDiditUnavailable,
	didit.KindTimeout:             CodeDiditTimeout,
}

// explain turns a failure of the provider into one for the caller. defaulted says that the
// workflow is the configuration's choice, so that a refusal of it is the operator's to mend.
func explain(err error, defaulted bool) *Error {
	failure, ok := errors.AsType[*didit.Error](err)
	if !ok {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			// Didit's client names its own time-outs; what is left is the secret's.
			return NewError(CodeBackendUnavailable, "the secret is out of reach: no time was left to read it")
		}
		return AsError(err)
	}
	e := &Error{Code: codes[failure.Kind], Reason: failure.Error()}
	switch e.Code {
	case CodeInvalidRequest:
		for _, f := range failure.Fields {
			if f.Field == "workflow_id" && defaulted {
				return NewError(CodeInternal, "Didit refuses the workflow of the configuration")
			}
			e.Fields = append(e.Fields, FieldError{Field: f.Field, Message: f.Message, Private: true})
		}
		e.Detail = failure.Detail
	case CodeNotFound:
		e.Detail = noSession().Detail
	case CodePlanRequired, CodeInsufficientCredits:
		e.Detail = sentenceOf(failure)
	case CodeThrottled, CodeDiditUnavailable:
		e.RetryAfter = failure.RetryAfter
		if e.RetryAfter == 0 {
			e.RetryAfter = defaultRetryAfter
		}
	}
	return e
}

// sentenceOf is what Didit said, wherever it said it.
func sentenceOf(e *didit.Error) string {
	sentences := []string{}
	if e.Detail != "" {
		sentences = append(sentences, e.Detail)
	}
	for _, f := range e.Fields {
		sentences = append(sentences, f.Message)
	}
	return strings.Join(sentences, " ")
}

// Receive publishes an event that Didit delivered and whose signature was verified. Events that concern
// no session are ignored. It returns an [*Error] when the table or the bus is out of reach; then
// Didit must be made to deliver again.
func (t *Tracker) Receive(ctx context.Context, w didit.WebhookEvent) error {
	if w.Ignored {
		return nil
	}
	return t.receive(ctx, Event{
		ID: boundedID(w.ID), DataUpdated: w.Type == didit.TypeDataUpdated, SessionID: w.SessionID,
		VendorData: valueOf(w.VendorData), WorkflowID: valueOf(w.WorkflowID), Status: w.Status, Checks: checksOf(w.Checks),
		OccurredAt: w.OccurredAt.UTC(), Environment: valueOf(w.Environment),
	})
}

// mostEventID is the longest event id that is kept as Didit sent it; a UUID has 36 characters.
const mostEventID = 128

// boundedID is the id of a delivered event. One that is too long to be kept, or that looks like an id
// of our own, is replaced by its hash.
func boundedID(id string) string {
	if len(id) <= mostEventID && !strings.HasPrefix(id, readPrefix) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

// ask reads at Didit where a session stands. What was read counts as of the start of the reading.
func (t *Tracker) ask(ctx context.Context, sessionID string) (Event, error) {
	ctx, cancel := withReserve(ctx)
	defer cancel()
	start := t.now().Truncate(time.Second)
	d, err := t.Didit.Decision(ctx, sessionID)
	if err != nil {
		return Event{}, explain(err, false)
	}
	return Event{
		ID: readID(sessionID, d.Status, start), Recorded: true, SessionID: sessionID,
		VendorData: valueOf(d.VendorData), WorkflowID: valueOf(d.WorkflowID), Status: d.Status, Checks: checksOf(d.Checks),
		OccurredAt: start,
	}, nil
}

func checksOf(from []didit.Check) []Check {
	checks := make([]Check, len(from))
	for i, c := range from {
		checks[i] = Check{Feature: c.Feature, Status: c.Status}
	}
	return checks
}

// ReadDecision returns Didit's decision for a session, byte for byte as Didit sent it: personal data.
// It returns an [*Error], with code invalid_request for a malformed id and not_found for a session
// that Didit does not know.
func ReadDecision(ctx context.Context, d Decisions, sessionID string) (json.RawMessage, error) {
	id, ok := normalID(sessionID)
	if !ok {
		return nil, &Error{Code: CodeInvalidRequest, Fields: []FieldError{{Field: "session_id", Message: checkUUID(sessionID)}}}
	}
	decision, err := d.Decision(ctx, id)
	if err != nil {
		return nil, explain(err, false)
	}
	return decision.Raw, nil
}
