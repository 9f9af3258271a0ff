package didit

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
)

// maxDecisionBytes is how much of a decision is read. A real one with all features has about 40 KB;
// images are links.
const maxDecisionBytes = 5 << 20

// Decision is the result of a session. It prints as the session's id and status: Raw is full of
// personal data.
type Decision struct {
	hidden
	SessionID  string // lower-case UUID
	Status     string // Didit's word
	VendorData *string
	WorkflowID *string // lower-case UUID
	Checks     []Check
	Raw        json.RawMessage // the document as Didit sent it, byte for byte
}

// Decision returns the decision of a session, finished or not. The request is sent once more if it
// gets no usable answer. It returns an [*Error], of [KindNotFound] if Didit has no such session or
// the id is not a UUID, or the error of the credential source.
func (c *Client) Decision(ctx context.Context, sessionID string) (Decision, error) {
	return c.decision(ctx, sessionID, true)
}

// Status is [Client.Decision] for callers that count their requests: it sends one, and another only
// after refused credentials, or if a kept connection had been closed before Didit answered.
func (c *Client) Status(ctx context.Context, sessionID string) (Decision, error) {
	return c.decision(ctx, sessionID, false)
}

func (c *Client) decision(ctx context.Context, sessionID string, again bool) (Decision, error) {
	if !uuidForm.MatchString(sessionID) {
		// Didit answers such an id with a page.
		return Decision{}, &Error{Kind: KindNotFound, Op: opDecision, Reason: "the session id is not a UUID"}
	}
	sessionID = strings.ToLower(sessionID)
	var decision Decision
	err := c.call(ctx, http.MethodGet, "/session/"+sessionID+"/decision/", nil, exchange{
		op:        opDecision,
		retryable: again,
		once:      !again,
		maxBytes:  maxDecisionBytes,
		read: func(a answer) (err error) {
			if err = decisionRefusal(a); err == nil {
				decision, err = parseDecision(a, sessionID)
			}
			return err
		},
	})
	return decision, err
}

// parseDecision reads a success. Only the status is indispensable, but the decision of another
// session is worse than none.
func parseDecision(a answer, sessionID string) (Decision, error) {
	document, ok := a.document()
	if !ok {
		return Decision{}, a.unreadable("not a JSON object")
	}
	d := Decision{
		SessionID:  sessionID,
		Status:     text(document.Get("status")),
		VendorData: optionalText(document.Get("vendor_data")),
		WorkflowID: uuid(document.Get("workflow_id")),
		Checks:     readChecks(document),
		Raw:        a.body,
	}
	if id := document.Get("session_id").Text(); id != "" && !strings.EqualFold(id, sessionID) {
		return Decision{}, a.unreadable("the decision of another session")
	}
	if !isWord(d.Status) {
		return Decision{}, a.unreadable("no status")
	}
	return d, nil
}
