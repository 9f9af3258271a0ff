package api

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/verification"
)

// Upstream is one request that a call made to Didit or AWS. It holds nothing secret.
type Upstream struct {
	Op       string // its purpose in snake case: secret, token, create_session, table, bus, tasks
	Status   int    // HTTP status; 0: no answer
	Duration time.Duration
}

// upstreams collects the requests of one call.
type upstreams struct {
	mu   sync.Mutex
	list []Upstream
}

type callKey struct{}

// awsOps are the requests that do not go to Didit.
var awsOps = []string{"secret", "table", "bus", "tasks"}

// Observe adds a request to the log line of the call to which ctx belongs; without such a call it
// does nothing. It is safe for concurrent use.
func Observe(ctx context.Context, u Upstream) {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		c.upstreams.mu.Lock()
		defer c.upstreams.mu.Unlock()
		c.upstreams.list = append(c.upstreams.list, u)
	}
}

// callLog writes the one line of each call. The zero value is ready.
type callLog struct{ warm atomic.Bool }

// call is a call in progress.
type call struct {
	operation string
	door      string // empty: the operation has only one
	requestID string // the gateway's; empty on the direct door
	start     time.Time
	cold      bool
	upstreams upstreams

	idle   bool    // there was nothing to do, so the call is not counted
	gauges []gauge // that it measured
}

func (l *callLog) begin(ctx context.Context, operation, door, requestID string) (context.Context, *call) {
	c := &call{
		operation: operation, door: door, requestID: requestID,
		start: time.Now(), cold: !l.warm.Swap(true),
	}
	return context.WithValue(ctx, callKey{}, c), c
}

// outcome is the result of a successful call: its code, and attributes that are safe to log.
type outcome struct {
	code       string
	attributes []slog.Attr
}

// end writes the line: the result of the call, how long it and its requests took, and why it
// failed, in fixed words. Of requests and answers it holds ids and statuses alone. What is as
// expected is left out, because lines are paid for by the byte.
func (c *call) end(ctx context.Context, logger *slog.Logger, o outcome, err error) {
	if logger == nil {
		logger = slog.Default()
	}
	duration := time.Since(c.start)
	level, message, code, result := slog.LevelInfo, "call answered", o.code, outcomeOK
	attributes := []slog.Attr{slog.String("operation", c.operation), milliseconds("duration_ms", duration)}
	if c.door != "" {
		attributes = append(attributes, slog.String("door", c.door))
	}
	if c.cold {
		attributes = append(attributes, slog.Bool("cold", true))
	}
	if c.requestID != "" && err != nil { // a problem shows it
		attributes = append(attributes, slog.String("gateway_request_id", c.requestID))
	}
	attributes = append(attributes, o.attributes...)
	if err != nil {
		e := verification.AsError(err)
		level, message, code, result = levelOf(e.Code), "call refused", string(e.Code), outcomeOf(e.Code)
		if e.Reason != "" {
			attributes = append(attributes, slog.String("reason", e.Reason))
		}
	}
	attributes = append(attributes, slog.String("code", code), slog.String("outcome", result))
	c.count(ctx, result, duration)
	logger.LogAttrs(ctx, level, message, append(attributes, c.upstreams.attributes()...)...)
}

// ObserveAttempt is [Observe] for an attempt of Didit's client; see [didit.Client].
func ObserveAttempt(ctx context.Context, a didit.Attempt) {
	Observe(ctx, Upstream{Op: a.Op, Status: a.Status, Duration: a.Duration})
}

// attributes returns what to log of the requests: of those to Didit their number, and the last
// status unless that is a success, and the time spent on each kind of request.
func (u *upstreams) attributes() (attributes []slog.Attr) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var ops []string
	spent := map[string]time.Duration{}
	attempts, status := 0, 0
	for _, r := range u.list {
		if _, seen := spent[r.Op]; !seen {
			ops = append(ops, r.Op)
		}
		spent[r.Op] += r.Duration
		if !slices.Contains(awsOps, r.Op) {
			attempts++
			status = r.Status
		}
	}
	if attempts > 0 {
		attributes = append(attributes, slog.Int("attempts", attempts))
		if status/100 != 2 {
			attributes = append(attributes, slog.Int("upstream_status", status))
		}
	}
	for _, op := range ops {
		attributes = append(attributes, milliseconds(op+"_ms", spent[op]))
	}
	return attributes
}

func milliseconds(name string, d time.Duration) slog.Attr {
	return slog.Float64(name, inMilliseconds(d))
}

// inMilliseconds rounds to tenths: lines are paid for by the byte.
func inMilliseconds(d time.Duration) float64 { return math.Round(d.Seconds()*1e4) / 10 }

// LogRecovered returns a function that logs errors which did not fail the call; a nil logger means
// [slog.Default].
func LogRecovered(logger *slog.Logger) func(ctx context.Context, err error) {
	return func(ctx context.Context, err error) {
		e := verification.AsError(err)
		cmp.Or(logger, slog.Default()).WarnContext(ctx, "recovered from an error", "code", string(e.Code), "reason", e.Reason)
	}
}

// levelOf returns error where an operator must act, warn where waiting helps, and info otherwise.
func levelOf(code verification.Code) slog.Level {
	switch outcomeOf(code) {
	case outcomeOperator:
		return slog.LevelError
	case outcomeUpstream:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}
