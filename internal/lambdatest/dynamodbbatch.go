package lambdatest

import "fmt"

type batchKeys struct {
	Keys           []dynamoItem
	ConsistentRead bool `json:",omitempty"`
}

type batchRequest struct{ RequestItems map[string]batchKeys }

// tableName is the one table's, or nothing that there is.
func (r *batchRequest) tableName() string {
	for name := range r.RequestItems {
		if len(r.RequestItems) == 1 {
			return name
		}
	}
	return ""
}

type batchAnswer struct {
	Responses       map[string][]dynamoItem
	UnprocessedKeys map[string]batchKeys

	asked string // the table, as the request named it
	last  dynamoItem
	found bool // the last key's item is the last answered
}

// batchGetItem answers in an order of its own, as DynamoDB does: backwards.
func (d *DynamoDB) batchGetItem(body []byte) (any, error) {
	var request batchRequest
	t, err := d.open(body, &request)
	if err != nil {
		return nil, err
	}
	name := request.tableName()
	keys := request.RequestItems[name].Keys
	if len(keys) < 1 || len(keys) > mostBatchKeys {
		return nil, invalid(fmt.Sprintf("%d keys: Too many items requested for the BatchGetItem call, or none", len(keys)))
	}
	answer := &batchAnswer{Responses: map[string][]dynamoItem{name: {}}, UnprocessedKeys: map[string]batchKeys{}, asked: name, last: keys[len(keys)-1]}
	asked := make(map[string]bool)
	for _, key := range keys {
		if err := t.checkKey(key); err != nil {
			return nil, err
		}
		place := t.keyOf(key)
		if asked[place] {
			return nil, invalid("Provided list of item keys contains duplicates")
		}
		asked[place] = true
		item, ok := t.items[place]
		if answer.found = ok; ok {
			answer.Responses[name] = append([]dynamoItem{item}, answer.Responses[name]...)
		}
	}
	return answer, nil
}

// withhold leaves the last key unprocessed.
func (a *batchAnswer) withhold() {
	if a.found {
		a.Responses[a.asked] = a.Responses[a.asked][1:]
	}
	a.UnprocessedKeys[a.asked] = batchKeys{Keys: []dynamoItem{a.last}}
}
