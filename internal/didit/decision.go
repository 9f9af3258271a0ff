package didit

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// decisionLimit is how much of a decision is read. A real one with all features has about 40 KB;
// images are links.
const decisionLimit = 5 << 20

// Decision is the result document of a session. It prints as the session's id and status: Raw is
// full of personal data.
type Decision struct {
	SessionID  string // lower-case UUID
	Status     string // Didit's word
	VendorData *string
	WorkflowID *string // lower-case UUID
	Checks     []Check
	Raw        json.RawMessage // the document as Didit sent it, byte for byte
}

// Decision returns where a session stands, finished or not. The request is repeated once where
// it gets no usable answer. It returns an [*Error], of [KindNotFound] where Didit knows no such
// session or the id is no UUID, or what the credential source returned.
func (c *Client) Decision(ctx context.Context, sessionID string) (Decision, error) {
	c.setup()
	if !uuidForm.MatchString(sessionID) {
		// Didit answers such an id with a page.
		return Decision{}, &Error{Kind: KindNotFound, Op: opDecision, Reason: "the session id is not a UUID"}
	}
	sessionID = strings.ToLower(sessionID)
	var decision Decision
	err := c.withAuthorization(ctx, func(ctx context.Context, auth authorization) error {
		return c.exchange(ctx, exchange{
			op:         opDecision,
			repeatable: true,
			limit:      decisionLimit,
			build: func(ctx context.Context) (*http.Request, error) {
				target := c.apiURL() + "/" + string(c.version(auth.creds)) + "/session/" + url.PathEscape(sessionID) + "/decision/"
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
				if err != nil {
					return nil, err
				}
				auth.set(request.Header)
				return request, nil
			},
			read: func(a answer) error {
				if err := decisionRefusal(a); err != nil {
					return err
				}
				var err error
				decision, err = parseDecision(a, sessionID)
				return err
			},
		})
	})
	return decision, err
}

// parseDecision reads a success. Only the status is indispensable, but the decision of another
// session is worse than none.
func parseDecision(a answer, sessionID string) (Decision, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(a.body, &fields) != nil {
		return Decision{}, a.unreadable("not a JSON object")
	}
	d := Decision{
		SessionID:  sessionID,
		Status:     text(fields["status"]),
		VendorData: optionalText(fields["vendor_data"]),
		Checks:     readChecks(a.body),
		Raw:        a.body,
	}
	if id := text(fields["session_id"]); id != "" && !strings.EqualFold(id, sessionID) {
		return Decision{}, a.unreadable("the decision of another session")
	}
	if !isWord(d.Status) {
		return Decision{}, a.unreadable("no status")
	}
	if id := text(fields["workflow_id"]); uuidForm.MatchString(id) {
		id = strings.ToLower(id)
		d.WorkflowID = &id
	}
	return d, nil
}
