package api

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/verification"
)

// Verifier proves that a delivery is Didit's; [*didit.Verifier] is one.
type Verifier interface {
	// Verify returns the event of a delivery, a [*didit.WebhookError], or an error of whoever
	// keeps the webhook secret.
	Verify(ctx context.Context, header http.Header, body []byte) (didit.WebhookEvent, error)
}

// Receiver takes verified events; [*verification.Tracker] is one.
type Receiver interface {
	Receive(ctx context.Context, e didit.WebhookEvent) error
}

// Webhook serves POST /webhooks/didit. Nobody is signed in there: Didit's signature is the authority.
// Set its fields before first use; it is safe for concurrent use and must not be copied.
//
// Didit repeats a delivery that is answered with 5xx or 404, and no other (Didit: Webhooks, delivery),
// so the answers are chosen by whether a repetition helps.
type Webhook struct {
	Verifier Verifier // required
	Events   Receiver // required
	// Identify returns what the gateway knows of the request. Required.
	Identify func(*http.Request) Identity
	// Log gets one line per call; nil means [slog.Default].
	Log *slog.Logger
	// Limit ends a delivery; zero means 4.5 s, before Didit stops waiting.
	Limit time.Duration

	calls callLog
}

// webhookLimit ends a delivery before Didit stops waiting at 5 s (Didit: Webhooks, delivery).
const webhookLimit = 4500 * time.Millisecond

// ServeHTTP answers one delivery.
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	identity := h.Identify(r)
	ctx, cancel := context.WithTimeout(r.Context(), cmp.Or(h.Limit, webhookLimit))
	defer cancel()
	ctx, call := h.calls.begin(ctx, "webhook", "http", identity.RequestID)
	event, err := h.serve(r.WithContext(ctx))
	call.end(ctx, h.Log, delivered(event, err), err)
	if err != nil {
		writeProblem(w, identity.RequestID, verification.AsError(err))
		return
	}
	writeJSON(w, http.StatusOK, "application/json", struct{}{})
}

func delivered(e didit.WebhookEvent, err error) outcome {
	switch {
	case err != nil && e.SessionID == "":
		return outcome{}
	case e.Ignored:
		return outcome{code: "ignored"}
	default:
		return outcome{"published", []slog.Attr{slog.String("session_id", e.SessionID), slog.String("event_id", e.ID), slog.String("status", e.Status)}}
	}
}

func (h *Webhook) serve(r *http.Request) (didit.WebhookEvent, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/webhooks/didit" {
		return didit.WebhookEvent{}, &verification.Error{Code: verification.CodeNotFound}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, didit.MaxWebhookBytes+1))
	if err != nil {
		return didit.WebhookEvent{}, malformed("The body is not the base64 that the gateway announced.")
	}
	if len(body) > didit.MaxWebhookBytes {
		return didit.WebhookEvent{}, &verification.Error{Code: codePayloadTooLarge, Detail: "A delivery may have at most 1 MiB."}
	}
	event, err := h.Verifier.Verify(r.Context(), r.Header, body)
	if err != nil {
		return didit.WebhookEvent{}, undelivered(err)
	}
	return event, h.Events.Receive(r.Context(), event)
}

// webhookCodes say which answer makes Didit repeat a delivery that another time may pass.
var webhookCodes = map[didit.WebhookErrorKind]verification.Code{
	didit.WebhookNotSigned: codeUnauthenticated,
	didit.WebhookStale:     codeUnauthenticated,
	didit.WebhookMismatch:  codeSignatureMismatch,
	didit.WebhookMalformed: verification.CodeInvalidRequest,
}

// webhookSentences are for whoever reads Didit's journal of deliveries.
var webhookSentences = map[didit.WebhookErrorKind]string{
	didit.WebhookNotSigned: "The delivery carries no well-formed X-Signature or X-Signature-V2.",
	didit.WebhookStale:     "The signed timestamp is too far from now; send the delivery again from Didit's console.",
	didit.WebhookMalformed: "The delivery is signed, but is no event of a session.",
}

// undelivered says why a delivery is refused. Without its secret nothing can be verified, whatever
// the reason: a repetition may find it mended.
func undelivered(err error) *verification.Error {
	failure, ok := errors.AsType[*didit.WebhookError](err)
	if !ok {
		e := verification.NewError(verification.CodeBackendUnavailable, "the webhook secret cannot be read")
		if secret, ok := errors.AsType[*verification.Error](err); ok && secret.Reason != "" {
			e.Reason = secret.Reason
		}
		return e
	}
	return &verification.Error{Code: webhookCodes[failure.Kind], Detail: webhookSentences[failure.Kind], Reason: failure.Reason}
}
