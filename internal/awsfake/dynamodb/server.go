// Package dynamodb has a fake of AWS DynamoDB with one table, for tests.
package dynamodb

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"sync"

	"didit-sessions/internal/awsfake"
)

// Server is a fake of AWS DynamoDB with one table. A function finds it by the variable
// AWS_ENDPOINT_URL_DYNAMODB. What its requests are about, for [Server.FailOnly], is the operation,
// for example UpdateItem.
//
// It has CreateTable, PutItem, GetItem, UpdateItem, DeleteItem, Query and BatchGetItem, with the
// common part of the expression language. It refuses what it does not have with a
// ValidationException, instead of ignoring it: parameters, types of values, functions, nested
// paths. Its indexes project keys only and never lag. Expired items stay, as they do in DynamoDB
// for days.
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

// operations return the document of the answer. Their caller holds mu.
var operations = map[string]func(d *Server, body []byte) (any, error){
	"CreateTable":  (*Server).createTable,
	"PutItem":      (*Server).putItem,
	"GetItem":      (*Server).getItem,
	"UpdateItem":   (*Server).updateItem,
	"DeleteItem":   (*Server).deleteItem,
	"Query":        (*Server).query,
	"BatchGetItem": (*Server).batchGetItem,
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
	document, err := operation(d, r.Body)
	if answer, ok := document.(*batchAnswer); ok && err == nil && fault == UnprocessedKeys {
		answer.withhold()
	}
	return document, err
}

// open decodes a request and returns its table. It refuses unknown parameters, which would be
// ignored otherwise.
func (d *Server) open(body []byte, request interface{ tableName() string }) (*storedTable, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(request); err != nil {
		if refusal, ok := errors.AsType[*awsfake.Refusal](err); ok {
			return nil, refusal
		}
		return nil, invalid("cannot read the request: " + err.Error())
	}
	if d.table == nil || !d.table.is(request.tableName()) {
		return nil, awsfake.NotFound
	}
	return d.table, nil
}
