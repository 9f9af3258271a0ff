// Package upstream calls AWS services for the floors, with net/http alone. It does not sign: the
// fakes check the form of a signature only, and the time that the AWS SDK spends on one counts as
// the product's.
package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Operation is one operation of an AWS service that speaks the AWS JSON protocol.
type Operation struct {
	URL     string // the service's endpoint
	Service string // as signatures name it
	Target  string // for example "DynamoDB_20120810.GetItem"
	Version string // of the protocol: "1.0" or "1.1"
}

// Post sends the JSON document and returns the answer; any status but 200 is an error. It is safe
// for concurrent use.
func (o Operation) Post(ctx context.Context, document string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.URL, strings.NewReader(document))
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC().Format("20060102T150405Z")
	request.Header.Set("Content-Type", "application/x-amz-json-"+o.Version)
	request.Header.Set("X-Amz-Target", o.Target)
	request.Header.Set("X-Amz-Date", now)
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"+now[:8]+"/eu-west-1/"+o.Service+
		"/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers with status %d: %s", o.Target, response.StatusCode, answer)
	}
	return answer, err
}

// GetItem reads a session's row from the table at url, with a strongly consistent read.
func GetItem(ctx context.Context, url, table, sessionID string) ([]byte, error) {
	read := Operation{URL: url, Service: "dynamodb", Target: "DynamoDB_20120810.GetItem", Version: "1.0"}
	return read.Post(ctx, fmt.Sprintf(`{"TableName":%q,"ConsistentRead":true,"Key":{"pk":{"S":%q},"sk":{"S":"S"}}}`, table, sessionID))
}

// Latest reads the latest 100 rows of an owner from the table at url, by its index.
func Latest(ctx context.Context, url, table, owner string) ([]byte, error) {
	query := Operation{URL: url, Service: "dynamodb", Target: "DynamoDB_20120810.Query", Version: "1.0"}
	return query.Post(ctx, fmt.Sprintf(`{"TableName":%q,"IndexName":"owner","ScanIndexForward":false,"Limit":100,`+
		`"KeyConditionExpression":"#o = :o","ExpressionAttributeNames":{"#o":"vendor_data"},`+
		`"ExpressionAttributeValues":{":o":{"S":%q}}}`, table, owner))
}
