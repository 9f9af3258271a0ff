package main

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
)

// pump does EventBridge's and Lambda's part between a rule and its function: it hands each event that the rule
// matched to trackstatus.
type pump struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	events []event
	failed []string // what the function failed with
}

// event is one as functions get it.
type event struct {
	Source     string `json:"source"`
	DetailType string `json:"detail-type"`
	Detail     detail `json:"detail"`
}

type detail struct {
	EventID   string `json:"event_id"`
	SessionID string `json:"session_id"`
	Status    string `json:"status"`
}

// startPump begins to hand over what comes into the queue. It ends with stop.
func (s *system) startPump(queue string) *pump {
	ctx, cancel := context.WithCancel(context.Background())
	p := &pump{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for ctx.Err() == nil {
			bodies, err := s.receive(ctx, queue, 1)
			if err != nil {
				p.note(err.Error())
				return
			}
			for _, body := range bodies {
				p.handOver(ctx, s, body)
			}
		}
	}()
	return p
}

func (p *pump) handOver(ctx context.Context, s *system, body string) {
	var e event
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		p.note(err.Error())
		return
	}
	answer, err := s.aws.invoke(ctx, "TrackStatusFunction", body)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		p.note(err.Error())
	case answer.failed:
		p.note(answer.payload)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// A delivery that is repeated publishes its event again.
	if !slices.ContainsFunc(p.events, func(known event) bool { return known.Detail.EventID == e.Detail.EventID }) {
		p.events = append(p.events, e)
	}
}

func (p *pump) note(failure string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = append(p.failed, failure)
}

// tracked returns what was handed over of the session, and what failed of all.
func (p *pump) tracked(sessionID string) (events []event, failed []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if e.Detail.SessionID == sessionID {
			events = append(events, e)
		}
	}
	return events, append([]string(nil), p.failed...)
}

func (p *pump) stop() {
	p.cancel()
	<-p.done
}

// receive takes messages out of a queue, and waits up to so many seconds for the first.
func (s *system) receive(ctx context.Context, queue string, wait int) ([]string, error) {
	var got struct {
		Messages []struct{ Body, ReceiptHandle string }
	}
	err := s.aws.call(ctx, sqs, "ReceiveMessage", map[string]any{"QueueUrl": queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": wait}, &got)
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
