package lambdatest

import (
	"maps"
	"slices"
)

type tableRequest struct{ TableName string }

func (r tableRequest) tableName() string { return r.TableName }

type putRequest struct {
	tableRequest
	dynamoScope
	Item                dynamoItem
	ConditionExpression *string
}

type getRequest struct {
	tableRequest
	Key            dynamoItem
	ConsistentRead bool
}

type deleteRequest struct {
	tableRequest
	dynamoScope
	Key                 dynamoItem
	ConditionExpression *string
}

type updateRequest struct {
	tableRequest
	dynamoScope
	Key                 dynamoItem
	UpdateExpression    string
	ConditionExpression *string
}

// refusedCondition is the error of a write whose condition does not hold.
func refusedCondition() error {
	return &dynamoRefusal{dynamoErrors + "ConditionalCheckFailedException", "The conditional request failed"}
}

func (d *DynamoDB) putItem(body []byte) (any, error) {
	var request putRequest
	t, err := d.open(body, &request)
	if err != nil {
		return nil, err
	}
	condition, err := request.only(request.ConditionExpression)
	if err != nil {
		return nil, err
	}
	if err := t.checkItem(request.Item, "Item size has exceeded the maximum allowed size"); err != nil {
		return nil, err
	}
	key := t.keyOf(request.Item)
	if !condition(t.items[key]) {
		return nil, refusedCondition()
	}
	t.items[key] = request.Item
	return struct{}{}, nil
}

func (d *DynamoDB) getItem(body []byte) (any, error) {
	var request getRequest
	t, err := d.open(body, &request)
	if err != nil {
		return nil, err
	}
	if err := t.checkKey(request.Key); err != nil {
		return nil, err
	}
	if item, ok := t.items[t.keyOf(request.Key)]; ok {
		return map[string]any{"Item": item}, nil
	}
	return struct{}{}, nil
}

func (d *DynamoDB) deleteItem(body []byte) (any, error) {
	var request deleteRequest
	t, err := d.open(body, &request)
	if err != nil {
		return nil, err
	}
	condition, err := request.only(request.ConditionExpression)
	if err != nil {
		return nil, err
	}
	if err := t.checkKey(request.Key); err != nil {
		return nil, err
	}
	key := t.keyOf(request.Key)
	if !condition(t.items[key]) {
		return nil, refusedCondition()
	}
	delete(t.items, key)
	return struct{}{}, nil
}

func (d *DynamoDB) updateItem(body []byte) (any, error) {
	var request updateRequest
	t, err := d.open(body, &request)
	if err != nil {
		return nil, err
	}
	if err := request.begin(); err != nil {
		return nil, err
	}
	actions, err := request.update(request.UpdateExpression)
	if err != nil {
		return nil, err
	}
	condition, err := request.condition(request.ConditionExpression)
	if err != nil {
		return nil, err
	}
	if err := request.end(); err != nil {
		return nil, err
	}
	return struct{}{}, t.update(request.Key, actions, condition)
}

func (t *dynamoTable) update(key dynamoItem, actions []dynamoAction, condition dynamoCondition) error {
	if err := t.checkKey(key); err != nil {
		return err
	}
	for _, action := range actions {
		if slices.Contains(t.keys.names(), action.path) {
			return invalid("One or more parameter values were invalid: Cannot update attribute " + action.path + ". This attribute is part of the key")
		}
	}
	before := t.items[t.keyOf(key)]
	if !condition(before) {
		return refusedCondition()
	}
	if before == nil {
		before = maps.Clone(key)
	}
	after, err := apply(actions, before)
	if err != nil {
		return err
	}
	if err := t.checkItem(after, "Item size to update has exceeded the maximum allowed size"); err != nil {
		return err
	}
	t.items[t.keyOf(key)] = after
	return nil
}

// only reads the one expression of a request.
func (s *dynamoScope) only(condition *string) (dynamoCondition, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	c, err := s.condition(condition)
	if err != nil {
		return nil, err
	}
	return c, s.end()
}
