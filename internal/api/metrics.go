package api

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"time"
)

// Metrics counts calls in CloudWatch: it writes lines of the embedded metric format, which
// CloudWatch Logs turns into metrics. A call counts as one of Calls, by its operation and its
// outcome, and with its time in milliseconds as one of Latency, by its operation. A call whose
// outcome is operator counts once more by its outcome alone, so that one alarm sees them all.
// Every series costs money, so there are no further dimensions. Calls that had nothing to do are
// not counted. It is safe for concurrent use if Out is.
type Metrics struct {
	Namespace string
	Out       io.Writer // gets each line in one call of Write; its errors are ignored
}

type metricsKey struct{}

// WithMetrics returns a context whose calls are counted.
func WithMetrics(ctx context.Context, m Metrics) context.Context {
	return context.WithValue(ctx, metricsKey{}, m)
}

// The metrics' parts that CloudWatch reads (CloudWatch: embedded metric format).
type (
	metricNames []struct {
		Name string
		Unit string `json:",omitempty"`
	}
	directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    metricNames
	}
	metadata struct {
		Timestamp         int64
		CloudWatchMetrics []directive
	}
)

// gauge is the age of the oldest of some things.
type gauge struct {
	name string
	age  time.Duration
}

// count writes the lines of the call, if its context has metrics.
func (c *call) count(ctx context.Context, result string, duration time.Duration) {
	m, ok := ctx.Value(metricsKey{}).(Metrics)
	if !ok || c.idle {
		return
	}
	dimensions := [][]string{{"operation", "outcome"}}
	if result == outcomeOperator {
		dimensions = append(dimensions, []string{"outcome"})
	}
	m.write(map[string]any{
		"operation": c.operation, "outcome": result,
		"Calls": 1, "Latency": inMilliseconds(duration),
	}, directive{m.Namespace, dimensions, metricNames{{Name: "Calls"}}},
		directive{m.Namespace, [][]string{{"operation"}}, metricNames{{"Latency", "Milliseconds"}}})
	if len(c.gauges) == 0 {
		return
	}
	values, names := map[string]any{}, metricNames{}
	for _, g := range c.gauges {
		values[g.name] = math.Round(g.age.Seconds())
		names = append(names, metricNames{{g.name, "Seconds"}}...)
	}
	m.write(values, directive{m.Namespace, [][]string{{}}, names})
}

func (m Metrics) write(values map[string]any, directives ...directive) {
	values["_aws"] = metadata{time.Now().UnixMilli(), directives}
	if line, err := json.Marshal(values); err == nil {
		_, _ = m.Out.Write(append(line, '\n'))
	}
}
