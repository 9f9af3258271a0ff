package dynamodb

import (
	"maps"
	"slices"

	"didit-sessions/internal/awsfake"
)

type tableRequest struct{ TableName string }

func (r tableRequest) tableName() string { return r.TableName }

type putRequest struct {
	tableRequest
	placeholders
	Item                attributeMap
	ConditionExpression *string
}

type getRequest struct {
	tableRequest
	Key            attributeMap
	ConsistentRead bool
}

type deleteRequest struct {
	tableRequest
	placeholders
	Key                 attributeMap
	ConditionExpression *string
}

type updateRequest struct {
	deleteRequest
	UpdateExpression string
}

func (d *Server) putItem(body []byte) (any, error) {
	var request putRequest
	t, err := d.open(body, &request)
	if err != nil {
		return nil, err
	}
	condition, err := request.parseCondition(request.ConditionExpression)
	if err != nil {
		return nil, err
	}
	if err := t.checkItem(request.Item, "Item size has exceeded the maximum allowed size"); err != nil {
		return nil, err
	}
	key := t.keyOf(request.Item)
	if err := condition.check(t.items[key]); err != nil {
		return nil, err
	}
	t.items[key] = request.Item
	return struct{}{}, nil
}

func (d *Server) getItem(body []byte) (any, error) {
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

func (d *Server) deleteItem(body []byte) (any, error) {
	var request deleteRequest
	t, err := d.open(body, &request)
	if err != nil {
		return nil, err
	}
	condition, err := request.parseCondition(request.ConditionExpression)
	if err != nil {
		return nil, err
	}
	if err := t.checkKey(request.Key); err != nil {
		return nil, err
	}
	key := t.keyOf(request.Key)
	if err := condition.check(t.items[key]); err != nil {
		return nil, err
	}
	delete(t.items, key)
	return struct{}{}, nil
}

func (d *Server) updateItem(body []byte) (any, error) {
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

func (t *storedTable) update(key attributeMap, actions []updateAction, condition conditionExpr) error {
	if err := t.checkKey(key); err != nil {
		return err
	}
	for _, action := range actions {
		if slices.Contains(t.keys.names(), action.path) {
			return invalid("One or more parameter values were invalid: Cannot update attribute " + action.path + ". This attribute is part of the key")
		}
	}
	before := t.items[t.keyOf(key)]
	if err := condition.check(before); err != nil {
		return err
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

// check refuses a write whose condition does not hold for the item.
func (c conditionExpr) check(item attributeMap) error {
	if !c(item) {
		return awsfake.Refuse(prefixDynamoDB+"ConditionalCheckFailedException", "The conditional request failed")
	}
	return nil
}

// parseCondition parses the condition of a request that has no other expression.
func (s *placeholders) parseCondition(text *string) (conditionExpr, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	c, err := s.condition(text)
	if err != nil {
		return nil, err
	}
	return c, s.end()
}
