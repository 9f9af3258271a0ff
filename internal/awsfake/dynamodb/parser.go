package dynamodb

import (
	"regexp"
	"slices"
	"strings"
)

// placeholders are the placeholders of a request, which its expressions share.
type placeholders struct {
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues attributeMap

	tokens []string // of all expressions
}

// checkUsed refuses empty lists of placeholders, and placeholders that no expression has used.
func (s *placeholders) checkUsed() error {
	if err := checkUsed("ExpressionAttributeNames", s.ExpressionAttributeNames, s.tokens); err != nil {
		return err
	}
	return checkUsed("ExpressionAttributeValues", s.ExpressionAttributeValues, s.tokens)
}

func checkUsed[V any](parameter string, list map[string]V, tokens []string) error {
	if list != nil && len(list) == 0 {
		return invalid(parameter + " must not be empty")
	}
	for name := range list {
		if !slices.Contains(tokens, name) {
			return invalid("Value provided in " + parameter + " unused in expressions: keys: {" + name + "}")
		}
	}
	return nil
}

// expressionParser parses the tokens of an expression. After the first error, which it keeps, there
// are no more tokens.
type expressionParser struct {
	scope  *placeholders
	kind   string // for messages, for example "UpdateExpression"
	tokens []string
	err    error
}

var lexeme = regexp.MustCompile(`^(?:[#:]?[A-Za-z0-9_]+|<=|>=|<>|[=<>+\-(),])`)

// parse splits the text into tokens.
func (s *placeholders) parse(kind, text string) *expressionParser {
	p := &expressionParser{scope: s, kind: kind}
	if strings.TrimSpace(text) == "" {
		p.fail("The expression can not be empty;")
		return p
	}
	for rest := strings.TrimSpace(text); rest != ""; {
		token := lexeme.FindString(rest)
		if token == "" {
			p.fail("Syntax error; token: \"" + rest[:1] + "\"")
			return p
		}
		p.tokens = append(p.tokens, token)
		rest = strings.TrimSpace(rest[len(token):])
	}
	s.tokens = append(s.tokens, p.tokens...)
	return p
}

func (p *expressionParser) fail(message string) {
	if p.err == nil {
		p.err = invalid("Invalid " + p.kind + ": " + message)
	}
	p.tokens = nil
}

// peek returns the next token; empty at the end.
func (p *expressionParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *expressionParser) next() string {
	token := p.peek()
	if token == "" {
		p.fail("Syntax error; token: <EOF>")
		return ""
	}
	p.tokens = p.tokens[1:]
	return token
}

// accept consumes the next token if it is the given one, in upper or lower case.
func (p *expressionParser) accept(token string) bool {
	if token == "" || !strings.EqualFold(p.peek(), token) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *expressionParser) expect(token string) {
	if !p.accept(token) {
		p.fail("Syntax error; token: \"" + p.peek() + "\", expected: \"" + token + "\"")
	}
}

// path consumes the name of an attribute or its placeholder, and returns the name.
func (p *expressionParser) path() string {
	token := p.next()
	switch {
	case p.err != nil:
		return ""
	case token[0] == '#':
		name, ok := p.scope.ExpressionAttributeNames[token]
		if !ok {
			p.fail("An expression attribute name used in the document path is not defined; attribute name: " + token)
		}
		return name
	case !isLetter(token[0]):
		p.fail("Syntax error; token: \"" + token + "\"")
	case slices.Contains(reserved, strings.ToLower(token)):
		p.fail("Attribute name is a reserved keyword; reserved keyword: " + token)
	}
	return token
}

// isCall reports whether a function is next.
func (p *expressionParser) isCall() bool { return len(p.tokens) > 1 && p.tokens[1] == "(" }

// literal consumes the placeholder of a value, and returns the value.
func (p *expressionParser) literal() attributeValue {
	token := p.next()
	if p.err != nil {
		return attributeValue{}
	}
	v, ok := p.scope.ExpressionAttributeValues[token]
	switch {
	case token[0] != ':':
		p.fail("Syntax error; token: \"" + token + "\"")
	case !ok:
		p.fail("An expression attribute value used in expression is not defined; attribute value: " + token)
	}
	return v
}

// finish refuses further tokens.
func (p *expressionParser) finish() error {
	if token := p.peek(); token != "" {
		p.fail("Syntax error; token: \"" + token + "\"")
	}
	return p.err
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// reserved are words that need a placeholder: those of DynamoDB's list that a table like ours is
// likely to use, and those of the expression language.
var reserved = strings.Fields(`
	action add and any as asc at attribute between by case check comment count counter create current data date
	day default delete desc describe domain duration each end error escape exists exit false final first for
	from function group hash hour if in index input item items key keys language last left length level limit
	list local location lock map max method min minute mode month name names next no not null number object of
	on open option or order owner partition path percent percentile position private public query range rank raw read
	reads reference region release remove rename request response result return role row rows scan schema scope
	second section sequence session set share source start state static status string sub system table text then
	time timestamp to token total transaction true truncate ttl type unique update url usage user users uuid
	value values view where window with work year zone`)
