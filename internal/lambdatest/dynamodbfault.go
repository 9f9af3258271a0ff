package lambdatest

import "net/http"

// Faults of [DynamoDB] alone.
const (
	ProvisionedThroughputExceeded Fault = iota + 401 // 400 ProvisionedThroughputExceededException
	// UnprocessedKeys makes BatchGetItem succeed without the last of its keys. Other operations it
	// passes over.
	UnprocessedKeys
)

// Fail makes the next n requests end in fault, or all of them with
// [UntilCleared]. Faults of several calls follow one another; n of 0 adds none.
func (d *DynamoDB) Fail(fault Fault, n int) { d.FailOperation("", fault, n) }

// FailOperation is Fail for the requests of one operation, as "UpdateItem";
// empty: for all.
func (d *DynamoDB) FailOperation(operation string, fault Fault, n int) {
	if fault == UnprocessedKeys {
		operation = "BatchGetItem"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.add(fault, n, operation)
}

// ClearFaults lets requests succeed again. One that Silence holds stays held.
func (d *DynamoDB) ClearFaults() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = nil
}

// strike answers with the fault, as AWS does (Amazon DynamoDB: Error handling).
func (d *DynamoDB) strike(w http.ResponseWriter, r *http.Request, fault Fault, operation string) {
	switch fault {
	case NotFound:
		dynamoProtocol.refuse(w, 400, dynamoErrors+"ResourceNotFoundException", "Requested resource not found")
	case ProvisionedThroughputExceeded:
		dynamoProtocol.refuse(w, 400, dynamoErrors+"ProvisionedThroughputExceededException",
			"The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API.")
	case InternalError:
		dynamoProtocol.refuse(w, 500, dynamoErrors+"InternalServerError", "Internal server error")
	default:
		dynamoProtocol.strike(w, r, fault, operation, "arn:aws:dynamodb:"+Region+":"+Account+":table/sessions")
	}
}
