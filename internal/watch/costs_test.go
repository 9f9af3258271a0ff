package watch

import (
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
)

// polls is how often an app asks for the status of a session.
const polls = 20

// units are what AWS counts.
type units struct {
	calls         map[string]float64 // invocations, by function
	logs          float64            // bytes
	http, events  float64
	writes, reads float64 // units of the table
}

func (w *world) units() units {
	u := units{calls: map[string]float64{}}
	for name, runs := range w.runs {
		u.calls[name] = float64(len(runs))
	}
	for _, p := range w.started {
		u.logs += float64(len(p.Logs()))
	}
	u.events = float64(len(w.Bus.Events()))
	// A write of a record costs one unit, one for the index owner, which has the status, and two for
	// the index due, out of which it is taken and into which it is put. The claim of a read and the
	// count of it touch no index.
	plain := 2 * w.Didit.Count(didittest.OpDecision)
	u.writes = 4*float64(w.Table.Calls("UpdateItem")-w.own-plain) + float64(plain) + float64(w.Table.Calls("PutItem")+w.Table.Calls("DeleteItem"))
	// A query of an index costs half a unit if it finds little, as does an eventually consistent read
	// of a record; a strongly consistent one costs one.
	u.reads = 0.5 * float64(w.Table.Calls("GetItem")+w.Table.ConsistentReads()+w.Table.Calls("Query")+w.Table.Calls("BatchGetItem"))
	return u
}

func (u units) minus(v units) units {
	calls := maps.Clone(u.calls)
	for name, n := range v.calls {
		calls[name] -= n
	}
	return units{calls: calls, logs: u.logs - v.logs, http: u.http - v.http, events: u.events - v.events, writes: u.writes - v.writes, reads: u.reads - v.reads}
}

// session takes a session through a life of a few minutes: an app creates it and asks for its
// status, and Didit delivers three changes. Two of the questions find the record a minute old, and
// are passed on to Didit.
func (w *world) session(t *testing.T) {
	t.Helper()
	id := w.created(t)
	get := recorded(t, "getsession-http-one", "99999999-2222-3333-4444-555555555555", id)
	for i, status := range []string{"In Progress", "In Review", "Approved"} {
		w.ago = -time.Duration(i) * time.Minute // each change is later than the read before it
		w.deliver(t, id, status)
		r, _, err := w.Store.Record(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if i < 2 {
			r.CheckedAt = time.Now().Add(-2 * time.Minute)
			if written, err := w.Store.Replace(t.Context(), r); !written || err != nil {
				t.Fatal(written, err)
			}
			if _, _, err := w.Store.Claim(t.Context(), id, time.Now().Add(-2*time.Minute), -time.Hour); err != nil {
				t.Fatal(err)
			}
			w.own += 2
		}
		w.call(t, "getsession", get)
	}
	before := w.Table.ConsistentReads()
	for range polls - 3 {
		w.call(t, "getsession", get)
	}
	if n := w.Table.ConsistentReads() - before; n != 0 {
		t.Errorf("%d strongly consistent reads for an app that asks about a session that has ended, want none", n)
	}
	w.call(t, "getsession", recorded(t, "getsession-http-list"))
}

// measure returns the units of one session's life, and those of a run of reconcile in which nothing
// is due, both on warm functions; and the number of series that they write.
func measure(t *testing.T) (life, run units, series int) {
	t.Helper()
	w := newWorld(t, map[string]string{"REVERIFY": "yes"})
	w.session(t)
	reconciling(t, w)
	before := w.units()
	w.session(t)
	life = w.units().minus(before)
	life.http = 1 + 3 + polls + 1
	before = w.units()
	reconciling(t, w)
	run = w.units().minus(before)
	cw := w.watched(t)
	for name := range cw.values {
		if strings.HasPrefix(name, "DiditSessions/") {
			series++
		}
	}
	return life, run, series
}

// costs returns the bill of a month with that many sessions, by service.
func costs(life, run units, series, alarmed int, sessions float64) map[string]float64 {
	bill := map[string]float64{
		"Secrets Manager":    2 * pricePerSecret,
		"CloudWatch, alarms": float64(alarmed) * pricePerAlarmed,
	}
	add := func(u units, times float64) {
		for name, n := range u.calls {
			calls := n * times
			bill["Lambda"] += calls*pricePerRequest + calls*(seconds[name]+coldShare*coldSeconds)*0.25*pricePerGBSecond
			bill["Secrets Manager"] += calls * coldShare * pricePerSecretRead
		}
		bill["API Gateway"] += u.http * times * pricePerHTTPCall
		bill["DynamoDB"] += times * (u.writes*pricePerWriteUnit + u.reads*pricePerReadUnit)
		bill["EventBridge"] += u.events * times * pricePerEvent
		bill["CloudWatch, logs"] += (u.logs + u.http*accessLine) * times / 1e9 * pricePerLogGB
	}
	add(life, sessions)
	add(run, runsAMonth)
	bill["DynamoDB"] += sessions * keptMonths * rowGB * pricePerTableGB
	if sessions > 0 {
		// Besides those of a healthy life: callers' mistakes and Didit's failures, by operation.
		bill["CloudWatch, metrics"] = float64(series+6) * pricePerSeries
	}
	return bill
}

// volumes are the sessions a month of the table's columns.
var volumes = []float64{0, 1e3, 1e5, 1e7}

// Ensure that the table of costs in functions/README.md is within a tenth of what the built
// functions cause, and that the bounds hold: 2.50 USD while idle, and 20 USD at 100,000 sessions a
// month.
func TestCosts(t *testing.T) {
	t.Parallel()
	life, run, series := measure(t)
	alarmed := 0
	for _, a := range newCloudWatch(t).alarms {
		alarmed += max(1, len(a.Metrics)-1)
	}
	documented := documentedCosts(t)
	var table strings.Builder
	wrong := false
	sums := make([]float64, len(volumes))
	services := slices.Sorted(maps.Keys(costs(life, run, series, alarmed, 1)))
	for _, service := range append(services, "together") {
		fmt.Fprintf(&table, "| %s |", service)
		for i, sessions := range volumes {
			got := costs(life, run, series, alarmed, sessions)[service]
			if service == "together" {
				got = sums[i]
			}
			sums[i] += got
			text := strconv.FormatFloat(got, 'f', 2, 64)
			fmt.Fprintf(&table, " %s |", text)
			if want, ok := documented[service]; !ok || math.Abs(want[i]-got) > 0.1*got+0.02 {
				wrong = true
			}
		}
		table.WriteString("\n")
	}
	if wrong {
		t.Errorf("the table in functions/README.md is not what is measured, which is\n%s\nof a session's life: %+v; of a run of reconcile: %+v", &table, life, run)
	}
	idle := costs(life, run, series, alarmed, 0)
	if total := sum(idle); total > 2.50 {
		t.Errorf("idle costs %.2f USD a month, want 2.50 at most: %v", total, idle)
	}
	busy := costs(life, run, series, alarmed, 1e5)
	if total := sum(busy); total > 20 {
		t.Errorf("100,000 sessions cost %.2f USD a month, want 20 at most: %v", total, busy)
	}
}

func sum(bill map[string]float64) (total float64) {
	for _, cost := range bill {
		total += cost
	}
	return total
}

// documentedCosts returns the rows of the table, by service.
func documentedCosts(t *testing.T) map[string][]float64 {
	t.Helper()
	text, err := os.ReadFile("../../functions/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(text), "\n### Costs\n")
	part, _, _ = strings.Cut(part, "\n##")
	rows := map[string][]float64{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+) \|((?: [0-9.,]+ \|){4})$`).FindAllStringSubmatch(part, -1) {
		for _, cell := range strings.Split(strings.Trim(row[2], "| "), " | ") {
			value, err := strconv.ParseFloat(strings.ReplaceAll(cell, ",", ""), 64)
			if err != nil {
				t.Fatal(row[0], err)
			}
			rows[row[1]] = append(rows[row[1]], value)
		}
	}
	return rows
}
