package dynamodb

import (
	"errors"
	"fmt"
	"slices"

	"didit-sessions/internal/awsfake"
)

const maxBatchKeys = 100 // in a BatchGetItem

type tableRequest struct{ TableName string }

func (r tableRequest) tableName() string { return r.TableName }

type getRequest struct {
	tableRequest
	Key            attributeMap
	ConsistentRead bool
}

// conditionalRequest is the common part of the requests that write.
type conditionalRequest struct {
	tableRequest
	placeholders
	ConditionExpression *string
}

type putRequest struct {
	conditionalRequest
	Item attributeMap
}

type deleteRequest struct {
	conditionalRequest
	Key attributeMap
}

type updateRequest struct {
	deleteRequest
	UpdateExpression                    string
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
}

func (t *storedTable) getItem(r *getRequest) (any, error) {
	if err := t.checkKey(r.Key); err != nil {
		return nil, err
	}
	if r.ConsistentRead {
		t.consistent++
	}
	if item, ok := t.items[t.keyOf(r.Key)]; ok {
		return map[string]any{"Item": item}, nil
	}
	return struct{}{}, nil
}

func (t *storedTable) putItem(r *putRequest) (any, error) {
	condition, err := r.condition()
	if err != nil {
		return nil, err
	}
	if err := t.checkItem(r.Item, "Item size has exceeded the maximum allowed size"); err != nil {
		return nil, err
	}
	place := t.keyOf(r.Item)
	if err := condition.check(t.items[place]); err != nil {
		return nil, err
	}
	t.items[place] = r.Item
	return struct{}{}, nil
}

func (t *storedTable) deleteItem(r *deleteRequest) (any, error) {
	condition, err := r.condition()
	if err != nil {
		return nil, err
	}
	if err := t.checkKey(r.Key); err != nil {
		return nil, err
	}
	place := t.keyOf(r.Key)
	if err := condition.check(t.items[place]); err != nil {
		return nil, err
	}
	delete(t.items, place)
	return struct{}{}, nil
}

func (t *storedTable) updateItem(r *updateRequest) (any, error) {
	if !slices.Contains([]string{"", "NONE", "ALL_OLD"}, r.ReturnValues) {
		return nil, invalid("this fake has the ReturnValues NONE and ALL_OLD only")
	}
	if !slices.Contains([]string{"", "NONE", "ALL_OLD"}, r.ReturnValuesOnConditionCheckFailure) {
		return nil, invalid("ReturnValuesOnConditionCheckFailure must be NONE or ALL_OLD")
	}
	actions, err := r.update(r.UpdateExpression)
	if err != nil {
		return nil, err
	}
	condition, err := r.condition()
	if err != nil {
		return nil, err
	}
	if err := t.checkKey(r.Key); err != nil {
		return nil, err
	}
	for _, action := range actions {
		if slices.Contains(t.keys.names(), action.path) {
			return nil, invalid("One or more parameter values were invalid: Cannot update attribute " + action.path + ". This attribute is part of the key")
		}
	}
	before := t.items[t.keyOf(r.Key)]
	if err := condition.check(before); err != nil {
		if refusal, ok := errors.AsType[*awsfake.Refusal](err); ok && before != nil && r.ReturnValuesOnConditionCheckFailure == "ALL_OLD" {
			return nil, &refusalWithItem{refusal, before}
		}
		return nil, err
	}
	start := before
	if start == nil {
		start = r.Key
	}
	after, err := apply(actions, start)
	if err != nil {
		return nil, err
	}
	if err := t.checkItem(after, "Item size to update has exceeded the maximum allowed size"); err != nil {
		return nil, err
	}
	t.items[t.keyOf(r.Key)] = after
	if r.ReturnValues == "ALL_OLD" && before != nil {
		return map[string]any{"Attributes": before}, nil
	}
	return struct{}{}, nil
}

// refusalWithItem is the refusal of a write that asked for the item as it is.
type refusalWithItem struct {
	*awsfake.Refusal
	Item attributeMap
}

func (r *refusalWithItem) Unwrap() error { return r.Refusal }

// check refuses a write whose condition does not hold for the item.
func (c conditionExpr) check(item attributeMap) error {
	if !c(item) {
		return awsfake.Refuse(prefixDynamoDB+"ConditionalCheckFailedException", "The conditional request failed")
	}
	return nil
}

type batchKeys struct {
	Keys           []attributeMap
	ConsistentRead bool `json:",omitempty"`
}

type batchRequest struct{ RequestItems map[string]batchKeys }

// tableName returns the name of the table; empty unless there is exactly one.
func (r batchRequest) tableName() string {
	for name := range r.RequestItems {
		if len(r.RequestItems) == 1 {
			return name
		}
	}
	return ""
}

// batchGetItem returns items in another order than the keys, as DynamoDB may.
func (t *storedTable) batchGetItem(r *batchRequest) (any, error) {
	name := r.tableName()
	keys := r.RequestItems[name].Keys
	if len(keys) < 1 || len(keys) > maxBatchKeys {
		return nil, invalid(fmt.Sprintf("%d keys: Too many items requested for the BatchGetItem call, or none", len(keys)))
	}
	items, unprocessed := []attributeMap{}, map[string]batchKeys{}
	seen := make(map[string]bool)
	for i, key := range keys {
		if err := t.checkKey(key); err != nil {
			return nil, err
		}
		place := t.keyOf(key)
		if seen[place] {
			return nil, invalid("Provided list of item keys contains duplicates")
		}
		seen[place] = true
		if t.withhold && i == len(keys)-1 {
			unprocessed[name] = batchKeys{Keys: []attributeMap{key}}
		} else if item, ok := t.items[place]; ok {
			items = append(items, item)
		}
	}
	slices.Reverse(items)
	return map[string]any{"Responses": map[string]any{name: items}, "UnprocessedKeys": unprocessed}, nil
}
