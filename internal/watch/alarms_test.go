package watch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

const (
	createRoute  = "POST /sessions"
	webhookRoute = "POST /webhooks/didit"
	unknown      = "99999999-2222-3333-4444-555555555555"
)

// condition is a state of the deployment in which an alarm rings, or in which it does not.
type condition struct {
	name  string
	rings bool
	make  func(t *testing.T, w *world)
	also  func(cw *cloudWatch) // what no function makes: the values of other services
}

// conditions are those of every alarm.
var conditions = map[string][]condition{
	"FunctionErrors": {
		{"a caller's mistake is none", false, func(t *testing.T, w *world) {
			w.call(t, "createsession", recorded(t, "createsession-direct-refused"))
		}, nil},
		{"time", true, func(t *testing.T, w *world) {
			hang(t, w)
		}, nil},
	},
	"OperatorMustAct": {
		{"the workflow is not paid", true, createAfter(didittest.PaidPlan), nil},
		{"the credentials are refused", true, createAfter(didittest.InvalidClient), nil},
		{"the secret is missing", true, func(t *testing.T, w *world) {
			w.Secrets.Set(stage.SecretID, `{}`)
			w.http(t, "createsession", createRoute, recorded(t, "createsession-http-minimal"))
		}, nil},
		{"Didit is down", false, createAfter(didittest.ServerError), nil},
		{"a caller's mistake", false, func(t *testing.T, w *world) {
			w.http(t, "createsession", createRoute, recorded(t, "createsession-http-refused"))
		}, nil},
	},
	"ServerErrors": {
		{"all of five", true, failing(5), nil},
		{"all of four", false, failing(4), nil},
		{"5 of 100", false, func(t *testing.T, w *world) {
			failing(5)(t, w)
			for range 95 {
				w.answered(createRoute, "201", "200")
			}
		}, nil},
	},
	"Slow": {
		{"as fast as the simulator", false, func(t *testing.T, w *world) { w.created(t) }, nil},
		{"6 s", true, func(*testing.T, *world) {}, func(cw *cloudWatch) { cw.add("DiditSessions/"+stack+" Latency operation=create_session", 6000) }},
	},
	"Throttled": {
		{"the throttle of new sessions, which an app meets", false, func(_ *testing.T, w *world) { w.answered(createRoute, "429", "-") }, nil},
		{"the throttle of webhooks", true, func(_ *testing.T, w *world) { w.answered(webhookRoute, "429", "-") }, nil},
		{"Lambda", true, func(_ *testing.T, w *world) { w.answered(createRoute, "503", "429") }, nil},
	},
	"WebhooksFailing": {
		{"all well", false, func(t *testing.T, w *world) { w.deliver(t, w.created(t), "In Progress") }, nil},
		{"the table is down", true, func(t *testing.T, w *world) {
			w.Table.Fail(awsfake.Throttled, awsfake.UntilCleared)
			w.delivered(t, 503, "x-signature", stage.WebhookSecret, time.Now())
		}, nil},
		{"stale", true, func(t *testing.T, w *world) {
			w.delivered(t, 401, "x-signature", stage.WebhookSecret, time.Now().Add(-time.Hour))
		}, nil},
		{"signed by Didit's secret before the current one", true, func(t *testing.T, w *world) {
			w.delivered(t, 200, "x-signature-previous", stage.WebhookSecret, time.Now())
		}, nil},
		{"not an event", true, func(t *testing.T, w *world) { w.delivered(t, 400, "x-signature", stage.WebhookSecret, time.Unix(0, 0)) }, nil},
		{"unsigned", false, func(t *testing.T, w *world) { w.http(t, "webhook", webhookRoute, recorded(t, "webhook-http-unsigned")) }, nil},
		{"a stranger's four", false, forged(4), nil},
		{"five, and no other", true, forged(5), nil},
		{"five of ten", false, func(t *testing.T, w *world) {
			forged(5)(t, w)
			for range 5 {
				w.delivered(t, 200, "x-signature", stage.WebhookSecret, time.Now())
			}
		}, nil},
	},
	"NothingArrives": {
		{"nine sessions", false, creating(9), nil},
		{"ten sessions", true, creating(10), nil},
		{"ten sessions and a delivery", false, func(t *testing.T, w *world) {
			creating(10)(t, w)
			w.delivered(t, 200, "x-signature", stage.WebhookSecret, time.Now())
		}, nil},
		{"one session, handed out ten times", false, func(t *testing.T, w *world) {
			for range 10 {
				w.http(t, "createsession", createRoute, recorded(t, "createsession-http-minimal"))
			}
		}, nil},
	},
	"ReconcileSilent": {
		{"no run", true, func(*testing.T, *world) {}, nil},
		{"a run with nothing to do", false, reconciling, nil},
		{"credentials are refused", true, func(t *testing.T, w *world) {
			w.overdue(t, w.created(t), time.Minute)
			w.Didit.Inject(didittest.InvalidClient)
			w.Didit.RevokeTokens()
			reconciling(t, w)
		}, nil},
		{"a run that succeeds after one that fails", false, func(t *testing.T, w *world) {
			w.Table.Fail(awsfake.Throttled, 1)
			reconciling(t, w)
			reconciling(t, w)
		}, nil},
	},
	"TooOld": {
		{"nothing is due", false, reconciling, nil},
		{"overdue for a minute", false, func(t *testing.T, w *world) { w.overdue(t, w.created(t), time.Minute); reconciling(t, w) }, nil},
		{"overdue for two hours", true, func(t *testing.T, w *world) { w.overdue(t, w.created(t), 2*time.Hour); reconciling(t, w) }, nil},
		{"a task of 26 days", false, waiting(26), nil},
		{"a task of 28 days", true, waiting(28), nil},
	},
	"DeadLetters": {
		{"empty queues", false, func(*testing.T, *world) {}, queued(0, 0)},
		{"an event that trackstatus failed on three times", true, func(t *testing.T, w *world) {
			w.Table.Fail(awsfake.AccessDenied, awsfake.UntilCleared)
			for range 3 {
				w.call(t, "trackstatus", recorded(t, "trackstatus-direct-status"))
			}
			if got := len(w.reports["trackstatus"]); got != 3 {
				t.Errorf("%d invocations failed, want all 3, after which Lambda sends the event to the queue", got)
			}
		}, queued(0, 1)},
		{"one that was not handed over", true, func(*testing.T, *world) {}, queued(1, 0)},
	},
}

// hang makes createsession use up its time.
func hang(t *testing.T, w *world) {
	t.Helper()
	w.timeout = time.Millisecond
	f := w.function(t, "createsession")
	if _, err := f.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.Freeze(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.invoke(t, "createsession", recorded(t, "createsession-direct-minimal")); err == nil {
		t.Fatal("the function answered")
	}
}

// createAfter creates a session after Didit was given the fault.
func createAfter(f didittest.Fault) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		w.Didit.Inject(f)
		if status := w.http(t, "createsession", createRoute, recorded(t, "createsession-http-minimal")); status < 500 {
			t.Fatalf("got %d, want a failure", status)
		}
	}
}

// failing makes n requests to create sessions that fail.
func failing(n int) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		for range n {
			createAfter(didittest.ServerError)(t, w)
		}
	}
}

// creating creates n sessions, each for a user of its own.
func creating(n int) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		for i := range n {
			w.http(t, "createsession", createRoute, recorded(t, "createsession-http-minimal", "user-123", fmt.Sprintf("user-%d", i)))
		}
	}
}

// forged makes n deliveries with a signature that matches no secret.
func forged(n int) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		for range n {
			w.delivered(t, 404, "x-signature", "another secret", time.Now())
		}
	}
}

// waiting lets a task wait on a session of that age, and reconcile look at it.
func waiting(days int) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		r := stagetest.Record(unknown, "user-123", "In Review", time.Duration(days)*24*time.Hour)
		r.Awaited, r.DueFrom = true, time.Now().Add(-time.Minute)
		if _, _, err := w.Store.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		reconciling(t, w)
	}
}

func reconciling(t *testing.T, w *world) {
	w.call(t, "reconcile", recorded(t, "reconcile-direct-schedule"))
}

func queued(notHandedOver, failed float64) func(*cloudWatch) {
	return func(cw *cloudWatch) {
		cw.add("AWS/SQS ApproximateNumberOfMessagesVisible QueueName=HandOverQueue.QueueName", notHandedOver)
		cw.add("AWS/SQS ApproximateNumberOfMessagesVisible QueueName=FailedEventsQueue.QueueName", failed)
	}
}

// delivered makes a delivery, which must get the status.
func (w *world) delivered(t *testing.T, status int, header, secret string, sent time.Time) {
	t.Helper()
	payload := delivery(t, unknown, "In Progress", header, secret, sent)
	if sent.Unix() == 0 {
		payload = signed(t, `{"webhook_type":"status.updated","status":"Approved"}`, header, secret)
	}
	if got := w.http(t, "webhook", webhookRoute, payload); got != status {
		t.Errorf("got %d, want %d", got, status)
	}
}

// Ensure that each alarm of the template rings in its condition, and not without it, by what the
// built functions write.
func TestAlarms(t *testing.T) {
	t.Parallel()
	names := slices.Sorted(maps.Keys(newCloudWatch(t).alarms))
	if tested := slices.Sorted(maps.Keys(conditions)); !slices.Equal(names, tested) {
		t.Errorf("the template has the alarms %q, tested are %q", names, tested)
	}
	for name, states := range conditions {
		for _, c := range states {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, nil)
				c.make(t, w)
				cw := w.watched(t)
				if c.also != nil {
					c.also(cw)
				}
				if got := cw.rings(t, name); got != c.rings {
					t.Errorf("rings: %t, want %t; CloudWatch has %v", got, c.rings, cw.values)
				}
			})
		}
	}
}

// Ensure that a function that does not start is noticed, whichever it is.
func TestAlarms_start(t *testing.T) {
	t.Parallel()
	for name := range built {
		w := newWorld(t, map[string]string{"TABLE_NAME": "", "DIDIT_SECRET_ID": ""})
		if _, err := w.invoke(t, name, []byte(`{}`)); name != "createsession" && err == nil {
			t.Fatalf("%s started", name)
		}
		if !w.watched(t).rings(t, "FunctionErrors") {
			t.Errorf("%s: no alarm", name)
		}
	}
}

// Ensure that what the alarm on slow calls looks at is the time of the line, in milliseconds.
func TestAlarms_latency(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.created(t)
	values := w.watched(t).values["DiditSessions/"+stack+" Latency operation=create_session"]
	lines := strings.Join(w.started[0].LogLines(), "\n")
	if len(values) != 1 || !strings.Contains(lines, fmt.Sprintf(`"duration_ms":%v,`, values[0])) || !strings.Contains(lines, `{"Name":"Latency","Unit":"Milliseconds"}`) {
		t.Errorf("got %v, want the duration of %s", values, lines)
	}
}

// Ensure that the alarms read few metrics, which each cost money.
func TestAlarms_few(t *testing.T) {
	t.Parallel()
	cw := newCloudWatch(t)
	metrics := 0
	for _, a := range cw.alarms {
		metrics += max(1, len(a.Metrics)-1)
	}
	if len(cw.alarms) > 10 || metrics > 16 {
		t.Errorf("%d alarms read %d metrics, want at most 10 and 16", len(cw.alarms), metrics)
	}
}
