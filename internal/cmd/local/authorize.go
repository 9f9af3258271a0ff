package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// authorize makes the event's authorizer block, or says with which status to refuse.
func (g *gateway) authorize(r *http.Request) (block map[string]any, refusal int) {
	header := r.Header.Get("Authorization")
	if g.iam {
		if !strings.HasPrefix(header, "AWS4-HMAC-SHA256") {
			return nil, http.StatusForbidden
		}
		return map[string]any{"iam": map[string]any{"accountId": accountID, "cognitoIdentity": nil,
			"userArn": "arn:aws:iam::" + accountID + ":user/local"}}, 0
	}
	kind, word, _ := strings.Cut(header, " ")
	word = strings.TrimSpace(word)
	if !strings.EqualFold(kind, "Bearer") || word == "" {
		return nil, http.StatusUnauthorized
	}
	return map[string]any{"jwt": map[string]any{"claims": claims(word), "scopes": nil}}, 0
}

// claims reads a JWT without verifying it; a word that is none is the user's name. API Gateway
// makes texts of all claims.
func claims(word string) map[string]string {
	parts := strings.Split(word, ".")
	if len(parts) == 3 {
		payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
		var values map[string]any
		if err == nil && json.Unmarshal(payload, &values) == nil {
			texts := make(map[string]string, len(values))
			for name, value := range values {
				texts[name] = claimText(value)
			}
			return texts
		}
	}
	return map[string]string{"sub": word}
}

// claimText is what API Gateway makes of a claim: numbers in digits, lists as [a b], objects as
// JSON.
func claimText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		texts := make([]string, len(v))
		for i, item := range v {
			texts[i] = claimText(item)
		}
		return "[" + strings.Join(texts, " ") + "]"
	default:
		text, _ := json.Marshal(v)
		return string(text)
	}
}
