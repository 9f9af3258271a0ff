package main

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"didit-sessions/internal/awsfake"
)

// arrival is a request that the gateway passes on.
type arrival struct {
	request    *http.Request
	route      *route
	parameters map[string]string // of the path; nil if there are none
	body       []byte
	authorizer map[string]any // nil if the route has none
	id         string
}

// event returns the request in payload format 2.0 (API Gateway: Working with AWS Lambda proxy
// integrations for HTTP APIs). Unlike REST APIs, HTTP APIs decode the path; the query stays
// encoded.
func (a arrival) event() []byte {
	r := a.request
	headers := map[string]string{"host": r.Host}
	for name, values := range r.Header {
		if name != "Cookie" {
			headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	now := time.Now().UTC()
	about := map[string]any{
		"accountId": awsfake.Account, "apiId": "local", "domainName": r.Host,
		"requestId": a.id, "routeKey": a.route.key(), "stage": "$default",
		"time": now.Format("02/Jan/2006:15:04:05 -0700"), "timeEpoch": now.UnixMilli(),
		"http": map[string]any{
			"method": r.Method, "path": r.URL.Path, "protocol": r.Proto, "sourceIp": host, "userAgent": r.UserAgent(),
		},
	}
	if a.authorizer != nil {
		about["authorizer"] = a.authorizer
	}
	e := map[string]any{
		"version": "2.0", "routeKey": a.route.key(), "rawPath": r.URL.Path, "rawQueryString": r.URL.RawQuery,
		"headers": headers, "requestContext": about, "isBase64Encoded": false,
	}
	if a.parameters != nil {
		e["pathParameters"] = a.parameters
	}
	if query := r.URL.Query(); len(query) > 0 {
		joined := make(map[string]string, len(query))
		for name, values := range query {
			joined[name] = strings.Join(values, ",")
		}
		e["queryStringParameters"] = joined
	}
	if cookies := r.Header.Values("Cookie"); len(cookies) > 0 {
		e["cookies"] = strings.Split(strings.Join(cookies, "; "), "; ")
	}
	if len(a.body) > 0 {
		text := isText(r.Header.Get("Content-Type")) && utf8.Valid(a.body)
		e["isBase64Encoded"] = !text
		e["body"] = base64.StdEncoding.EncodeToString(a.body)
		if text {
			e["body"] = string(a.body)
		}
	}
	payload, _ := json.Marshal(e)
	return payload
}

// isText reports whether API Gateway passes a body of this type on as text rather than base64.
func isText(contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	return media == "" || strings.HasPrefix(media, "text/") || media == "application/json" ||
		strings.HasSuffix(media, "+json")
}
