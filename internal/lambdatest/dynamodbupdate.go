package lambdatest

import (
	"errors"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// dynamoAction is one thing that an update does, to one attribute.
type dynamoAction struct {
	path string
	// value is what the attribute becomes, by the item as it was before the update; nil takes the
	// attribute away.
	value func(before dynamoItem) (dynamoValue, error)
}

// update reads an update expression.
func (s *dynamoScope) update(text string) ([]dynamoAction, error) {
	p := s.parse("UpdateExpression", text)
	var actions []dynamoAction
	seen := make(map[string]bool)
	for p.err == nil && p.peek() != "" {
		clause := strings.ToUpper(p.next())
		if seen[clause] {
			p.fail("The \"" + clause + "\" section can only be used once in an update expression;")
		}
		seen[clause] = true
		for more := p.err == nil; more; more = p.accept(",") {
			actions = append(actions, p.action(clause))
		}
	}
	for i, action := range actions {
		if slices.ContainsFunc(actions[:i], func(other dynamoAction) bool { return other.path == action.path }) {
			p.fail("Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [" + action.path + "]")
		}
	}
	return actions, p.finish()
}

func (p *dynamoParser) action(clause string) dynamoAction {
	a := dynamoAction{path: p.path()}
	switch clause {
	case "SET":
		p.expect("=")
		a.value = p.sum()
	case "ADD":
		own, by := dynamoOperand{path: a.path}, p.literal()
		if p.err == nil && by.kind != "N" {
			p.fail("Incorrect operand type for operator or function; operator: ADD, operand type: " + by.kind)
		}
		a.value = func(before dynamoItem) (dynamoValue, error) {
			if v, ok := own.in(before); ok {
				return added(v, by, 1)
			}
			return by, nil
		}
	case "REMOVE":
	default:
		p.fail("Syntax error; token: \"" + clause + "\"")
	}
	return a
}

// sum takes an operand, or two with a sign between them.
func (p *dynamoParser) sum() func(dynamoItem) (dynamoValue, error) {
	left := p.updateOperand()
	sign := int64(1)
	switch {
	case p.accept("+"):
	case p.accept("-"):
		sign = -1
	default:
		return left
	}
	right := p.updateOperand()
	return func(before dynamoItem) (dynamoValue, error) {
		a, errA := left(before)
		b, errB := right(before)
		if err := errors.Join(errA, errB); err != nil {
			return a, err
		}
		return added(a, b, sign)
	}
}

func (p *dynamoParser) updateOperand() func(dynamoItem) (dynamoValue, error) {
	if len(p.tokens) > 1 && p.tokens[1] == "(" {
		if name := p.next(); name != "if_not_exists" {
			p.fail("Invalid function name; function: " + name)
		}
		p.expect("(")
		path := p.path()
		p.expect(",")
		otherwise := p.updateOperand()
		p.expect(")")
		return func(before dynamoItem) (dynamoValue, error) {
			if v, ok := before[path]; ok {
				return v, nil
			}
			return otherwise(before)
		}
	}
	o := p.operand()
	return func(before dynamoItem) (dynamoValue, error) {
		v, ok := o.in(before)
		if !ok {
			return v, invalid("The provided expression refers to an attribute that does not exist in the item")
		}
		return v, nil
	}
}

func added(a, b dynamoValue, sign int64) (dynamoValue, error) {
	if a.kind != "N" || b.kind != "N" {
		return a, invalid("An operand in the update expression has an incorrect data type")
	}
	b = numberValue(new(big.Rat).Mul(b.number, big.NewRat(sign, 1)))
	return numberValue(new(big.Rat).Add(a.number, b.number)), nil
}

// apply makes the item that the actions make of before.
func apply(actions []dynamoAction, before dynamoItem) (dynamoItem, error) {
	after := maps.Clone(before)
	for _, action := range actions {
		if action.value == nil {
			delete(after, action.path)
			continue
		}
		v, err := action.value(before)
		if err != nil {
			return nil, err
		}
		after[action.path] = v
	}
	return after, nil
}
