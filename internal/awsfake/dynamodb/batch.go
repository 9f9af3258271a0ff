package dynamodb

import "fmt"

type batchKeys struct {
	Keys           []attributeMap
	ConsistentRead bool `json:",omitempty"`
}

type batchRequest struct{ RequestItems map[string]batchKeys }

// tableName returns the name of the table; empty unless there is exactly one.
func (r *batchRequest) tableName() string {
	for name := range r.RequestItems {
		if len(r.RequestItems) == 1 {
			return name
		}
	}
	return ""
}

type batchAnswer struct {
	Responses       map[string][]attributeMap
	UnprocessedKeys map[string]batchKeys

	table string       // as in the request
	last  attributeMap // key
	found bool         // the last key has an item
}

// batchGetItem returns items in another order than the keys, as DynamoDB may.
func (d *Server) batchGetItem(body []byte) (any, error) {
	var request batchRequest
	t, err := d.open(body, &request)
	if err != nil {
		return nil, err
	}
	name := request.tableName()
	keys := request.RequestItems[name].Keys
	if len(keys) < 1 || len(keys) > maxBatchKeys {
		return nil, invalid(fmt.Sprintf("%d keys: Too many items requested for the BatchGetItem call, or none", len(keys)))
	}
	answer := &batchAnswer{Responses: map[string][]attributeMap{name: {}}, UnprocessedKeys: map[string]batchKeys{}, table: name, last: keys[len(keys)-1]}
	seen := make(map[string]bool)
	for _, key := range keys {
		if err := t.checkKey(key); err != nil {
			return nil, err
		}
		place := t.keyOf(key)
		if seen[place] {
			return nil, invalid("Provided list of item keys contains duplicates")
		}
		seen[place] = true
		item, ok := t.items[place]
		if answer.found = ok; ok {
			answer.Responses[name] = append([]attributeMap{item}, answer.Responses[name]...)
		}
	}
	return answer, nil
}

// withhold makes the last key an unprocessed one.
func (a *batchAnswer) withhold() {
	if a.found {
		a.Responses[a.table] = a.Responses[a.table][1:]
	}
	a.UnprocessedKeys[a.table] = batchKeys{Keys: []attributeMap{a.last}}
}
