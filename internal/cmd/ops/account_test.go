package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"didit-sessions/internal/aws/table"
	"didit-sessions/internal/awsfake"
)

// account is AWS on the wire, as far as the tool calls it: one handler for all services, for
// AWS_ENDPOINT_URL. It is safe for concurrent use.
type account struct {
	mu        sync.Mutex
	url       string
	refuse    map[string]refusal // by operation
	stacks    map[string]*fakeStack
	secrets   map[string]string // by id; an empty one has no value
	functions map[string]fakeFunction
	limit     int // of concurrent executions
	tables    []string
	rules     []string
	table     http.Handler // answers for DynamoDB; nil: only names
	afterRead func()       // called once, after the first GetItem
	logs      map[string][]string
	calls     []string // operations, in order
}

type refusal struct{ code, message string }

type fakeStack struct {
	status     string
	outputs    map[string]string
	parameters map[string]string
	resources  map[string][2]string // logical id: type and physical id
}

// fakeFunction answers an invocation. A function error is what X-Amz-Function-Error says.
type fakeFunction func(payload []byte) (answer []byte, functionError, log string)

// newAccount serves an empty account until the test ends.
func newAccount(t interface{ Cleanup(func()) }) *account {
	a := &account{
		refuse: map[string]refusal{}, stacks: map[string]*fakeStack{}, secrets: map[string]string{},
		functions: map[string]fakeFunction{}, limit: 1000,
	}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch target := r.Header.Get("X-Amz-Target"); {
	case target != "":
		service, operation, _ := strings.Cut(target, ".")
		if a.table != nil && strings.HasPrefix(service, "DynamoDB") {
			a.dynamoDB(w, r, operation, body)
			return
		}
		a.json(w, operation, body)
	case strings.HasPrefix(r.URL.Path, "/2015-03-31/functions/"):
		a.invoke(w, strings.Split(r.URL.Path, "/")[3], body)
	case strings.HasPrefix(r.URL.Path, "/2016-08-19/account-settings"):
		a.calls = append(a.calls, "GetAccountSettings")
		fmt.Fprintf(w, `{"AccountLimit":{"ConcurrentExecutions":%d,"UnreservedConcurrentExecutions":%d}}`, a.limit, a.limit)
	default:
		a.query(w, string(body))
	}
}

// query answers in the protocol of CloudFormation and STS.
func (a *account) query(w http.ResponseWriter, body string) {
	form := map[string]string{}
	for _, pair := range strings.Split(body, "&") {
		name, value, _ := strings.Cut(pair, "=")
		form[name] = value
	}
	operation := form["Action"]
	a.calls = append(a.calls, operation)
	if r, ok := a.refuse[operation]; ok {
		queryError(w, r)
		return
	}
	stack := a.stacks[form["StackName"]]
	switch {
	case operation == "GetCallerIdentity":
		queryAnswer(w, operation, "<Account>"+awsfake.Account+"</Account><Arn>arn:aws:iam::"+awsfake.Account+":user/operator</Arn>")
	case stack == nil:
		queryError(w, refusal{"ValidationError", "Stack with id " + form["StackName"] + " does not exist"})
	case operation == "DescribeStacks":
		queryAnswer(w, operation, "<Stacks><member>"+stack.xml(form["StackName"])+"</member></Stacks>")
	case operation == "ListStackResources":
		queryAnswer(w, operation, "<StackResourceSummaries>"+stack.resourcesXML()+"</StackResourceSummaries>")
	default:
		queryError(w, refusal{"InvalidAction", operation})
	}
}

func queryAnswer(w http.ResponseWriter, operation, inner string) {
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", operation, inner)
}

func queryError(w http.ResponseWriter, r refusal) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, "<ErrorResponse><Error><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", r.code, escape(r.message))
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}

func (s *fakeStack) xml(name string) string {
	pairs := func(list, key, value string, of map[string]string) string {
		text := "<" + list + ">"
		for _, k := range slices.Sorted(maps.Keys(of)) {
			text += fmt.Sprintf("<member><%[1]s>%[2]s</%[1]s><%[3]s>%[4]s</%[3]s></member>", key, escape(k), value, escape(of[k]))
		}
		return text + "</" + list + ">"
	}
	return "<StackName>" + name + "</StackName><StackStatus>" + s.status + "</StackStatus><CreationTime>2026-11-01T00:00:00Z</CreationTime>" +
		pairs("Outputs", "OutputKey", "OutputValue", s.outputs) + pairs("Parameters", "ParameterKey", "ParameterValue", s.parameters)
}

func (s *fakeStack) resourcesXML() string {
	var text string
	for _, id := range slices.Sorted(maps.Keys(s.resources)) {
		r := s.resources[id]
		text += fmt.Sprintf("<member><LogicalResourceId>%s</LogicalResourceId><ResourceType>%s</ResourceType><PhysicalResourceId>%s</PhysicalResourceId>"+
			"<ResourceStatus>CREATE_COMPLETE</ResourceStatus><LastUpdatedTimestamp>2026-11-01T00:00:00Z</LastUpdatedTimestamp></member>", id, r[0], escape(r[1]))
	}
	return text
}

// json answers in the protocol of Secrets Manager, DynamoDB, KMS and SQS.
func (a *account) json(w http.ResponseWriter, operation string, body []byte) {
	a.calls = append(a.calls, operation)
	var in struct{ SecretId, SecretString string }
	_ = json.Unmarshal(body, &in)
	value, found := a.secrets[in.SecretId]
	refused, isRefused := a.refuse[operation]
	var out any
	switch {
	case isRefused:
		jsonError(w, refused)
		return
	case operation == "FilterLogEvents":
		var in struct{ LogGroupName, FilterPattern string }
		_ = json.Unmarshal(body, &in)
		events := []map[string]any{}
		for _, line := range a.logs[in.LogGroupName] {
			events = append(events, map[string]any{"message": line, "timestamp": 0})
		}
		out = map[string]any{"events": events}
	case operation == "ListRules":
		rules := []map[string]string{}
		for _, name := range a.rules {
			rules = append(rules, map[string]string{"Name": name})
		}
		out = map[string]any{"Rules": rules}
	case operation == "DescribeTable":
		var in struct{ TableName string }
		_ = json.Unmarshal(body, &in)
		if !slices.Contains(a.tables, in.TableName) {
			jsonError(w, refusal{"ResourceNotFoundException", "Requested resource not found"})
			return
		}
		out = map[string]any{"Table": describedTable(in.TableName)}
	case operation == "DescribeKey":
		var in struct{ KeyId string }
		_ = json.Unmarshal(body, &in)
		manager := "AWS"
		if strings.HasSuffix(in.KeyId, "/own") {
			manager = "CUSTOMER"
		}
		out = map[string]any{"KeyMetadata": map[string]any{"KeyId": in.KeyId, "KeyManager": manager}}
	case operation == "ListTables":
		out = map[string]any{"TableNames": a.tables}
	case !found:
		jsonError(w, refusal{"ResourceNotFoundException", "Secrets Manager can't find the specified secret."})
		return
	case operation == "GetSecretValue" && value == "":
		jsonError(w, refusal{"ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"})
		return
	case operation == "GetSecretValue":
		out = map[string]any{"ARN": in.SecretId, "SecretString": value}
	case operation == "PutSecretValue":
		a.secrets[in.SecretId] = in.SecretString
		out = map[string]any{"ARN": in.SecretId}
	default:
		jsonError(w, refusal{"UnknownOperationException", operation})
		return
	}
	text, _ := json.Marshal(out)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amz-Crc32", fmt.Sprint(crc32.ChecksumIEEE(text))) // DynamoDB's
	_, _ = w.Write(text)
}

// describedTable is a table of the stack, with the differences that its name holds: old, narrow,
// wide, own-key, no-key.
func describedTable(name string) map[string]any {
	schema := table.Schema(name)
	key := "aws-managed"
	switch owner := &schema.GlobalSecondaryIndexes[0]; {
	case strings.Contains(name, "old"):
		schema.GlobalSecondaryIndexes = schema.GlobalSecondaryIndexes[:1]
	case strings.Contains(name, "narrow"):
		owner.Projection.NonKeyAttributes = []string{"workflow_id", "status"}
	case strings.Contains(name, "wide"):
		owner.Projection = &types.Projection{ProjectionType: types.ProjectionTypeAll}
	case strings.Contains(name, "own-key"):
		key = "own"
	}
	described := map[string]any{"KeySchema": schema.KeySchema, "GlobalSecondaryIndexes": schema.GlobalSecondaryIndexes}
	if !strings.Contains(name, "no-key") {
		arn := "arn:aws:kms:eu-west-1:" + awsfake.Account + ":key/" + key
		described["SSEDescription"] = map[string]any{"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn}
	}
	return described
}

// dynamoDB passes a request on to the table.
func (a *account) dynamoDB(w http.ResponseWriter, r *http.Request, operation string, body []byte) {
	a.calls = append(a.calls, operation)
	after := a.afterRead
	if operation == "GetItem" {
		a.afterRead = nil
	}
	a.mu.Unlock()
	defer a.mu.Lock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	a.table.ServeHTTP(w, r)
	if operation == "GetItem" && after != nil {
		after()
	}
}

func jsonError(w http.ResponseWriter, r refusal) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": r.code, "message": r.message})
}

func (a *account) invoke(w http.ResponseWriter, name string, payload []byte) {
	a.calls = append(a.calls, "Invoke "+name)
	call, ok := a.functions[name]
	if !ok {
		w.Header().Set("X-Amzn-ErrorType", "ResourceNotFoundException")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, `{"Type":"User","Message":"Function not found: %s"}`, name)
		return
	}
	a.mu.Unlock() // a function may take long, and may call the account
	answer, functionError, log := call(payload)
	a.mu.Lock()
	if functionError != "" {
		w.Header().Set("X-Amz-Function-Error", functionError)
	}
	w.Header().Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString([]byte(log)))
	_, _ = w.Write(answer)
}

// environment returns the variables by which the tool finds the account.
func (a *account) environment() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL": a.url, "AWS_REGION": awsfake.Region, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY": secretMarker + "-aws-key", "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true",
	}
}

// secretMarker is in every secret of the tests: no output may hold it.
const secretMarker = "not-to-be-seen"
