package table

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"didit-sessions/internal/aws/fault"
)

const wrongRequest = "the table refuses the request: its keys or indexes differ from the template's, or a value is too long"

var service = fault.Service{Name: "DynamoDB", Permanent: map[string]string{
	"ResourceNotFoundException": "the table does not exist",
	"TableNotFoundException":    "the table does not exist",
	"AccessDeniedException":     "the function may not use the table or one of its indexes",
	"ValidationException":       wrongRequest,
	"SerializationException":    wrongRequest,
	"UnknownOperationException": wrongRequest,
}}

// conditionHeld interprets the error of a conditional write.
func conditionHeld(err error) (bool, error) {
	if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return false, nil
	}
	return err == nil, service.Explain(err)
}
