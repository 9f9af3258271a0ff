package lambdatest

import (
	"encoding/json"
	"math/big"
	"regexp"
	"strings"
)

// dynamoItem is an item, a key, or a map inside of one. Items are never changed in place.
type dynamoItem map[string]dynamoValue

// dynamoValue is an attribute's value. Sets and binary values are not known.
type dynamoValue struct {
	kind   string // S, N, BOOL, NULL, L or M
	text   string // of S, and of N in one form for each number
	number *big.Rat
	flag   bool
	list   []dynamoValue
	fields dynamoItem
}

// numberForm is what DynamoDB takes for a number, with an exponent that stays affordable.
var numberForm = regexp.MustCompile(`^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?$`)

// mostDigits is how many significant digits a number may have.
const mostDigits = 38

// UnmarshalJSON reads a value as {"S":"text"}.
func (v *dynamoValue) UnmarshalJSON(text []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	if len(members) != 1 {
		return invalid("Supplied AttributeValue is empty or has several datatypes, must contain exactly one of the supported datatypes")
	}
	for kind, raw := range members {
		v.kind = kind
		switch kind {
		case "S":
			return json.Unmarshal(raw, &v.text)
		case "N":
			if err := json.Unmarshal(raw, &v.text); err != nil {
				return err
			}
			return v.parseNumber()
		case "BOOL":
			return json.Unmarshal(raw, &v.flag)
		case "NULL":
			if string(raw) != "true" {
				return invalid("One or more parameter values were invalid: Null attribute value types must have the value of true")
			}
			return nil
		case "L":
			return json.Unmarshal(raw, &v.list)
		case "M":
			return json.Unmarshal(raw, &v.fields)
		}
	}
	return invalid("this stand-in does not know the datatype " + v.kind)
}

func (v *dynamoValue) parseNumber() error {
	number, ok := new(big.Rat), numberForm.MatchString(v.text)
	if ok {
		number, ok = number.SetString(v.text)
	}
	if !ok {
		return invalid("The parameter cannot be converted to a numeric value: " + v.text)
	}
	*v = numberValue(number)
	if len(strings.Trim(strings.ReplaceAll(strings.TrimPrefix(v.text, "-"), ".", ""), "0")) > mostDigits {
		return invalid("Attempting to store more than 38 significant digits in a Number")
	}
	return nil
}

func numberValue(number *big.Rat) dynamoValue {
	text := number.Num().String()
	if !number.IsInt() {
		text = strings.TrimRight(number.FloatString(1100), "0")
	}
	return dynamoValue{kind: "N", text: text, number: number}
}

// MarshalJSON is the value as UnmarshalJSON reads it.
func (v dynamoValue) MarshalJSON() ([]byte, error) {
	var inner any = v.text
	switch v.kind {
	case "BOOL":
		inner = v.flag
	case "NULL":
		inner = true
	case "L":
		inner = append([]dynamoValue{}, v.list...)
	case "M":
		inner = v.fields
	}
	return json.Marshal(map[string]any{v.kind: inner})
}

// size is what the value counts for in an item (Amazon DynamoDB: Item sizes and formats).
func (v dynamoValue) size() int {
	switch v.kind {
	case "S":
		return len(v.text)
	case "N":
		return len(v.text)/2 + 2
	case "L":
		total := 3
		for _, inner := range v.list {
			total += 1 + inner.size()
		}
		return total
	case "M":
		return 3 + len(v.fields) + v.fields.size()
	}
	return 1
}

func (item dynamoItem) size() (total int) {
	for name, v := range item {
		total += len(name) + v.size()
	}
	return total
}

// compare orders two values of one kind that has an order, and reports whether they are such.
func (v dynamoValue) compare(other dynamoValue) (int, bool) {
	switch {
	case v.kind != other.kind:
		return 0, false
	case v.kind == "S":
		return strings.Compare(v.text, other.text), true
	case v.kind == "N":
		return v.number.Cmp(other.number), true
	}
	return 0, false
}

// equal compares values of any kind.
func (v dynamoValue) equal(other dynamoValue) bool {
	if order, ok := v.compare(other); ok {
		return order == 0
	}
	a, errA := json.Marshal(v)
	b, errB := json.Marshal(other)
	return errA == nil && errB == nil && string(a) == string(b)
}
