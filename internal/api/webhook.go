package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/verification"
)

// Verifier proves that a delivery comes from Didit; [*didit.Verifier] implements it.
type Verifier interface {
	// Verify returns the event of a delivery, a [*didit.WebhookError], or the error of the source
	// of the webhook secret.
	Verify(ctx context.Context, header http.Header, body []byte) (didit.WebhookEvent, error)
}

// Receiver publishes verified events; [*verification.Tracker] implements it.
type Receiver interface {
	Receive(ctx context.Context, e didit.WebhookEvent) (published bool, err error)
}

// Webhook serves POST /webhooks/didit. Didit's signature is the only authorisation. Set its fields
// before first use; it is safe for concurrent use and must not be copied.
//
// Didit retries a delivery that is answered with 5xx or 404, and no other (Didit: Webhooks,
// delivery), so the status depends on whether a retry can succeed.
type Webhook struct {
	Verifier Verifier // required
	Events   Receiver // required
	// RequestContext returns what API Gateway knows of the request. Required.
	RequestContext func(*http.Request) RequestContext
	// Log gets one line per call; nil means [slog.Default].
	Log *slog.Logger
	// Limit is the time for a delivery; zero means 4.5 s.
	Limit time.Duration

	calls callLog
}

// maxWebhook is below the 5 s for which Didit waits (Didit: Webhooks, delivery).
const maxWebhook = 4500 * time.Millisecond

// ServeHTTP answers one delivery.
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	gateway := h.RequestContext(r)
	ctx, cancel := context.WithTimeout(r.Context(), cmp.Or(h.Limit, maxWebhook))
	defer cancel()
	ctx, current := h.calls.begin(ctx, "webhook", "", gateway.RequestID)
	event, published, err := h.serve(r.WithContext(ctx))
	current.end(ctx, h.Log, webhookOutcome(event, published, err), err)
	if err != nil {
		writeProblem(w, gateway.RequestID, verification.AsError(err))
		return
	}
	writeJSON(w, http.StatusOK, "application/json", struct{}{})
}

// webhookOutcome says where the secret in use is not Didit's current one any more: an alarm looks
// for it.
func webhookOutcome(e didit.WebhookEvent, published bool, err error) outcome {
	var o outcome
	switch {
	case err != nil && e.SessionID == "":
		return o
	case e.Ignored:
		o.code = "ignored"
	default:
		o = outcome{"ignored", eventAttributes(e.SessionID, e.ID, e.Status)} // of an erased end user
		if published {
			o.code = "published"
		}
	}
	if e.PreviousSecret {
		o.attributes = append(o.attributes, slog.String("signature", "previous"))
	}
	return o
}

func (h *Webhook) serve(r *http.Request) (event didit.WebhookEvent, published bool, err error) {
	if r.Method != http.MethodPost || r.URL.Path != "/webhooks/didit" {
		return didit.WebhookEvent{}, false, noRoute()
	}
	body, err := readBody(r, didit.MaxWebhookBytes, "A delivery may have at most 1 MiB.")
	if err != nil {
		return didit.WebhookEvent{}, false, err
	}
	event, err = h.Verifier.Verify(r.Context(), r.Header, body)
	if err != nil {
		return didit.WebhookEvent{}, false, refuseDelivery(err)
	}
	published, err = h.Events.Receive(r.Context(), event)
	return event, published, err
}

// webhookCodes maps a refusal to a code; 404 makes Didit retry, so it is used where a retry can
// succeed.
var webhookCodes = map[didit.WebhookErrorKind]verification.Code{
	didit.WebhookNotSigned: codeUnauthenticated,
	didit.WebhookStale:     codeStale,
	didit.WebhookMismatch:  codeSignatureMismatch,
	didit.WebhookMalformed: verification.CodeInvalidRequest,
}

// webhookSentences are what operators read in Didit's journal of deliveries.
var webhookSentences = map[didit.WebhookErrorKind]string{
	didit.WebhookNotSigned: "The delivery carries no well-formed signature: X-Signature, X-Signature-V2, or one of the two with -Previous.",
	didit.WebhookMalformed: "The delivery is signed, but is not an event of a session.",
}

// refuseDelivery maps a verification failure to an error. If the secret cannot be read, whatever
// the reason, Didit should retry.
func refuseDelivery(err error) *verification.Error {
	failure, ok := errors.AsType[*didit.WebhookError](err)
	if !ok {
		e := verification.NewError(verification.CodeBackendUnavailable, "the webhook secret cannot be read")
		if secret, ok := errors.AsType[*verification.Error](err); ok && secret.Reason != "" {
			e.Reason = secret.Reason
		}
		return e
	}
	return &verification.Error{
		Code: webhookCodes[failure.Kind], Detail: webhookSentences[failure.Kind], Reason: failure.Reason,
	}
}
