package repotest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// namespace is that of the metrics of a deployment.
const namespace = `{"Fn::Sub":"DiditSessions/${AWS::StackName}"}`

// alarms are what package watch does not see of the alarms, because it plays one period: how long
// that is, in how many of how many it must be so, and what it means that there is no value.
var alarms = map[string]struct{ period, periods, atLeast, missing, because string }{
	"FunctionErrors":  {"300", "1", "", "notBreaching", "one crash is looked at"},
	"OperatorMustAct": {"300", "1", "", "notBreaching", "it goes on until an operator acts"},
	"ServerErrors":    {"300", "1", "", "notBreaching", "it takes five failures"},
	"Slow":            {"300", "3", "2", "notBreaching", "one slow call among few is no alarm"},
	"Throttled":       {"300", "1", "", "notBreaching", "Didit never sends such a webhook again"},
	"WebhooksFailing": {"300", "1", "", "notBreaching", "Didit gives up after three attempts in five minutes"},
	"NothingArrives":  {"10800", "1", "", "notBreaching", "end users take their time"},
	"ReconcileSilent": {"300", "4", "", "breaching", "20 minutes, of which each has a run"},
	"TooOld":          {"900", "1", "", "notBreaching", "nothing is written while nothing is due"},
	"DeadLetters":     {"300", "1", "", "notBreaching", "a message waits for the operator"},
}

// Ensure that each alarm looks long enough and no longer, says where to read on, and reports both
// that it rings and that it is over.
func TestTemplateAlarms(t *testing.T) {
	t.Parallel()
	tm := parseTemplate(t)
	ids := tm.ofKind("AWS::CloudWatch::Alarm")
	for i, id := range ids {
		ids[i] = strings.TrimSuffix(id, "Alarm")
	}
	same(t, "alarms", ids, slices.Sorted(maps.Keys(alarms)))
	const actions = `{"Fn::If":["CreateTopic",[{"Ref":"AlarmTopic"}],{"Fn::If":["ExistingTopic",[{"Ref":"AlarmTopicArn"}],[]]}]}`
	for name, want := range alarms {
		properties, _ := at(tm.resources, name+"Alarm|Properties").(object)
		periods := []any{properties["Period"]}
		if properties["Period"] == nil {
			periods = nil
		}
		for _, m := range many(properties["Metrics"]) {
			if p := at(m, "MetricStat|Period"); p != nil {
				periods = append(periods, p)
			}
		}
		for _, p := range periods {
			if p != want.period {
				t.Errorf("%s: a period is %v s, want %s: %s", name, p, want.period, want.because)
			}
		}
		atLeast, _ := properties["DatapointsToAlarm"].(string)
		if len(periods) == 0 || properties["EvaluationPeriods"] != want.periods || atLeast != want.atLeast || properties["TreatMissingData"] != want.missing {
			t.Errorf("%s: looks at %v periods, %q of them, missing ones %v, want %+v", name, properties["EvaluationPeriods"], atLeast, properties["TreatMissingData"], want)
		}
		if properties["ComparisonOperator"] != "GreaterThanThreshold" {
			t.Errorf("%s: compares by %v, want GreaterThanThreshold, as package watch does", name, properties["ComparisonOperator"])
		}
		for _, key := range []string{"AlarmActions", "OKActions"} {
			if got := canonical(properties[key]); got != actions {
				t.Errorf("%s: %s are %s, want %s", name, key, got, actions)
			}
		}
		if text, _ := properties["AlarmDescription"].(string); !strings.HasSuffix(text, " See functions/README.md, "+name+".") {
			t.Errorf("%s: %q does not lead to its paragraph", name, text)
		}
		if !strings.Contains(section(t, read(t, reference), "### Alarms", "\n### "), "\n#### "+name+"\n") {
			t.Errorf("%s has no paragraph of the alarm %s", reference, name)
		}
	}
}

// Ensure that every function is watched for crashes by the same pattern, and that the filters make
// metrics of this deployment.
func TestTemplateFilters(t *testing.T) {
	t.Parallel()
	tm := parseTemplate(t)
	patterns := map[string]bool{}
	for _, directory := range functions(t) {
		id, _ := tm.function(t, directory)
		name := strings.TrimSuffix(id, "Function")
		filter := tm.resources[name+"Errors"]
		if canonical(at(filter, "Properties|LogGroupName")) != `{"Ref":"`+name+`LogGroup"}` || at(filter, "Properties|MetricTransformations|0|MetricName") != "FunctionErrors" {
			t.Errorf("%s: its crashes ring no alarm", id)
		}
		if canonical(at(filter, "Condition")) != canonical(at(tm.resources, id+"|Condition")) {
			t.Errorf("%s: is watched under another condition than it is deployed", id)
		}
		pattern, _ := at(filter, "Properties|FilterPattern").(string)
		patterns[pattern] = true
	}
	if len(patterns) != 1 {
		t.Errorf("crashes are found by %d patterns, want one: %v", len(patterns), patterns)
	}
	for _, id := range tm.ofKind("AWS::Logs::MetricFilter") {
		m, _ := at(tm.resources, id+"|Properties|MetricTransformations|0").(object)
		if canonical(m["MetricNamespace"]) != namespace || m["MetricValue"] != "1" || m["Unit"] != "Count" || m["DefaultValue"] != nil || m["Dimensions"] != nil {
			t.Errorf("%s: makes %s, want ones in the deployment's namespace, and none, which would cost money, where there is no line", id, canonical(m))
		}
	}
}

// Ensure that dead letters are kept as long as SQS can.
func TestTemplateQueues(t *testing.T) {
	t.Parallel()
	tm := parseTemplate(t)
	for _, id := range tm.ofKind("AWS::SQS::Queue") {
		if got := canonical(at(tm.resources, id+"|Properties")); got != `{"MessageRetentionPeriod":"1209600","SqsManagedSseEnabled":"true"}` {
			t.Errorf("%s is %s, want encrypted messages that stay for 14 days", id, got)
		}
		if !strings.Contains(canonical(at(tm.resources, "DeadLettersAlarm|Properties|Metrics")), `"`+id+`.QueueName"`) {
			t.Errorf("%s has no alarm", id)
		}
	}
	if got, want := tm.ofKind("AWS::SQS::QueuePolicy"), []string{"HandOverQueuePolicy"}; !slices.Equal(got, want) {
		t.Errorf("queues are opened by %q, want %q alone", got, want)
	}
}

// Ensure that the saved queries look at every function's log, and that the dashboard is JSON.
func TestTemplateQueries(t *testing.T) {
	t.Parallel()
	tm := parseTemplate(t)
	for _, id := range []string{"FailuresQuery", "SessionQuery"} {
		groups := canonical(at(tm.resources, id+"|Properties|LogGroupNames"))
		for _, directory := range functions(t) {
			function, _ := tm.function(t, directory)
			if group := `{"Ref":"` + strings.TrimSuffix(function, "Function") + `LogGroup"}`; !strings.Contains(groups, group) {
				t.Errorf("%s does not look at %s", id, group)
			}
		}
	}
	body, _ := at(tm.resources, "Dashboard|Properties|DashboardBody|Fn::Sub").(string)
	var dashboard struct {
		Widgets []struct{ Properties struct{ Title string } }
	}
	if err := json.Unmarshal([]byte(body), &dashboard); err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, w := range dashboard.Widgets {
		titles = append(titles, w.Properties.Title)
	}
	same(t, "widgets", titles, []string{"Traffic and outcomes", "Latency, 99 % (ms)", "Didit's answers", "Webhooks", "Reconcile", "Queues"})
}
