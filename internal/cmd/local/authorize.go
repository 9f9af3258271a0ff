package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"didit-sessions/internal/awsfake"
)

// authorize returns the event's authorizer block, or the status with which to refuse the request.
func (g *gateway) authorize(r *http.Request) (block map[string]any, refusal int) {
	header := r.Header.Get("Authorization")
	if g.iam {
		if !strings.HasPrefix(header, "AWS4-HMAC-SHA256") {
			return nil, http.StatusForbidden
		}
		return map[string]any{"iam": map[string]any{"accountId": awsfake.Account, "cognitoIdentity": nil,
			"userArn": "arn:aws:iam::" + awsfake.Account + ":user/local"}}, 0
	}
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, http.StatusUnauthorized
	}
	return map[string]any{"jwt": map[string]any{"claims": claims(token), "scopes": nil}}, 0
}

// claims reads a JWT without verifying it; any other token is the user's name. API Gateway turns
// every claim into a string.
func claims(token string) map[string]string {
	parts := strings.Split(token, ".")
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
	return map[string]string{"sub": token}
}

// claimText returns a claim as API Gateway passes it on: numbers in digits, arrays as [a b],
// objects as JSON.
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
