package lambdatest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
)

// dynamoErrors begins the names of DynamoDB's own errors on the wire.
const dynamoErrors = "com.amazonaws.dynamodb.v20120810#"

var dynamoProtocol = awsJSON{
	contentType: "application/x-amz-json-1.0", target: "DynamoDB_20120810", name: "dynamodb", mostBytes: 16 << 20, internal: "InternalServerError",
}

// dynamoRefusal is an error that the caller sees.
type dynamoRefusal struct{ name, message string }

func (e *dynamoRefusal) Error() string { return e.name + ": " + e.message }

// invalid is the error for a request that makes no sense.
func invalid(message string) error {
	return &dynamoRefusal{"com.amazon.coral.validate#ValidationException", message}
}

// dynamoOperations do their work under the lock. They return the answer's document.
var dynamoOperations = map[string]func(d *DynamoDB, body []byte) (any, error){
	"CreateTable":  (*DynamoDB).createTable,
	"PutItem":      (*DynamoDB).putItem,
	"GetItem":      (*DynamoDB).getItem,
	"UpdateItem":   (*DynamoDB).updateItem,
	"DeleteItem":   (*DynamoDB).deleteItem,
	"Query":        (*DynamoDB).query,
	"BatchGetItem": (*DynamoDB).batchGetItem,
}

// ServeHTTP answers a request, or with the pending fault.
func (d *DynamoDB) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation, body, ok := dynamoProtocol.read(w, r)
	if !ok {
		return
	}
	work, ok := dynamoOperations[operation]
	if !ok {
		dynamoProtocol.refuse(w, 400, "com.amazon.coral.service#UnknownOperationException", "")
		return
	}
	fault := d.count(operation)
	if fault != 0 && fault != UnprocessedKeys {
		d.strike(w, r, fault, operation)
		return
	}
	d.mu.Lock()
	document, err := work(d, body)
	d.mu.Unlock()
	if answer, ok := document.(*batchAnswer); ok && err == nil && fault == UnprocessedKeys {
		answer.withhold()
	}
	if err == nil {
		dynamoProtocol.reply(w, document)
		return
	}
	refusal, ok := errors.AsType[*dynamoRefusal](err)
	if !ok {
		refusal = &dynamoRefusal{"com.amazon.coral.service#SerializationException", ""}
	}
	dynamoProtocol.refuse(w, 400, refusal.name, refusal.message)
}

func (d *DynamoDB) count(operation string) Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.calls == nil {
		d.calls = make(map[string]int)
	}
	d.calls[operation]++
	return d.faults.next(operation)
}

// open decodes a request and finds the table that it names. Parameters that the operation does not
// have here are refused: they would be passed over otherwise.
func (d *DynamoDB) open(body []byte, request interface{ tableName() string }) (*dynamoTable, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(request); err != nil {
		if refusal, ok := errors.AsType[*dynamoRefusal](err); ok {
			return nil, refusal
		}
		return nil, invalid("cannot read the request: " + err.Error())
	}
	if d.table == nil || !d.table.is(request.tableName()) {
		return nil, &dynamoRefusal{dynamoErrors + "ResourceNotFoundException", "Requested resource not found"}
	}
	return d.table, nil
}
