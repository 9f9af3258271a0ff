package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"

	"didit-sessions/internal/verification"
)

// Direct runs an operation that has the direct door alone: it reads the payload, calls the domain, and
// tells the outcome. Set its fields before first use; it is safe for concurrent use and must not be
// copied.
type Direct struct {
	// Operation is what the log and the metrics call it, in snake case. Required.
	Operation string
	// Do answers a payload: with a value for JSON, and with what the log may say of it. Required.
	Do func(ctx context.Context, payload []byte) (answer any, told []slog.Attr, err error)
	// Log gets one line per call; nil means [slog.Default].
	Log *slog.Logger

	calls callLog
}

// Serve answers one invocation; its errors carry the name on which workflows match.
func (d *Direct) Serve(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, call := d.calls.begin(ctx, d.Operation, "direct", "")
	answer, told, err := d.Do(ctx, payload)
	call.end(ctx, d.Log, outcome{"done", told}, err)
	if err != nil {
		return nil, newDirectError(verification.AsError(err))
	}
	if raw, ok := answer.(json.RawMessage); ok {
		return raw, nil
	}
	return encode(answer)
}

// AwaitDecision is the operation that stores a task's token: {"session_id","task_token"} in, {} out.
func AwaitDecision(t interface {
	Await(ctx context.Context, sessionID, token string) error
}) *Direct {
	return &Direct{Operation: "await_decision", Do: func(ctx context.Context, payload []byte) (any, []slog.Attr, error) {
		in, err := texts(payload, "session_id", "task_token")
		if err != nil {
			return nil, nil, err
		}
		if err := t.Await(ctx, in["session_id"], in["task_token"]); err != nil {
			return nil, nil, err
		}
		return struct{}{}, about(in["session_id"]), nil
	}}
}

// GetDecision is the operation that reads Didit's decision: {"session_id"} in, Didit's JSON out.
func GetDecision(read func(ctx context.Context, sessionID string) (json.RawMessage, error)) *Direct {
	return &Direct{Operation: "get_decision", Do: func(ctx context.Context, payload []byte) (any, []slog.Attr, error) {
		in, err := texts(payload, "session_id")
		if err != nil {
			return nil, nil, err
		}
		decision, err := read(ctx, in["session_id"])
		return decision, about(in["session_id"]), err
	}}
}

// about names the session in the log, unless what was sent as its id may be anything.
func about(sessionID string) []slog.Attr {
	if !verification.ValidUUID(sessionID) {
		return nil
	}
	return []slog.Attr{slog.String("session_id", sessionID)}
}

// TrackStatus is the operation that records an event: EventBridge's payload in, {} out.
func TrackStatus(t interface {
	Track(ctx context.Context, e verification.Event) error
}) *Direct {
	return &Direct{Operation: "track_status", Do: func(ctx context.Context, payload []byte) (any, []slog.Attr, error) {
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
		return struct{}{}, []slog.Attr{slog.String("session_id", e.SessionID), slog.String("event_id", e.ID), slog.String("status", e.Status)}, t.Track(ctx, e)
	}}
}

// Reconcile is the operation that a schedule calls: any payload in, what was done out.
func Reconcile(t interface {
	Reconcile(ctx context.Context) (verification.Reconciled, error)
}) *Direct {
	return &Direct{Operation: "reconcile", Do: func(ctx context.Context, _ []byte) (any, []slog.Attr, error) {
		sum, err := t.Reconcile(ctx)
		return struct {
			Asked   int `json:"asked"`
			Changed int `json:"changed"`
			Failed  int `json:"failed"`
		}{sum.Asked, sum.Changed, sum.Failed}, []slog.Attr{slog.Int("asked", sum.Asked), slog.Int("changed", sum.Changed), slog.Int("failed", sum.Failed)}, err
	}}
}

// texts reads a payload of these text fields and no others. What is missing is left to the domain.
func texts(payload []byte, names ...string) (map[string]string, error) {
	if len(payload) > bodyLimit {
		return nil, malformed("The payload may have at most 4 MiB.")
	}
	fields, invalid, err := decodeObject(payload)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, name := range names {
		switch v := fields.Get(name); v.Kind {
		case verification.Text:
			values[name] = v.Text
		case verification.Null:
		default:
			invalid = append(invalid, verification.FieldError{Field: name, Message: "must be a text."})
		}
	}
	for _, m := range fields.Members {
		if !slices.Contains(names, m.Name) {
			invalid = append(invalid, verification.FieldError{Field: verification.FieldPath("", m.Name), Message: "is not a field of this request."})
		}
	}
	if len(invalid) > 0 {
		return nil, &verification.Error{Code: verification.CodeInvalidRequest, Fields: invalid}
	}
	return values, nil
}
