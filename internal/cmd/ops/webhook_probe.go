package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"didit-sessions/internal/cmd/ops/management"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/version"
)

const (
	// probeType is an event that the webhook function ignores, because it is about no session.
	probeType = "didit-sessions.probe"
	// probePause is longer than the function waits before it reads its secret again.
	probePause = 11 * time.Second
	maxProbes  = 3

	maxProbeAnswer = 64 << 10         // bytes
	maxProbeWait   = 15 * time.Second // of one probe; Didit would wait 5 s
)

// deliverProbe sends one signed delivery of a type that the deployed function ignores, and returns
// an error unless it accepts the signature. Right after a new secret was stored, the function may
// need a few seconds to see it, so a mismatch is tried again.
func (o *ops) deliverProbe(ctx context.Context, address string, secret management.Key) error {
	for tries := 1; ; tries++ {
		err := o.tryProbe(ctx, address, secret)
		mismatch, ok := errors.AsType[*probeError](err)
		if !ok || !mismatch.mayPass || tries == maxProbes {
			return err
		}
		if err := o.pause(ctx, probePause); err != nil {
			return err
		}
	}
}

// A probeError is an answer that refuses a probe.
type probeError struct {
	text    string
	mayPass bool // a later probe may be accepted
}

func (e *probeError) Error() string { return e.text }

func (o *ops) tryProbe(ctx context.Context, address string, secret management.Key) error {
	ctx, cancel := context.WithTimeout(ctx, o.atMost(maxProbeWait))
	defer cancel()
	body, err := json.Marshal(map[string]any{"webhook_type": probeType, "timestamp": o.now().Unix()})
	if err != nil {
		return err
	}
	signature, v2, err := didit.SignWebhook(body, string(secret))
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", version.UserAgent)
	r.Header.Set("X-Signature", signature)
	r.Header.Set("X-Signature-V2", v2)
	answer, err := noRedirects.Do(r)
	if err != nil {
		if err := explainNetwork("The webhook's address does not answer", err); err != nil {
			return err
		}
		return blind(fmt.Errorf("the webhook's address does not answer: %s", firstLine(err.Error())))
	}
	defer answer.Body.Close()
	var problem struct{ Code string }
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxProbeAnswer))
	_ = json.Unmarshal(text, &problem)
	return probeResult(answer.StatusCode, problem.Code)
}

// noRedirects sends deliveries as Didit does, which takes a redirect for a failure.
var noRedirects = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// probeResult explains the answer to a probe.
func probeResult(status int, code string) error {
	switch {
	case status/100 == 2:
		return nil
	case code == "signature_mismatch":
		return &probeError{"the function does not accept deliveries that are signed with the destination's secret", true}
	case code == "backend_unavailable":
		return &probeError{"the function cannot read its secret, or does not reach AWS (backend_unavailable); look at its log", true}
	case status == http.StatusNotFound && code == "":
		return &probeError{"there is no webhook at the address (status 404); is the stack deleted, or its domain mapped elsewhere?", false}
	case code == "":
		return &probeError{fmt.Sprintf("the webhook's address answers with status %d, and not as the function does", status), status >= 500}
	}
	return &probeError{fmt.Sprintf("the function answers with status %d, %s; look at its log", status, code), status >= 500}
}
