package lambdatest

import (
	"regexp"
	"strings"
)

// dynamoScope is what the expressions of one request share.
type dynamoScope struct {
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues dynamoItem

	usedNames, usedValues map[string]bool
}

// begin refuses placeholders that DynamoDB refuses whatever the expressions say.
func (s *dynamoScope) begin() error {
	s.usedNames, s.usedValues = map[string]bool{}, map[string]bool{}
	switch {
	case s.ExpressionAttributeNames != nil && len(s.ExpressionAttributeNames) == 0:
		return invalid("ExpressionAttributeNames must not be empty")
	case s.ExpressionAttributeValues != nil && len(s.ExpressionAttributeValues) == 0:
		return invalid("ExpressionAttributeValues must not be empty")
	}
	return nil
}

// end refuses placeholders that no expression used.
func (s *dynamoScope) end() error {
	for name := range s.ExpressionAttributeNames {
		if !s.usedNames[name] {
			return invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {" + name + "}")
		}
	}
	for name := range s.ExpressionAttributeValues {
		if !s.usedValues[name] {
			return invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {" + name + "}")
		}
	}
	return nil
}

// dynamoParser walks over an expression's tokens. The first error stays, and ends the walk.
type dynamoParser struct {
	scope  *dynamoScope
	kind   string // as "UpdateExpression", for messages
	tokens []string
	err    error
}

var dynamoToken = regexp.MustCompile(`^(?:[#:]?[A-Za-z0-9_]+|<=|>=|<>|[=<>+\-(),])`)

// parse cuts the text into tokens.
func (s *dynamoScope) parse(kind, text string) *dynamoParser {
	p := &dynamoParser{scope: s, kind: kind}
	if strings.TrimSpace(text) == "" {
		p.fail("The expression can not be empty;")
		return p
	}
	for rest := strings.TrimSpace(text); rest != ""; {
		token := dynamoToken.FindString(rest)
		if token == "" {
			p.fail("Syntax error; token: \"" + rest[:1] + "\"")
			return p
		}
		p.tokens = append(p.tokens, token)
		rest = strings.TrimSpace(rest[len(token):])
	}
	return p
}

func (p *dynamoParser) fail(message string) {
	if p.err == nil {
		p.err = invalid("Invalid " + p.kind + ": " + message)
	}
	p.tokens = nil
}

// peek is the next token, or nothing at the end.
func (p *dynamoParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *dynamoParser) next() string {
	token := p.peek()
	if token == "" {
		p.fail("Syntax error; token: <EOF>")
		return ""
	}
	p.tokens = p.tokens[1:]
	return token
}

// accept takes the next token if it is that one; words in any case.
func (p *dynamoParser) accept(token string) bool {
	if token == "" || !strings.EqualFold(p.peek(), token) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *dynamoParser) expect(token string) {
	if !p.accept(token) {
		p.fail("Syntax error; token: \"" + p.peek() + "\", expected: \"" + token + "\"")
	}
}

// path takes the name of an attribute, by itself or behind a placeholder.
func (p *dynamoParser) path() string {
	token := p.next()
	switch {
	case p.err != nil:
		return ""
	case token[0] == '#':
		name, ok := p.scope.ExpressionAttributeNames[token]
		if !ok {
			p.fail("An expression attribute name used in the document path is not defined; attribute name: " + token)
		}
		p.scope.usedNames[token] = true
		return name
	case !isLetter(token[0]):
		p.fail("Syntax error; token: \"" + token + "\"")
	case reserved[strings.ToLower(token)]:
		p.fail("Attribute name is a reserved keyword; reserved keyword: " + token)
	}
	return token
}

// literal takes the value behind a placeholder.
func (p *dynamoParser) literal() dynamoValue {
	token := p.next()
	if p.err != nil {
		return dynamoValue{}
	}
	v, ok := p.scope.ExpressionAttributeValues[token]
	switch {
	case token[0] != ':':
		p.fail("Syntax error; token: \"" + token + "\"")
	case !ok:
		p.fail("An expression attribute value used in expression is not defined; attribute value: " + token)
	}
	p.scope.usedValues[token] = true
	return v
}

// finish refuses what is left over.
func (p *dynamoParser) finish() error {
	if token := p.peek(); token != "" {
		p.fail("Syntax error; token: \"" + token + "\"")
	}
	return p.err
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// reserved are words that no expression may use for an attribute but behind a placeholder: not all
// of DynamoDB's, but those that a table like ours is likely to use, and the language's own.
var reserved = words(`
	action add and any as asc at attribute between by case check comment count counter create current data date
	day default delete desc describe domain duration each end error escape exists exit false final first for
	from function group hash hour if in index input item items key keys language last left length level limit
	list local location lock map max method min minute mode month name names next no not null number object of
	on open option or order owner partition path percent percentile position private public query range rank raw read
	reads reference region release remove rename request response result return role row rows scan schema scope
	second section sequence session set share source start state static status string sub system table text then
	time timestamp to token total transaction true truncate ttl type unique update url usage user users uuid
	value values view where window with work year zone`)

func words(text string) map[string]bool {
	set := make(map[string]bool)
	for _, word := range strings.Fields(text) {
		set[word] = true
	}
	return set
}
