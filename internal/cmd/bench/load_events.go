package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/verification"
)

// transport carries Didit's deliveries.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// receive hands a delivery to webhook, as API Gateway does.
func (l *load) receive(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	headers := map[string]string{}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	status, _ := l.deliver(r.Context(), headers, string(body))
	w := httptest.NewRecorder()
	w.WriteHeader(max(status, 500))
	if status > 0 {
		w = httptest.NewRecorder()
		w.WriteHeader(status)
	}
	return w.Result(), nil
}

func (l *load) deliver(ctx context.Context, headers map[string]string, body string) (status int, answer map[string]string) {
	return l.call(ctx, "webhook", map[string]any{"headers": headers, "body": body}, http.StatusOK)
}

// handOver is the event bus with a rule that hands every event to a function.
type handOver struct {
	bus  http.Handler
	give func(entry)
}

// entry is an event as it is put on the bus.
type entry struct {
	Source, DetailType, Detail string
}

func (h handOver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	h.bus.ServeHTTP(answer, r)
	var request struct{ Entries []entry }
	if answer.status == http.StatusOK && json.Unmarshal(body, &request) == nil {
		for _, e := range request.Entries {
			h.give(e)
		}
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// track invokes trackstatus with the event in the background, and again after a failure, twice, as
// Lambda does.
func (l *load) track(e entry) {
	l.handing.Go(func() {
		payload := map[string]any{}
		for key, value := range l.events["trackstatus"] {
			payload[key] = value
		}
		payload["id"], payload["source"], payload["detail-type"], payload["detail"] = awsfake.NewID(), e.Source, e.DetailType, json.RawMessage(e.Detail)
		text, err := json.Marshal(payload)
		if err != nil {
			l.fail("encode an event: %v", err)
			return
		}
		l.tracking <- struct{}{}
		defer func() { <-l.tracking }()
		for range 3 {
			result, err := l.fns["trackstatus"].Invoke(context.Background(), text)
			if err == nil && !result.Failed() {
				l.count("trackstatus ok")
				return
			}
			l.count("trackstatus " + result.ErrorType)
			pause(context.Background(), 100*time.Millisecond)
		}
		l.fail("trackstatus did not record an event in three attempts")
	})
}

// steps are the statuses of a session in the second part, in the order of their times.
var steps = []string{"In Progress", "In Review", "Resubmitted", "In Progress", "Approved"}

// deliveries sends webhooks of many sessions in random order, each of them twice, and checks that
// every session ends at its last status.
func (l *load) deliveries(ctx context.Context) error {
	sessions := l.plan.deliveries / (2 * len(steps))
	begin := time.Now().Add(-time.Minute)
	var bodies [][]byte
	for n := range sessions {
		id := fmt.Sprintf("77777777-2222-3333-4444-%012d", n)
		r := verification.NewRecord(id, fmt.Sprint("shuffled-", n), stage.Workflow, "Not Started", begin)
		if _, _, err := l.world.Store.Add(ctx, r); err != nil {
			return err
		}
		for i, status := range steps {
			at := begin.Add(time.Duration(i+1) * time.Second).Unix()
			body, err := json.Marshal(map[string]any{
				"event_id": fmt.Sprintf("%s-%d", id, i), "webhook_type": "status.updated", "session_id": id, "status": status,
				"vendor_data": r.VendorData, "workflow_id": stage.Workflow, "created_at": at, "timestamp": at, "environment": "live",
			})
			if err != nil {
				return err
			}
			bodies = append(bodies, body, body)
		}
	}
	rand.Shuffle(len(bodies), func(i, j int) { bodies[i], bodies[j] = bodies[j], bodies[i] })
	queue := make(chan []byte)
	var senders sync.WaitGroup
	for range l.plan.sessions {
		senders.Go(func() {
			for body := range queue {
				l.deliverSigned(ctx, body)
			}
		})
	}
	for _, body := range bodies {
		queue <- body
	}
	close(queue)
	senders.Wait()
	l.handing.Wait()
	for n := range sessions {
		id := fmt.Sprintf("77777777-2222-3333-4444-%012d", n)
		r, found, err := l.world.Store.Record(ctx, id)
		if want := steps[len(steps)-1]; err != nil || !found || r.Status != want {
			l.fail("session %s ends at %q (error %v), want %s", id, r.Status, err, want)
		}
	}
	return nil
}

// deliverSigned delivers the body until it is accepted.
func (l *load) deliverSigned(ctx context.Context, body []byte) {
	for range maxTries {
		signature, v2, err := didit.SignWebhook(body, stage.WebhookSecret)
		if err != nil {
			l.fail("sign a delivery: %v", err)
			return
		}
		var signed struct{ Timestamp int64 }
		_ = json.Unmarshal(body, &signed)
		status, _ := l.deliver(ctx, map[string]string{
			"content-type": "application/json", "x-signature": signature, "x-signature-v2": v2, "x-timestamp": strconv.FormatInt(signed.Timestamp, 10)}, string(body))
		if status == http.StatusOK || ctx.Err() != nil {
			l.count("shuffled deliveries accepted")
			return
		}
		pause(ctx, 100*time.Millisecond)
	}
	l.fail("a delivery was not accepted after %d attempts", maxTries)
}
