package dynamodb

import (
	"encoding/json"
	"math/big"
	"regexp"
	"strings"
)

// attributeMap is an item, a key, or a map in one. Items are never modified in place.
type attributeMap map[string]attributeValue

// attributeValue is the value of an attribute. There are no sets and no binary values.
type attributeValue struct {
	kind   string // S, N, BOOL, NULL, L or M
	text   string // of S; of N in a canonical form
	number *big.Rat
	flag   bool
	list   []attributeValue
	fields attributeMap
}

// numberForm matches what DynamoDB accepts as a number, with an exponent of at most three digits.
var numberForm = regexp.MustCompile(`^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?$`)

// maxDigits is the limit for significant digits of a number.
const maxDigits = 38

// UnmarshalJSON decodes a value such as {"S":"text"}.
func (v *attributeValue) UnmarshalJSON(text []byte) error {
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
	return invalid("this fake does not have the datatype " + v.kind)
}

func (v *attributeValue) parseNumber() error {
	number, ok := new(big.Rat), numberForm.MatchString(v.text)
	if ok {
		number, ok = number.SetString(v.text)
	}
	if !ok {
		return invalid("The parameter cannot be converted to a numeric value: " + v.text)
	}
	*v = numberValue(number)
	if len(strings.Trim(strings.ReplaceAll(strings.TrimPrefix(v.text, "-"), ".", ""), "0")) > maxDigits {
		return invalid("Attempting to store more than 38 significant digits in a Number")
	}
	return nil
}

func numberValue(number *big.Rat) attributeValue {
	text := number.Num().String()
	if !number.IsInt() {
		text = strings.TrimRight(number.FloatString(1100), "0")
	}
	return attributeValue{kind: "N", text: text, number: number}
}

// MarshalJSON encodes the value as UnmarshalJSON decodes it.
func (v attributeValue) MarshalJSON() ([]byte, error) {
	var inner any = v.text
	switch v.kind {
	case "BOOL":
		inner = v.flag
	case "NULL":
		inner = true
	case "L":
		inner = append([]attributeValue{}, v.list...)
	case "M":
		inner = v.fields
	}
	return json.Marshal(map[string]any{v.kind: inner})
}

// size returns what the value adds to the size of an item (Amazon DynamoDB: Item sizes and
// formats).
func (v attributeValue) size() int {
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

func (item attributeMap) size() (total int) {
	for name, v := range item {
		total += len(name) + v.size()
	}
	return total
}

// compare orders two values, and reports whether they have an order: two strings, or two numbers.
func (v attributeValue) compare(other attributeValue) (int, bool) {
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

// equal reports whether the values are the same, of any type.
func (v attributeValue) equal(other attributeValue) bool {
	if order, ok := v.compare(other); ok {
		return order == 0
	}
	a, errA := json.Marshal(v)
	b, errB := json.Marshal(other)
	return errA == nil && errB == nil && string(a) == string(b)
}
