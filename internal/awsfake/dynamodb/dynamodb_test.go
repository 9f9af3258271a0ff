package dynamodb_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"didit-sessions/internal/awsfake"
	fakedynamodb "didit-sessions/internal/awsfake/dynamodb"
)

const marker = "MARKER-item"

// dynamoSchema has an index of each kind of key.
const dynamoSchema = `{"TableName":"TABLE","BillingMode":"PAY_PER_REQUEST",
	"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"S"},{"AttributeName":"color","AttributeType":"S"},{"AttributeName":"place","AttributeType":"N"}],
	"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],
	"GlobalSecondaryIndexes":[{"IndexName":"colors","KeySchema":[{"AttributeName":"color","KeyType":"HASH"},{"AttributeName":"place","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}]}`

const signedDynamo = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20250101/eu-west-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=00"

// dynamoTable is a table at an endpoint, for requests without a client library.
type dynamoTable struct{ url, name string }

func (d dynamoTable) send(t *testing.T, operation, body string) (int, string) {
	t.Helper()
	return d.sendSigned(t, operation, body, signedDynamo)
}

func (d dynamoTable) sendSigned(t *testing.T, operation, body, authorization string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", d.url, strings.NewReader(strings.ReplaceAll(body, "TABLE", d.name)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	req.Header.Set("X-Amz-Date", "20250101T000000Z")
	req.Header.Set("Authorization", authorization)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func startDynamo(t *testing.T) (*fakedynamodb.Server, dynamoTable) {
	t.Helper()
	fake := &fakedynamodb.Server{}
	if err := fake.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	if err := fake.CreateTable([]byte(strings.ReplaceAll(dynamoSchema, "TABLE", "colors"))); err != nil {
		t.Fatal(err)
	}
	return fake, dynamoTable{fake.URL(), "colors"}
}

// dynamoSteps are requests in their order, each with a part of its answer or refusal; {} is an
// empty answer. They hold for DynamoDB too; what only the fake refuses is in another test.
var dynamoSteps = []struct{ operation, body, want string }{
	{"GetItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}}}`, `{}`},
	{"PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"sk":{"S":"1"},"n":{"N":"1.50"},"l":{"L":[{"NULL":true},{"M":{"x":{"BOOL":false}}},{"S":""}]}}}`, `{}`},
	{"GetItem", `{"TableName":"TABLE","ConsistentRead":true,"Key":{"pk":{"S":"a"},"sk":{"S":"1"}}}`, `"n":{"N":"1.5"}`},
	{"GetItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}}}`, `"l":{"L":[{"NULL":true},{"M":{"x":{"BOOL":false}}},{"S":""}]}`},

	// Conditions.
	{"PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"sk":{"S":"1"}},"ConditionExpression":"attribute_not_exists(pk)"}`, "ConditionalCheckFailedException"},
	{"DeleteItem", `{"TableName":"TABLE","Key":{"pk":{"S":"b"},"sk":{"S":"1"}},"ConditionExpression":"attribute_exists(pk)"}`, "ConditionalCheckFailedException"},
	{"DeleteItem", `{"TableName":"TABLE","Key":{"pk":{"S":"b"},"sk":{"S":"1"}},"ConditionExpression":"n <> :v","ExpressionAttributeValues":{":v":{"N":"1"}}}`, `{}`},
	{"DeleteItem", `{"TableName":"TABLE","Key":{"pk":{"S":"b"},"sk":{"S":"1"}},"ConditionExpression":"n < :v","ExpressionAttributeValues":{":v":{"N":"1"}}}`, "ConditionalCheckFailedException"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET n = n + :v","ConditionExpression":"n = :one OR n > :one AND attribute_not_exists(gone)","ExpressionAttributeValues":{":one":{"N":"1"},":v":{"N":"1"}}}`, `{}`},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET n = :v","ConditionExpression":"(n = :two or n > :two) and attribute_exists(gone)","ExpressionAttributeValues":{":two":{"N":"2"},":v":{"N":"3"}}}`, "ConditionalCheckFailedException"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET n = :v","ConditionExpression":"n >= :s","ExpressionAttributeValues":{":s":{"S":"2"},":v":{"N":"3"}}}`, "ConditionalCheckFailedException"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET n = :v","ConditionExpression":"n < :b","ExpressionAttributeValues":{":b":{"BOOL":true},":v":{"N":"3"}}}`, "Incorrect operand type"},
	{"DeleteItem", `{"TableName":"TABLE","Key":{"pk":{"S":"b"},"sk":{"S":"1"}},"ConditionExpression":"NOT n >= :v","ExpressionAttributeValues":{":v":{"N":"1"}}}`, `{}`},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET n = n + :zero","ConditionExpression":"NOT n >= :s AND NOT gone = :s","ExpressionAttributeValues":{":s":{"S":"2"},":zero":{"N":"0"}}}`, `{}`},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET n = :v","ConditionExpression":"not (n = :two OR n > :two)","ExpressionAttributeValues":{":two":{"N":"2"},":v":{"N":"3"}}}`, "ConditionalCheckFailedException"},
	{"GetItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}}}`, `"n":{"N":"2.5"}`},

	// Updates.
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET m = if_not_exists(n, :z) + :one, n = if_not_exists(m, :z), k = :one REMOVE l","ExpressionAttributeValues":{":z":{"N":"0"},":one":{"N":"1"}}}`, `{}`},
	{"GetItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}}}`, `"m":{"N":"3.5"}`},
	{"GetItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}}}`, `"n":{"N":"0"}`},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET m = gone"}`, "refers to an attribute that does not exist"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET m = pk + :one","ExpressionAttributeValues":{":one":{"N":"1"}}}`, "incorrect data type"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET m = :one, m = :one","ExpressionAttributeValues":{":one":{"N":"1"}}}`, "Two document paths overlap"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET m = :one SET n = :one","ExpressionAttributeValues":{":one":{"N":"1"}}}`, "can only be used once"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET sk = :one","ExpressionAttributeValues":{":one":{"S":"1"}}}`, "part of the key"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET m = :one m = :one","ExpressionAttributeValues":{":one":{"N":"1"}}}`, "Syntax error"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":""}`, "can not be empty"},

	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET k = k + :one","ReturnValues":"ALL_OLD","ExpressionAttributeValues":{":one":{"N":"1"}}}`, `"k":{"N":"1"}`},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET k = :one","ReturnValues":"NONE","ExpressionAttributeValues":{":one":{"N":"1"}}}`, `{}`},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"new"},"sk":{"S":"1"}},"UpdateExpression":"SET k = :one","ReturnValues":"ALL_OLD","ExpressionAttributeValues":{":one":{"N":"1"}}}`, `{}`},
	{"DeleteItem", `{"TableName":"TABLE","Key":{"pk":{"S":"new"},"sk":{"S":"1"}}}`, `{}`},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"REMOVE k","ConditionExpression":"attribute_not_exists(k)","ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`, `Item":{`},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"REMOVE k","ConditionExpression":"attribute_not_exists(k)","ReturnValuesOnConditionCheckFailure":"NONE"}`, "ConditionalCheckFailedException"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"absent"},"sk":{"S":"1"}},"UpdateExpression":"REMOVE k","ConditionExpression":"attribute_exists(k)","ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`, "ConditionalCheckFailedException"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"REMOVE k","ReturnValuesOnConditionCheckFailure":"ALL_NEW"}`, "ValidationException"},

	// Placeholders and words.
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET #m = :one","ExpressionAttributeNames":{"#m":"m","#x":"x"},"ExpressionAttributeValues":{":one":{"N":"1"}}}`, "ExpressionAttributeNames unused in expressions: keys: {#x}"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET m = :one","ExpressionAttributeValues":{":one":{"N":"1"},":x":{"N":"1"}}}`, "ExpressionAttributeValues unused in expressions: keys: {:x}"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET #m = :one","ExpressionAttributeValues":{":one":{"N":"1"}}}`, "name used in the document path is not defined; attribute name: #m"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET m = :one"}`, "value used in expression is not defined; attribute value: :one"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"SET Status = :one","ExpressionAttributeValues":{":one":{"N":"1"}}}`, "reserved keyword: Status"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"REMOVE ttl"}`, "reserved keyword: ttl"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"REMOVE m","ExpressionAttributeNames":{}}`, "ExpressionAttributeNames must not be empty"},
	{"DeleteItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"ConditionExpression":"exists(pk)"}`, "Invalid function name; function: exists"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}},"UpdateExpression":"REMOVE m","ConditionExpression":"source = :x","ExpressionAttributeValues":{":x":{"S":""}}}`, "reserved keyword: source"},

	// Keys and values.
	{"GetItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"}}}`, "ValidationException"},
	{"GetItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"N":"1"}}}`, "ValidationException"},
	{"GetItem", `{"TableName":"TABLE","Key":{"pk":{"S":""},"sk":{"S":"1"}}}`, "empty string value"},
	{"PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"sk":{"S":"9"},"color":{"S":""},"place":{"N":"1"}}}`, "empty string value"},
	{"PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"sk":{"S":"9"},"color":{"S":"red"},"place":{"S":"1"}}}`, "Type mismatch for Index Key"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"9"}},"UpdateExpression":"SET color = :x","ExpressionAttributeValues":{":x":{"S":""}}}`, "empty string value"},
	{"PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"a"}}}`, "ValidationException"},
	{"PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"sk":{"S":"` + strings.Repeat("x", 1025) + `"}}}`, "ValidationException"},
	{"PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"` + strings.Repeat("x", 2049) + `"},"sk":{"S":"1"}}}`, "ValidationException"},
	{"PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"sk":{"S":"9"},"x":{"S":"` + strings.Repeat("x", 400<<10) + `"}}}`, "exceeded the maximum allowed size"},
	{"UpdateItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"9"}},"UpdateExpression":"SET x = :x","ExpressionAttributeValues":{":x":{"S":"` + strings.Repeat("x", 400<<10) + `"}}}`, "exceeded the maximum allowed size"},
	{"PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"sk":{"S":"9"},"x":{"N":"one"}}}`, "ValidationException"},
	{"PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"sk":{"S":"9"},"x":{"N":"` + strings.Repeat("1", 39) + `"}}}`, "ValidationException"},
	{"PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"sk":{"S":"9"},"x":{}}}`, "ValidationException"},
	{"PutItem", `{"TableName":"other","Item":{"pk":{"S":"a"},"sk":{"S":"9"}}}`, "ResourceNotFoundException"},
	{"GetItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"9"}}}`, `{}`},

	// Queries.
	{"PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"sk":{"S":"2"},"color":{"S":"red"},"place":{"N":"10"},"x":{"S":"hidden"}}}`, `{}`},
	{"PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"b"},"sk":{"S":"1"},"color":{"S":"red"},"place":{"N":"9"}}}`, `{}`},
	{"PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"c"},"sk":{"S":"1"},"color":{"S":"red"}}}`, `{}`},
	{"Query", `{"TableName":"TABLE","KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"a"}}}`, `"Count":2`},
	{"Query", `{"TableName":"TABLE","KeyConditionExpression":"pk = :p AND begins_with(sk, :s)","ExpressionAttributeValues":{":p":{"S":"a"},":s":{"S":"2"}}}`, `"Count":1`},
	{"Query", `{"TableName":"TABLE","IndexName":"colors","KeyConditionExpression":"color = :c","ExpressionAttributeValues":{":c":{"S":"red"}}}`, `"Count":2`},
	{"Query", `{"TableName":"TABLE","IndexName":"colors","KeyConditionExpression":"color = :c AND place <= :r","ExpressionAttributeValues":{":c":{"S":"red"},":r":{"N":"9.0"}}}`, `"pk":{"S":"b"}`},
	{"Query", `{"TableName":"TABLE","IndexName":"colors","Limit":1,"ScanIndexForward":false,"KeyConditionExpression":"color = :c","ExpressionAttributeValues":{":c":{"S":"red"}}}`, `"LastEvaluatedKey"`},
	{"Query", `{"TableName":"TABLE","IndexName":"colors","Limit":1,"ScanIndexForward":false,"ExclusiveStartKey":{"color":{"S":"red"},"place":{"N":"10"},"pk":{"S":"a"},"sk":{"S":"2"}},"KeyConditionExpression":"color = :c","ExpressionAttributeValues":{":c":{"S":"red"}}}`, `"pk":{"S":"b"}`},
	{"Query", `{"TableName":"TABLE","IndexName":"colors","ExclusiveStartKey":{"color":{"S":"red"},"place":{"N":"9"},"pk":{"S":"a0"},"sk":{"S":"2"}},"KeyConditionExpression":"color = :c","ExpressionAttributeValues":{":c":{"S":"red"}}}`, `"Count":`},
	{"Query", `{"TableName":"TABLE","IndexName":"colors","ConsistentRead":true,"KeyConditionExpression":"color = :c","ExpressionAttributeValues":{":c":{"S":"red"}}}`, "ValidationException"},
	{"Query", `{"TableName":"TABLE","IndexName":"gone","KeyConditionExpression":"color = :c","ExpressionAttributeValues":{":c":{"S":"red"}}}`, "does not have the specified index"},
	{"Query", `{"TableName":"TABLE","KeyConditionExpression":"sk = :c","ExpressionAttributeValues":{":c":{"S":"red"}}}`, "missed key schema element"},
	{"Query", `{"TableName":"TABLE","KeyConditionExpression":"pk > :c","ExpressionAttributeValues":{":c":{"S":"red"}}}`, "Query key condition not supported"},
	{"Query", `{"TableName":"TABLE","KeyConditionExpression":"pk = :c","ExpressionAttributeValues":{":c":{"N":"1"}}}`, "type does not match schema type"},
	{"Query", `{"TableName":"TABLE","KeyConditionExpression":"pk = :c","ExpressionAttributeValues":{":c":{"S":""}}}`, "empty string value"},
	{"Query", `{"TableName":"TABLE","KeyConditionExpression":"pk = :c","Limit":0,"ExpressionAttributeValues":{":c":{"S":"a"}}}`, "ValidationException"},
	{"Query", `{"TableName":"TABLE","KeyConditionExpression":"pk = :c","ExclusiveStartKey":{"pk":{"S":"a"}},"ExpressionAttributeValues":{":c":{"S":"a"}}}`, "ValidationException"},

	// Batches.
	{"BatchGetItem", `{"RequestItems":{"TABLE":{"Keys":[{"pk":{"S":"b"},"sk":{"S":"1"}},{"pk":{"S":"z"},"sk":{"S":"1"}}]}}}`, `"UnprocessedKeys":{}`},
	{"BatchGetItem", `{"RequestItems":{"TABLE":{"Keys":[{"pk":{"S":"b"},"sk":{"S":"1"}},{"pk":{"S":"b"},"sk":{"S":"1"}}]}}}`, "contains duplicates"},
	{"BatchGetItem", `{"RequestItems":{"TABLE":{"Keys":[]}}}`, "ValidationException"},
	{"BatchGetItem", `{"RequestItems":{"TABLE":{"Keys":[` + strings.Repeat(`{"pk":{"S":"b"},"sk":{"S":"1"}},`, 100) + `{"pk":{"S":"b"},"sk":{"S":"1"}}]}}}`, "ValidationException"},
	{"BatchGetItem", `{"RequestItems":{"TABLE":{"Keys":[{"pk":{"S":"b"}}]}}}`, "ValidationException"},

	{"DeleteItem", `{"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"2"}},"ConditionExpression":"place = :r","ExpressionAttributeValues":{":r":{"N":"1e1"}}}`, `{}`},
	{"Query", `{"TableName":"TABLE","IndexName":"colors","KeyConditionExpression":"color = :c","ExpressionAttributeValues":{":c":{"S":"red"}}}`, `"Count":1`},
}

func dynamoStory(t *testing.T, table dynamoTable) {
	t.Helper()
	for _, step := range dynamoSteps {
		status, answer := table.send(t, step.operation, step.body)
		refused := strings.Contains(answer, `"__type"`)
		wanted := strings.HasPrefix(step.want, `{`) || strings.HasPrefix(step.want, `"`)
		matches := strings.Contains(answer, step.want)
		if step.want == `{}` {
			// DynamoDB Local tells more than it was asked for.
			matches = !strings.Contains(answer, `"Item`)
		}
		if !matches || refused == wanted || (status == 200) != wanted {
			t.Errorf("%s %.300s: got %d %.300s, want %s", step.operation, step.body, status, answer, step.want)
		}
	}
}

func TestDynamoDB_story(t *testing.T) {
	t.Parallel()
	fake, table := startDynamo(t)
	dynamoStory(t, table)
	if got := fake.Calls(""); got != len(dynamoSteps) {
		t.Errorf("counted %d requests, want %d", got, len(dynamoSteps))
	}
}

// Ensure that DynamoDB gives the same answers as the fake: DYNAMODB_ENDPOINT is the URL of DynamoDB
// Local.
func TestDynamoDB_story_endpoint(t *testing.T) {
	t.Parallel()
	endpoint := os.Getenv("DYNAMODB_ENDPOINT")
	if endpoint == "" {
		t.Skip("DYNAMODB_ENDPOINT is not set")
	}
	table := dynamoTable{endpoint, "colors-" + rand.Text()}
	if status, answer := table.send(t, "CreateTable", dynamoSchema); status != 200 {
		t.Fatalf("CreateTable: got %d %s", status, answer)
	}
	dynamoStory(t, table)
	table.send(t, "DeleteTable", `{"TableName":"TABLE"}`)
}

// Ensure that what the fake does not have is refused, not ignored.
func TestDynamoDB_unknown(t *testing.T) {
	t.Parallel()
	_, table := startDynamo(t)
	const key = `"TableName":"TABLE","Key":{"pk":{"S":"a"},"sk":{"S":"1"}}`
	for name, test := range map[string]struct{ operation, body, want string }{
		"operation":        {"Scan", `{"TableName":"TABLE"}`, "UnknownOperationException"},
		"parameter":        {"UpdateItem", `{` + key + `,"ReturnValues":"ALL_NEW","UpdateExpression":"REMOVE m"}`, "ReturnValues"},
		"kind of value":    {"PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"sk":{"S":"1"},"x":{"SS":["a"]}}}`, "datatype SS"},
		"nested path":      {"UpdateItem", `{` + key + `,"UpdateExpression":"REMOVE m.n"}`, "Syntax error"},
		"list path":        {"UpdateItem", `{` + key + `,"UpdateExpression":"REMOVE m[0]"}`, "Syntax error"},
		"function":         {"UpdateItem", `{` + key + `,"UpdateExpression":"SET m = list_append(m, m)"}`, "list_append"},
		"clause":           {"UpdateItem", `{` + key + `,"UpdateExpression":"DELETE m :x","ExpressionAttributeValues":{":x":{"N":"1"}}}`, "Syntax error"},
		"counter":          {"UpdateItem", `{` + key + `,"UpdateExpression":"ADD m :x","ExpressionAttributeValues":{":x":{"N":"1"}}}`, "Syntax error"},
		"difference":       {"UpdateItem", `{` + key + `,"UpdateExpression":"SET m = m - :x","ExpressionAttributeValues":{":x":{"N":"1"}}}`, "Syntax error"},
		"prefix":           {"DeleteItem", `{` + key + `,"ConditionExpression":"begins_with(m, :x)","ExpressionAttributeValues":{":x":{"S":"1"}}}`, "Invalid function name; function: begins_with"},
		"between":          {"DeleteItem", `{` + key + `,"ConditionExpression":"m BETWEEN :x AND :x","ExpressionAttributeValues":{":x":{"N":"1"}}}`, "Syntax error"},
		"JSON":             {"GetItem", `{`, "SerializationException"},
		"second table":     {"CreateTable", dynamoSchema, "ResourceInUseException"},
		"tables of a read": {"BatchGetItem", `{"RequestItems":{"TABLE":{"Keys":[]},"other":{"Keys":[]}}}`, "ResourceNotFoundException"},
	} {
		if status, answer := table.send(t, test.operation, test.body); status != 400 || !strings.Contains(answer, test.want) {
			t.Errorf("%s: got %d %s, want %s", name, status, answer, test.want)
		}
	}
	for name, test := range map[string]struct{ authorization, want string }{
		"unsigned":      {"", "MissingAuthenticationTokenException"},
		"other service": {strings.Replace(signedDynamo, "/dynamodb/", "/events/", 1), "IncompleteSignatureException"},
	} {
		if status, answer := table.sendSigned(t, "GetItem", `{`+key+`}`, test.authorization); status != 400 || !strings.Contains(answer, test.want) {
			t.Errorf("%s: got %d %s, want %s", name, status, answer, test.want)
		}
	}
}

func TestDynamoDB_CreateTable(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string][2]string{
		"no name":             {`"TABLE"`, `""`},
		"provisioned":         {"PAY_PER_REQUEST", "PROVISIONED"},
		"all projected":       {"KEYS_ONLY", "ALL"},
		"undefined key":       {`"AttributeName":"sk","KeyType"`, `"AttributeName":"other","KeyType"`},
		"binary key":          {`"sk","AttributeType":"S"`, `"sk","AttributeType":"B"`},
		"attribute of no key": {`{"AttributeName":"pk","AttributeType":"S"},`, `{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"x","AttributeType":"S"},`},
		"no sort key":         {`,{"AttributeName":"sk","KeyType":"RANGE"}`, ``},
		"no JSON":             {`{"TableName"`, `{`},
	} {
		schema := strings.Replace(dynamoSchema, edit[0], edit[1], 1)
		if schema == dynamoSchema {
			t.Fatalf("%s: the edit changes nothing", name)
		}
		if err := new(fakedynamodb.Server).CreateTable([]byte(schema)); err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
	}
	table := dynamoTable{name: "colors"}
	empty := &fakedynamodb.Server{}
	if err := empty.Start(); err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	table.url = empty.URL()
	if _, answer := table.send(t, "GetItem", `{"TableName":"TABLE","Key":{}}`); !strings.Contains(answer, "ResourceNotFoundException") {
		t.Errorf("before CreateTable: got %s", answer)
	}
}

// dynamoSDK returns the real client, without retries.
func dynamoSDK(url string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: awsfake.Region, BaseEndpoint: aws.String(url), Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "fake"}, nil
		}),
	})
}

func TestDynamoDB_faults(t *testing.T) {
	t.Parallel()
	fake, table := startDynamo(t)
	client := dynamoSDK(fake.URL())
	key := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "a"}, "sk": &types.AttributeValueMemberS{Value: "1"}}
	read := func(ctx context.Context) error {
		_, err := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(table.name), Key: key})
		return err
	}
	for fault, code := range map[awsfake.Fault]string{
		awsfake.Throttled:                          "ThrottlingException",
		fakedynamodb.ProvisionedThroughputExceeded: "ProvisionedThroughputExceededException",
		awsfake.AccessDenied:                       "AccessDeniedException",
		awsfake.NotFound:                           "ResourceNotFoundException",
		awsfake.InternalError:                      "InternalServerError",
	} {
		fake.Fail(fault, 2)
		for range 2 {
			if api, ok := errors.AsType[smithy.APIError](read(t.Context())); !ok || api.ErrorCode() != code || api.ErrorMessage() == "" {
				t.Errorf("%s: got %v", code, api)
			}
		}
		if err := read(t.Context()); err != nil {
			t.Errorf("after two times %s: got %v", code, err)
		}
	}
	fake.Fail(awsfake.Reset, 1)
	if err := read(t.Context()); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset: got %v", err)
	}
	fake.Fail(awsfake.Silence, awsfake.UntilCleared)
	wantSilence(t, func() int { return fake.Calls("GetItem") }, read)
	fake.ClearFaults()
	fake.FailOnly("PutItem", awsfake.Throttled, 1)
	if err := read(t.Context()); err != nil {
		t.Errorf("with a fault for PutItem: got %v", err)
	}
	if _, answer := table.send(t, "PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"sk":{"S":"1"}}}`); !strings.Contains(answer, "ThrottlingException") {
		t.Errorf("with a fault for PutItem: got %s", answer)
	}
	if got := fake.Calls("PutItem"); got != 1 {
		t.Errorf("counted %d PutItem, want 1", got)
	}
}

func TestDynamoDB_unprocessedKeys(t *testing.T) {
	t.Parallel()
	fake, table := startDynamo(t)
	table.send(t, "PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"sk":{"S":"1"}}}`)
	table.send(t, "PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"b"},"sk":{"S":"1"}}}`)
	const both = `{"RequestItems":{"TABLE":{"Keys":[{"pk":{"S":"a"},"sk":{"S":"1"}},{"pk":{"S":"b"},"sk":{"S":"1"}}]}}}`
	fake.Fail(fakedynamodb.UnprocessedKeys, 1)
	for _, want := range []string{
		`{"Responses":{"colors":[{"pk":{"S":"a"},"sk":{"S":"1"}}]},"UnprocessedKeys":{"colors":{"Keys":[{"pk":{"S":"b"},"sk":{"S":"1"}}]}}}`,
		`{"Responses":{"colors":[{"pk":{"S":"b"},"sk":{"S":"1"}},{"pk":{"S":"a"},"sk":{"S":"1"}}]},"UnprocessedKeys":{}}`,
	} {
		if _, answer := table.send(t, "BatchGetItem", both); strings.TrimSpace(answer) != want {
			t.Errorf("got %s, want %s", answer, want)
		}
	}
}

func TestDynamoDB_printsRedacted(t *testing.T) {
	t.Parallel()
	fake, table := startDynamo(t)
	table.send(t, "PutItem", `{"TableName":"TABLE","Item":{"pk":{"S":"`+marker+`"},"sk":{"S":"1"}}}`)
	var out strings.Builder
	fmt.Fprintf(&out, "%v %+v %#v %s %q", fake, fake, fake, fake, fake)
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "table", fake)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "table", fake)
	encoded, _ := json.Marshal(map[string]any{"table": fake})
	out.Write(encoded)
	if strings.Contains(out.String(), marker) {
		t.Errorf("an item is printed: %s", out.String())
	}
}

// wantSilence checks that a request which has come in is left without an answer.
func wantSilence(t *testing.T, calls func() int, request func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(patience(t))
	before := calls()
	go func() {
		waitForCall(ctx, calls, before)
		// Time for an answer; however short it is, there must be none.
		time.Sleep(20 * time.Millisecond)
		cancel()
	}()
	if err := request(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("silence: got %v", err)
	}
	cancel()
}

// waitForCall returns when more than so many requests have come in, or the context has ended.
func waitForCall(ctx context.Context, calls func() int, before int) {
	for calls() == before && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
}

// patience only ends a test that hangs.
func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
