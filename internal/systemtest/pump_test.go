//go:build system

package systemtest

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
)

// pump plays EventBridge's and Lambda's part between a rule and its function: it hands each event
// that the rule matched to trackstatus. It is safe for concurrent use.
type pump struct {
	mu       sync.Mutex
	events   []event
	failures []string // of the function
}

// event is an event as functions get it.
type event struct {
	Source     string `json:"source"`
	DetailType string `json:"detail-type"`
	Detail     struct {
		EventID   string `json:"event_id"`
		SessionID string `json:"session_id"`
		Status    string `json:"status"`
	} `json:"detail"`
}

// startPump hands over what the rule puts into its queue, for the time of the test.
func (s *system) startPump(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(s.ctx)
	s.pump = &pump{}
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			bodies, err := s.receive(ctx, s.queues["rule"], 1)
			if err != nil {
				s.pump.note(err.Error())
				return
			}
			for _, body := range bodies {
				s.pump.handOver(ctx, s, body)
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

func (p *pump) handOver(ctx context.Context, s *system, body string) {
	var e event
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		p.note(err.Error())
		return
	}
	answer, err := s.aws.invoke(ctx, "TrackStatusFunction", []byte(body))
	switch {
	case ctx.Err() != nil:
	case err != nil:
		p.note(err.Error())
	case answer.failed:
		p.note(answer.payload)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// A delivery that is retried publishes its event again.
	if !slices.ContainsFunc(p.events, func(known event) bool { return known.Detail.EventID == e.Detail.EventID }) {
		p.events = append(p.events, e)
	}
}

func (p *pump) note(failure string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures = append(p.failures, failure)
}

// matched returns the events of the session that were handed over. The error reports failures for
// any session.
func (p *pump) matched(sessionID string) (events []event, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if e.Detail.SessionID == sessionID {
			events = append(events, e)
		}
	}
	if len(p.failures) > 0 {
		err = mismatch("failures of trackstatus", p.failures, "none")
	}
	return events, err
}

// receive takes messages out of a queue, and waits at most that many seconds for the first. It
// returns no error for a context that has ended.
func (s *system) receive(ctx context.Context, queue string, seconds int) ([]string, error) {
	var got struct {
		Messages []struct{ Body, ReceiptHandle string }
	}
	err := s.aws.call(ctx, sqs, "ReceiveMessage", map[string]any{"QueueUrl": queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": seconds}, &got)
	var bodies []string
	for _, m := range got.Messages {
		if err == nil {
			err = s.aws.call(ctx, sqs, "DeleteMessage", map[string]string{"QueueUrl": queue, "ReceiptHandle": m.ReceiptHandle}, nil)
		}
		bodies = append(bodies, m.Body)
	}
	if ctx.Err() != nil {
		return nil, nil
	}
	return bodies, err
}
