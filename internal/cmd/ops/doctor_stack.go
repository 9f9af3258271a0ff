package main

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"didit-sessions/internal/version"
)

// Bounds from which on doctor speaks up. They are those of the alarms.
const (
	maxOverdue      = time.Hour
	maxTaskAge      = 27 * 24 * time.Hour // of the 30 days that a workflow waits
	reconcileWindow = 20 * time.Minute
	// minConcurrency is what an account needs in order to reserve the least for the functions, 5 for
	// each of 3.
	minConcurrency = keptUnreserved + 3*5
)

var deployedVersion = regexp.MustCompile(`\(didit-sessions ([0-9.]+)\)`)

// lookAtStack looks at the state of the stack, and whether this folder is what is deployed.
func (e *examination) lookAtStack(context.Context) finding {
	status := string(e.stack.stack.StackStatus)
	fix := "make deploy ENV=" + e.env
	switch {
	case strings.HasSuffix(status, "_IN_PROGRESS"):
		return warn("wait until it has ended, and look again", "%s is being changed: %s", e.stack.name, status)
	case strings.HasSuffix(status, "_FAILED"), status == "ROLLBACK_COMPLETE":
		return fail(fix, "%s: %s", e.stack.name, status)
	case strings.Contains(status, "ROLLBACK"):
		return warn(fix, "%s: %s: the last deployment failed, and the one before runs", e.stack.name, status)
	}
	deployed := deployedVersion.FindStringSubmatch(aws.ToString(e.stack.stack.Description))
	if deployed != nil && deployed[1] != version.Version {
		return warn(fix, "%s: %s, version %s; this folder has %s", e.stack.name, status, deployed[1], version.Version)
	}
	return ok("%s: %s, version %s", e.stack.name, status, version.Version)
}

// resources are the stack's, read once.
func (e *examination) resources(ctx context.Context) (map[string]cftypes.StackResourceSummary, error) {
	if e.found == nil {
		found, err := e.stack.resources(ctx)
		if err != nil {
			return nil, err
		}
		e.found = found
	}
	return e.found, nil
}

// lookAtFunctions invokes every function's alias with a probe, which it answers before it does
// anything.
func (e *examination) lookAtFunctions(ctx context.Context) []finding {
	starts, err := e.stack.probeAll(ctx)
	if err != nil {
		return []finding{wrong("", err)}
	}
	var found []finding
	started := 0
	for _, s := range starts {
		if s.err == nil {
			started++
			continue
		}
		found = append(found, fail("make deploy ENV="+e.env, "%s: %v", s.function, s.err))
	}
	if started > 0 {
		found = append(found, ok("%s", count(started, "function")+" start"))
	}
	return found
}

// lookAtQueues looks for events that did not reach the table.
func (e *examination) lookAtQueues(ctx context.Context) []finding {
	resources, err := e.resources(ctx)
	if err != nil {
		return []finding{wrong("", err)}
	}
	client := sqs.NewFromConfig(e.stack.sdk)
	var found []finding
	for _, id := range []string{"HandOverQueue", "FailedEventsQueue"} {
		const waiting = sqstypes.QueueAttributeNameApproximateNumberOfMessages
		out, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: resources[id].PhysicalResourceId, AttributeNames: []sqstypes.QueueAttributeName{waiting},
		})
		if err != nil {
			found = append(found, wrong("", explain("The queue "+id+" cannot be read", err)))
			continue
		}
		if n, _ := strconv.Atoi(out.Attributes[string(waiting)]); n > 0 {
			found = append(found, fail("see functions/README.md, DeadLetters", "%s in %s: events that did not reach the table", count(n, "message"), id))
		}
	}
	if len(found) == 0 {
		found = append(found, ok("empty"))
	}
	return found
}

// lookAtConcurrency looks how many functions the account may run at a time, and whether webhooks
// can take all of them.
func (e *examination) lookAtConcurrency(ctx context.Context) finding {
	const unbounded = "only the route's limit of 500 a second bounds webhooks"
	limits, err := e.stack.limits(ctx)
	reserved := e.stack.parameter("ReservedConcurrency")
	switch {
	case err != nil:
		return wrong("", err)
	case limits.ConcurrentExecutions < minConcurrency:
		return warn("ask for more in the console of Service Quotas, Lambda, Concurrent executions",
			"the account may run %d functions at a time, and can reserve none: %s", limits.ConcurrentExecutions, unbounded)
	case reserved == "" || reserved == "0":
		return ok("%s functions at a time, and none reserved: %s", thousands(limits.ConcurrentExecutions), unbounded)
	}
	return ok("%s functions at a time", thousands(limits.ConcurrentExecutions))
}

// lookAtAlarms looks whether alarms reach a person.
func (e *examination) lookAtAlarms(ctx context.Context) finding {
	topic, address := e.stack.parameter("AlarmTopicArn"), e.stack.parameter("AlarmEmail")
	if topic == "" && address == "" {
		return warn("set AlarmEmail: make deploy ENV="+e.env, "alarms are visible in CloudWatch only")
	}
	if topic == "" {
		resources, err := e.resources(ctx)
		if err != nil {
			return wrong("", err)
		}
		topic = aws.ToString(resources["AlarmTopic"].PhysicalResourceId)
	}
	out, err := sns.NewFromConfig(e.stack.sdk).ListSubscriptionsByTopic(ctx, &sns.ListSubscriptionsByTopicInput{TopicArn: &topic})
	if err != nil {
		return wrong("", explain("The alarms' topic cannot be read", err))
	}
	confirmed := 0
	for _, s := range out.Subscriptions {
		if strings.HasPrefix(aws.ToString(s.SubscriptionArn), "arn:") {
			confirmed++
		}
	}
	if confirmed == 0 {
		return warn("open the link in the mail that AWS sent to it", "no subscription of the alarms' topic is confirmed: alarms reach no address")
	}
	return ok("%s of the alarms' topic", count(confirmed, "confirmed subscription"))
}

// lookAtGauges looks at what reconcile measures, and whether it runs.
func (e *examination) lookAtGauges(ctx context.Context) []finding {
	resources, err := e.resources(ctx)
	if err != nil {
		return []finding{wrong("", err)}
	}
	values, err := e.metrics(ctx, aws.ToString(resources["ReconcileFunction"].PhysicalResourceId))
	if err != nil {
		return []finding{wrong("", explain("Metrics cannot be read", err))}
	}
	var found []finding
	overdue, task := seconds(values["overdue"]), seconds(values["task"])
	switch {
	case overdue > maxOverdue:
		found = append(found, fail("see functions/README.md, TooOld", "a session is overdue for %s", short(overdue)))
	case task > maxTaskAge:
		found = append(found, warn("see functions/README.md, TooOld", "a task has waited for %.0f days of its 30", task.Hours()/24))
	default:
		found = append(found, ok("none is overdue for an hour, no task waits near its end"))
	}
	if runs, errs := sum(values["runs"]), sum(values["errors"]); runs == 0 {
		found = append(found, fail("see functions/README.md, ReconcileSilent", "reconcile has not run for %s", short(reconcileWindow)))
	} else if errs >= runs {
		found = append(found, fail("see functions/README.md, ReconcileSilent", "reconcile has failed %.0f times in %s, and never succeeded", errs, short(reconcileWindow)))
	} else {
		found = append(found, ok("reconcile has succeeded %.0f times in %s", runs-errs, short(reconcileWindow)))
	}
	return found
}

func seconds(values []float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	return time.Duration(slices.Max(values) * float64(time.Second))
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}

// metrics returns the values of the last 20 minutes of the gauges, and of reconcile's runs.
func (e *examination) metrics(ctx context.Context, reconcile string) (map[string][]float64, error) {
	query := func(id, namespace, name, stat string, dimensions ...cwtypes.Dimension) cwtypes.MetricDataQuery {
		return cwtypes.MetricDataQuery{Id: &id, MetricStat: &cwtypes.MetricStat{
			Metric: &cwtypes.Metric{Namespace: &namespace, MetricName: &name, Dimensions: dimensions}, Period: aws.Int32(60), Stat: &stat,
		}}
	}
	own := "DiditSessions/" + e.stack.name
	function := cwtypes.Dimension{Name: aws.String("FunctionName"), Value: &reconcile}
	now := e.now()
	out, err := cloudwatch.NewFromConfig(e.stack.sdk).GetMetricData(ctx, &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(now.Add(-reconcileWindow)), EndTime: &now,
		MetricDataQueries: []cwtypes.MetricDataQuery{
			query("overdue", own, "OldestOverdue", "Maximum"), query("task", own, "OldestTask", "Maximum"),
			query("runs", "AWS/Lambda", "Invocations", "Sum", function), query("errors", "AWS/Lambda", "Errors", "Sum", function),
		},
	})
	if err != nil {
		return nil, err
	}
	values := map[string][]float64{}
	for _, r := range out.MetricDataResults {
		values[aws.ToString(r.Id)] = r.Values
	}
	return values, nil
}
