package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"

	"didit-sessions/internal/verification"
)

// Operation runs an operation that is invoked directly and has no route: it decodes the payload,
// calls the domain and reports the result. Set its fields before first use; it is safe for
// concurrent use and must not be copied.
type Operation struct {
	// Name is the operation in logs and metrics, in snake case. Required.
	Name string
	// Do answers a payload: with a value for JSON, and with attributes that are safe to log. Required.
	Do func(ctx context.Context, payload []byte) (answer any, attributes []slog.Attr, err error)
	// Log gets one line per call; nil means [slog.Default].
	Log *slog.Logger

	calls callLog
}

// Invoke answers one invocation. Its errors have a method ErrorType, which returns the name on
// which workflows match.
func (o *Operation) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, current := o.calls.begin(ctx, o.Name, "", "")
	answer, attributes, err := o.Do(ctx, payload)
	current.end(ctx, o.Log, outcome{"done", attributes}, err)
	if err != nil {
		return nil, newDirectError(verification.AsError(err))
	}
	if raw, ok := answer.(json.RawMessage); ok {
		return raw, nil
	}
	return verification.EncodeJSON(answer)
}

// Awaiter stores the tokens of waiting tasks; [*verification.Tracker] implements it.
type Awaiter interface {
	Await(ctx context.Context, sessionID, token string) error
}

// AwaitDecision is the operation that stores a task's token: {"session_id","task_token"} in, {}
// out.
func AwaitDecision(a Awaiter) *Operation {
	return &Operation{Name: "await_decision", Do: func(ctx context.Context, payload []byte) (any, []slog.Attr, error) {
		in, err := decodeStrings(payload, func(in map[string]string) []verification.FieldError {
			return verification.InvalidTask(in["session_id"], in["task_token"])
		}, "session_id", "task_token")
		if err != nil {
			return nil, nil, err
		}
		if err := a.Await(ctx, in["session_id"], in["task_token"]); err != nil {
			return nil, nil, err
		}
		return struct{}{}, sessionAttributes(in["session_id"]), nil
	}}
}

// DecisionReader reads Didit's decisions; [verification.DecisionReader] implements it.
type DecisionReader interface {
	ReadDecision(ctx context.Context, sessionID string) (json.RawMessage, error)
}

// GetDecision is the operation that reads Didit's decision: {"session_id"} in, Didit's JSON out.
func GetDecision(r DecisionReader) *Operation {
	return &Operation{Name: "get_decision", Do: func(ctx context.Context, payload []byte) (any, []slog.Attr, error) {
		in, err := decodeStrings(payload, func(in map[string]string) []verification.FieldError {
			return verification.InvalidSessionID(in["session_id"])
		}, "session_id")
		if err != nil {
			return nil, nil, err
		}
		decision, err := r.ReadDecision(ctx, in["session_id"])
		return decision, sessionAttributes(in["session_id"]), err
	}}
}

// sessionAttributes name the session in the log, unless the caller sent something else as its id.
func sessionAttributes(sessionID string) []slog.Attr {
	if !verification.ValidUUID(sessionID) {
		return nil
	}
	return []slog.Attr{slog.String("session_id", sessionID)}
}

// EventTracker records published events; [*verification.Tracker] implements it.
type EventTracker interface {
	Track(ctx context.Context, e verification.Event) error
}

// TrackStatus is the operation that records an event: EventBridge's payload in, {} out.
func TrackStatus(t EventTracker) *Operation {
	return &Operation{Name: "track_status", Do: func(ctx context.Context, payload []byte) (any, []slog.Attr, error) {
		var envelope struct {
			Source     string          `json:"source"`
			DetailType string          `json:"detail-type"`
			Detail     json.RawMessage `json:"detail"`
		}
		if json.Unmarshal(payload, &envelope) != nil || envelope.Source != verification.EventSource {
			return nil, nil, malformed("The payload is not an event of this backend.")
		}
		e, err := verification.DecodeDetail(envelope.DetailType, envelope.Detail)
		if err != nil {
			return nil, nil, err
		}
		return struct{}{}, eventAttributes(e.SessionID, e.ID, e.Status), t.Track(ctx, e)
	}}
}

// maxLoggedID is the length of a UUID. Of a longer event id the beginning is logged, so that a line
// stays within its bound.
const maxLoggedID = 36

func eventAttributes(sessionID, eventID, status string) []slog.Attr {
	if len(eventID) > maxLoggedID {
		eventID = strings.ToValidUTF8(eventID[:maxLoggedID], "")
	}
	return []slog.Attr{
		slog.String("session_id", sessionID), slog.String("event_id", eventID), slog.String("status", status),
	}
}

// Reconciler asks Didit about unfinished sessions; [*verification.Tracker] implements it.
type Reconciler interface {
	Reconcile(ctx context.Context) (verification.Reconciled, error)
}

// Reconcile is the operation that a schedule invokes: any payload in, the run's counts out.
func Reconcile(r Reconciler) *Operation {
	return &Operation{Name: "reconcile", Do: func(ctx context.Context, _ []byte) (any, []slog.Attr, error) {
		sum, err := r.Reconcile(ctx)
		if c, ok := ctx.Value(callKey{}).(*call); ok {
			c.idle = sum.Due == 0 && err == nil
			c.gauges = []gauge{{"OldestOverdue", sum.OldestOverdue}, {"OldestTask", sum.OldestTask}}
		}
		return struct {
				Asked   int `json:"asked"`
				Changed int `json:"changed"`
				Failed  int `json:"failed"`
			}{sum.Asked, sum.Changed, sum.Failed}, []slog.Attr{slog.Int("due", sum.Due),
				slog.Int("asked", sum.Asked), slog.Int("changed", sum.Changed), slog.Int("failed", sum.Failed)}, err
	}}
}

// UserEraser forgets end users; [*verification.Eraser] implements it.
type UserEraser interface {
	Erase(ctx context.Context, vendorData string) (verification.Erased, error)
}

// EraseUser is the operation that forgets an end user: {"vendor_data"} in, what was found and
// deleted out.
func EraseUser(e UserEraser) *Operation {
	return &Operation{Name: "erase_user", Do: func(ctx context.Context, payload []byte) (any, []slog.Attr, error) {
		in, err := decodeStrings(payload, func(in map[string]string) []verification.FieldError {
			return verification.InvalidOwner(in["vendor_data"])
		}, "vendor_data")
		if err != nil {
			return nil, nil, err
		}
		sum, err := e.Erase(ctx, in["vendor_data"])
		return struct {
				Sessions    int  `json:"sessions"`
				Deleted     int  `json:"deleted"`
				UserDeleted bool `json:"user_deleted"`
			}(sum), []slog.Attr{
				slog.Int("sessions", sum.Sessions), slog.Int("deleted", sum.Deleted), slog.Bool("user_deleted", sum.UserDeleted)}, err
	}}
}

// decodePayload is decodeObject for a payload, whose size Lambda does not bound as HTTP's.
func decodePayload(
	payload []byte, maxRaw func(name string) int,
) (verification.Value, []verification.FieldError, error) {
	if len(payload) > maxBody {
		return verification.Value{}, nil, malformed("The payload may have at most 4 MiB.")
	}
	return decodeObject(payload, maxRaw)
}

// decodeStrings decodes a payload of these strings and no other fields. It reports what check finds
// wrong with them beside what is wrong with the payload.
func decodeStrings(
	payload []byte, check func(in map[string]string) []verification.FieldError, names ...string,
) (map[string]string, error) {
	fields, invalid, err := decodePayload(payload, nil)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, name := range names {
		switch v := fields.Get(name); v.Kind {
		case verification.KindString:
			values[name] = v.Text
		case verification.KindNull:
		default:
			invalid = append(invalid, verification.FieldError{Field: name, Message: "must be a string."})
		}
	}
	for _, m := range fields.Members {
		if !slices.Contains(names, m.Name) {
			invalid = append(invalid, verification.UnknownField(m.Name, names...))
		}
	}
	for _, wrong := range check(values) {
		if !slices.ContainsFunc(invalid, func(f verification.FieldError) bool { return f.Field == wrong.Field }) {
			invalid = append(invalid, wrong)
		}
	}
	if len(invalid) > 0 {
		return nil, &verification.Error{Code: verification.CodeInvalidRequest, Fields: invalid}
	}
	return values, nil
}
