//go:build system

package systemtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

var (
	cloudwatch = service{"monitoring", "GraniteServiceVersion20100801", "1.0"}
	logs       = service{"logs", "Logs_20140328", "1.1"}
)

// secretARN is the ARN of a secret of the story, as moto's account has it.
func (o *operator) secretARN(name string) string { return o.queues["secret "+name] }

// stored returns the text of a secret; "" if it has no value.
func (o *operator) stored(t *testing.T, name string) string {
	t.Helper()
	var got struct{ SecretString string }
	err := o.aws.call(o.ctx, secretsmanager, "GetSecretValue", map[string]string{"SecretId": o.secretARN(name)}, &got)
	if err != nil && !strings.Contains(err.Error(), "ResourceNotFoundException") {
		t.Fatal(err)
	}
	return got.SecretString
}

// makeStack makes the secrets, the bus and, by CloudFormation, the rest of what the tool and the
// functions look for. moto's CloudFormation has no secrets, and what it makes of the bus is not
// what the pump needs.
func (o *operator) makeStack(t *testing.T) {
	for _, name := range []string{"didit", "webhook"} {
		var made struct{ ARN string }
		o.call(t, secretsmanager, "CreateSecret", map[string]string{"Name": name}, &made)
		o.queues["secret "+name] = made.ARN
	}
	o.makeBus(t)
	o.table = "sessions"
	var definition map[string]any
	id := o.only(t, "AWS::DynamoDB::Table", &definition)
	table := map[string]any{"TableName": o.table}
	for _, name := range []string{"BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"} {
		table[name] = definition[name]
	}
	object := func(kind string, properties map[string]any) map[string]any {
		return map[string]any{"Type": kind, "Properties": properties}
	}
	resources := map[string]any{
		id: object("AWS::DynamoDB::Table", table), "HandOverQueue": object("AWS::SQS::Queue", map[string]any{}), "FailedEventsQueue": object("AWS::SQS::Queue", map[string]any{}),
		"Role": object("AWS::IAM::Role", map[string]any{"AssumeRolePolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{
			map[string]any{"Effect": "Allow", "Principal": map[string]any{"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}}}}),
	}
	for function := range operatorFunctions {
		resources[function] = object("AWS::Lambda::Function", map[string]any{
			"FunctionName": function, "Handler": "bootstrap", "Runtime": "provided.al2023", "Code": map[string]any{"ZipFile": "runs elsewhere"},
			"Role": map[string]any{"Fn::GetAtt": []string{"Role", "Arn"}},
		})
		group := strings.TrimSuffix(function, "Function") + "LogGroup"
		resources[group] = object("AWS::Logs::LogGroup", map[string]any{"LogGroupName": group})
	}
	outputs := map[string]any{}
	for name, value := range map[string]string{
		"WebhookUrl": o.webhook, "SecretArn": o.secretARN("didit"), "WebhookSecretArn": o.secretARN("webhook"),
		"CreateSessionFunctionArn": "arn:aws:lambda:" + region + ":" + account + ":function:CreateSessionFunction:live",
	} {
		outputs[name] = map[string]string{"Value": value}
	}
	parameters := map[string]string{"DiditApiUrl": o.diditURL(), "WorkflowIds": workflow, "CallerAuth": "iam"}
	declared := map[string]any{}
	for name := range parameters {
		declared[name] = map[string]string{"Type": "String"}
	}
	o.createStack(t, map[string]any{"Parameters": declared, "Resources": resources, "Outputs": outputs}, parameters)
}

// createStack makes a stack by the query protocol, which CloudFormation alone still needs.
func (o *operator) createStack(t *testing.T, template map[string]any, parameters map[string]string) {
	t.Helper()
	text, err := json.Marshal(template)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"Action": {"CreateStack"}, "Version": {"2010-05-15"}, "StackName": {stackName}, "TemplateBody": {string(text)}}
	n := 0
	for name, value := range parameters {
		n++
		form.Set(fmt.Sprintf("Parameters.member.%d.ParameterKey", n), name)
		form.Set(fmt.Sprintf("Parameters.member.%d.ParameterValue", n), value)
	}
	r, err := http.NewRequestWithContext(o.ctx, http.MethodPost, o.aws.url+"/", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+accessKey+"/20260101/"+region+"/cloudformation/aws4_request, SignedHeaders=host, Signature=0")
	if answer, err := exchange(http.DefaultClient, r); err != nil || answer.status != http.StatusOK {
		t.Fatalf("CreateStack: %v, status %d: %s", err, answer.status, answer.body)
	}
}

// lambda answers Lambda's API with the functions that run here, and CloudWatch's newest protocol,
// which moto does not speak, by translation. moto answers the rest.
func (o *operator) lambda(moto http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/2015-03-31/functions/"):
			o.invoke(w, r)
		case strings.HasPrefix(r.URL.Path, "/2016-08-19/account-settings"):
			_, _ = io.WriteString(w, `{"AccountLimit":{"ConcurrentExecutions":1000,"UnreservedConcurrentExecutions":1000}}`)
		case strings.HasPrefix(r.URL.Path, "/service/"+cloudwatch.target+"/operation/"):
			o.translate(w, r)
		default:
			moto.ServeHTTP(w, r)
		}
	})
}

// invoke runs a function that is named by its name or the ARN of its alias.
func (o *operator) invoke(w http.ResponseWriter, r *http.Request) {
	name, err := url.PathUnescape(strings.Split(r.URL.EscapedPath(), "/")[3])
	if _, after, isARN := strings.Cut(name, ":function:"); isARN {
		name = after
	}
	name, _, _ = strings.Cut(name, ":")
	f := o.functions[name]
	payload, readErr := io.ReadAll(r.Body)
	if err != nil || readErr != nil || f == nil {
		http.Error(w, `{"Message":"Function not found: `+name+`"}`, http.StatusNotFound)
		return
	}
	result, err := f.Invoke(r.Context(), payload)
	if err != nil {
		http.Error(w, `{"Message":"the function did not answer"}`, http.StatusInternalServerError)
		return
	}
	if result.Failed() {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
	}
	w.Header().Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString([]byte(lastLines(string(f.Logs()), 5))))
	_, _ = w.Write(result.Payload)
}

// gateway hands deliveries to the webhook as API Gateway does.
func (o *operator) gateway(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/webhooks/didit" {
		http.NotFound(w, r)
		return
	}
	header := map[string]string{}
	for name := range r.Header {
		header[strings.ToLower(name)] = r.Header.Get(name)
	}
	const route = "POST /webhooks/didit"
	payload, _ := json.Marshal(map[string]any{
		"version": "2.0", "routeKey": route, "rawPath": r.URL.Path, "rawQueryString": "", "headers": header, "body": string(body), "isBase64Encoded": false,
		"requestContext": map[string]any{
			"routeKey": route, "stage": "$default", "requestId": "request", "apiId": "api", "accountId": account,
			"http": map[string]string{"method": r.Method, "path": r.URL.Path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": r.UserAgent()},
		},
	})
	result, err := o.functions["WebhookFunction"].Invoke(r.Context(), payload)
	if err != nil {
		http.Error(w, "{}", http.StatusInternalServerError)
		return
	}
	answer, err := result.HTTP()
	if err != nil {
		http.Error(w, "{}", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body)
}

// translate passes an operation of CloudWatch on to moto in JSON and answers in CBOR (Smithy RPC
// v2).
func (o *operator) translate(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var in cbor.Value
	if err == nil {
		in, err = cbor.Decode(body)
	}
	var out any
	if err == nil {
		operation := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		err = o.aws.call(r.Context(), cloudwatch, operation, fromCBOR(in), &out)
	}
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	w.Header().Set("Content-Type", "application/cbor")
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		out = map[string]any{"__type": "InternalFailure", "message": err.Error()}
	}
	_, _ = w.Write(cbor.Encode(toCBOR(out)))
}

func fromCBOR(v cbor.Value) any {
	switch v := v.(type) {
	case cbor.Map:
		object := map[string]any{}
		for name, member := range v {
			object[name] = fromCBOR(member)
		}
		return object
	case cbor.List:
		list := []any{}
		for _, item := range v {
			list = append(list, fromCBOR(item))
		}
		return list
	case *cbor.Tag: // a time
		return fromCBOR(v.Value)
	case cbor.String:
		return string(v)
	case cbor.Uint:
		return uint64(v)
	case cbor.Float64:
		return float64(v)
	case cbor.Bool:
		return bool(v)
	}
	return nil
}

func toCBOR(v any) cbor.Value {
	switch v := v.(type) {
	case map[string]any:
		object := cbor.Map{}
		for name, member := range v {
			if name == "Timestamps" {
				continue // the tool does not read them
			}
			object[name] = toCBOR(member)
		}
		return object
	case []any:
		list := cbor.List{}
		for _, item := range v {
			list = append(list, toCBOR(item))
		}
		return list
	case string:
		return cbor.String(v)
	case float64:
		return cbor.Float64(v)
	}
	return &cbor.Nil{}
}

// putReconcileMetrics counts runs of reconcile, as Lambda does.
func (o *operator) putReconcileMetrics(t *testing.T) {
	t.Helper()
	datum := func(name string, value float64) map[string]any {
		// CloudWatch leaves out what is not older than the end of the time that is asked for.
		return map[string]any{"MetricName": name, "Value": value, "Timestamp": time.Now().Add(-5 * time.Minute).Unix(), "Dimensions": []any{map[string]string{"Name": "FunctionName", "Value": "ReconcileFunction"}}}
	}
	o.call(t, cloudwatch, "PutMetricData", map[string]any{"Namespace": "AWS/Lambda", "MetricData": []any{datum("Invocations", 3), datum("Errors", 1)}}, nil)
}

// statusOf returns the status that the table has for a session; "" if it has none.
func (o *operator) statusOf(t *testing.T, id string) string {
	t.Helper()
	var got struct {
		Item map[string]struct{ S string }
	}
	o.call(t, dynamodb, "GetItem", map[string]any{
		"TableName": o.table, "ConsistentRead": true, "Key": map[string]any{"pk": map[string]string{"S": id}, "sk": map[string]string{"S": "S"}},
	}, &got)
	return got.Item["status"].S
}

func (o *operator) eventuallyStatus(t *testing.T, id, status string) {
	t.Helper()
	o.eventually(t, func(context.Context) error {
		if got := o.statusOf(t, id); got != status {
			return mismatch("status in the table", got, status)
		}
		return nil
	})
}

// logFeed puts what a function logs into its log group, a stream for all of it.
type logFeed struct {
	*operator
	function string
}

func (f *logFeed) Write(text []byte) (int, error) {
	group := strings.TrimSuffix(f.function, "Function") + "LogGroup"
	stream := map[string]any{"logGroupName": group, "logStreamName": "all"}
	_ = f.aws.call(f.ctx, logs, "CreateLogStream", stream, nil) // it may be there
	var events []any
	for line := range bytes.Lines(text) {
		events = append(events, map[string]any{"timestamp": time.Now().UnixMilli(), "message": string(bytes.TrimSpace(line))})
	}
	stream["logEvents"] = events
	_ = f.aws.call(f.ctx, logs, "PutLogEvents", stream, nil) // what is missing shows in the story
	return len(text), nil
}
