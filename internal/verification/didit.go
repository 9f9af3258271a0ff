package verification

import (
	"context"
	"errors"
	"strings"

	"didit-sessions/internal/didit"
)

// Provider is what the domain needs of Didit; [*didit.Client] is one.
type Provider interface {
	// CreateSession creates a session, or gets the unfinished one of the same vendor data. It
	// returns a [*didit.Error], or an [*Error] of whoever keeps the credentials.
	CreateSession(ctx context.Context, r didit.SessionRequest) (didit.Session, error)
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
