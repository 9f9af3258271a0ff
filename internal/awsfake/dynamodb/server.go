// Package dynamodb has a fake of AWS DynamoDB with one table, for tests.
package dynamodb

import (
	"net/http"
	"sync"

	"didit-sessions/internal/awsfake"
)

// Server is a fake of AWS DynamoDB with one table. A function finds it by the variable
// AWS_ENDPOINT_URL_DYNAMODB. What its requests are about, for [Server.FailOnly], is the operation,
// for example UpdateItem.
//
// It has CreateTable, PutItem, GetItem, UpdateItem, DeleteItem, Query and BatchGetItem, with the
// part of the expression language that package table uses. It refuses what it does not have,
// instead of ignoring it: parameters, types of values, functions, operators,
// nested paths. Its indexes never lag. Expired items stay, as they do in
// DynamoDB for days.
//
// The zero value has no table; CreateTable makes it, by request or by [Server.CreateTable]. It is
// safe for concurrent use and must not be copied. It prints, logs and encodes without its items.
type Server struct {
	awsfake.Service

	mu    sync.Mutex
	table *storedTable
}

// Start serves on a free port of 127.0.0.1 until Close. It may be called once.
func (d *Server) Start() error { return d.Listen(d) }

// ConsistentReads returns how many of the reads by GetItem were to be strongly consistent.
func (d *Server) ConsistentReads() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.table == nil {
		return 0
	}
	return d.table.consistent
}

// Faults of [Server].
const (
	ProvisionedThroughputExceeded awsfake.Fault = iota + 401 // 400 ProvisionedThroughputExceededException
	// UnprocessedKeys makes BatchGetItem succeed without the last of its keys. It does not strike
	// other operations.
	UnprocessedKeys
)

// Fail makes the next n requests fail with the fault, or all requests if n is
// [awsfake.UntilCleared].
func (d *Server) Fail(fault awsfake.Fault, n int) { d.FailOnly("", fault, n) }

// FailOnly is [Server.Fail] for the requests of one operation; with an empty string, for all.
func (d *Server) FailOnly(operation string, fault awsfake.Fault, n int) {
	if fault == UnprocessedKeys {
		operation = "BatchGetItem"
	}
	d.Service.FailOnly(operation, fault, n)
}

// Prefixes of the names of errors on the wire.
const (
	prefixDynamoDB = "com.amazonaws.dynamodb.v20120810#"
	prefixService  = "com.amazon.coral.service#"
	prefixValidate = "com.amazon.coral.validate#"
)

const messageNotFound = "Requested resource not found"

// protocol has the errors of Amazon DynamoDB: Error handling.
var protocol = awsfake.Protocol{
	ContentType: "application/x-amz-json-1.0", Target: "DynamoDB_20120810", Name: "dynamodb", MaxBytes: 16 << 20,
	Resource: "arn:aws:dynamodb:" + awsfake.Region + ":" + awsfake.Account + ":table/sessions",
	Faults: map[awsfake.Fault]awsfake.Refusal{
		awsfake.InternalError: {Status: 500, Type: prefixDynamoDB + "InternalServerError", Message: "Internal server error"},
		awsfake.NotFound:      {Type: prefixDynamoDB + "ResourceNotFoundException", Message: messageNotFound},
		ProvisionedThroughputExceeded: {Type: prefixDynamoDB + "ProvisionedThroughputExceededException",
			Message: "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API."},
	},
}

// invalid returns the refusal of a request that is not valid.
func invalid(message string) error {
	return awsfake.Refuse(prefixValidate+"ValidationException", message)
}

// operation returns the document of the answer to a request. Its caller holds mu.
type operation func(*Server, *awsfake.Request) (any, error)

var operations = map[string]operation{
	"CreateTable":  (*Server).createTable,
	"PutItem":      onTable((*storedTable).putItem),
	"GetItem":      onTable((*storedTable).getItem),
	"UpdateItem":   onTable((*storedTable).updateItem),
	"DeleteItem":   onTable((*storedTable).deleteItem),
	"Query":        onTable((*storedTable).query),
	"BatchGetItem": onTable((*storedTable).batchGetItem),
}

// onTable returns the operation that does the work for a decoded request.
func onTable[R interface{ tableName() string }](work func(*storedTable, *R) (any, error)) operation {
	return func(d *Server, r *awsfake.Request) (any, error) {
		var request R
		if err := r.Decode(&request); err != nil {
			return nil, err
		}
		if d.table == nil || !d.table.is(request.tableName()) {
			return nil, awsfake.NotFound
		}
		return work(d.table, &request)
	}
}

// ServeHTTP answers a request.
func (d *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { protocol.Serve(w, r, d.answer) }

func (d *Server) answer(r *awsfake.Request) (any, error) {
	operation, ok := operations[r.Operation]
	if !ok {
		return nil, awsfake.Refuse(prefixService+"UnknownOperationException", "")
	}
	fault := d.Count(r.Operation)
	if fault != 0 && fault != UnprocessedKeys {
		return nil, fault
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.table != nil {
		d.table.withhold = fault == UnprocessedKeys
	}
	return operation(d, r)
}
