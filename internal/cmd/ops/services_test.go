package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/smithy-go/encoding/cbor"
	"github.com/rogpeppe/go-internal/testscript"
)

// services are what doctor reads of AWS beside the account: SQS, SNS and CloudWatch, each in its
// protocol. It is safe for concurrent use.
type services struct {
	mu            sync.Mutex
	url           string
	queues        map[string]int // messages, by URL
	subscriptions []string       // ARNs, as SNS lists them
	metrics       map[string][]float64
	denied        bool
}

func newServices(t interface{ Cleanup(func()) }) *services {
	s := &services{queues: map[string]int{}, metrics: map[string][]float64{"OldestOverdue": {60}, "Invocations": {1, 1, 1}, "Errors": {0, 1, 0}}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *services) environment() map[string]string {
	return map[string]string{"AWS_ENDPOINT_URL_SQS": s.url, "AWS_ENDPOINT_URL_SNS": s.url, "AWS_ENDPOINT_URL_CLOUDWATCH": s.url}
}

func (s *services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case strings.HasSuffix(r.URL.Path, "/operation/GetMetricData"):
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		w.Header().Set("Content-Type", "application/cbor")
		_, _ = w.Write(s.metricData(body))
	case s.denied && r.Header.Get("X-Amz-Target") != "":
		jsonError(w, refusal{"AccessDeniedException", "User: arn:aws:iam::123456789012:user/x is not authorized to perform: sqs:GetQueueAttributes"})
	case r.Header.Get("X-Amz-Target") == "AmazonSQS.GetQueueAttributes":
		var in struct{ QueueUrl string }
		_ = json.Unmarshal(body, &in)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		fmt.Fprintf(w, `{"Attributes":{"ApproximateNumberOfMessages":"%d"}}`, s.queues[in.QueueUrl])
	case strings.Contains(string(body), "Action=ListSubscriptionsByTopic"):
		members := ""
		for _, arn := range s.subscriptions {
			members += "<member><SubscriptionArn>" + arn + "</SubscriptionArn></member>"
		}
		queryAnswer(w, "ListSubscriptionsByTopic", "<Subscriptions>"+members+"</Subscriptions>")
	default:
		w.WriteHeader(http.StatusNotImplemented)
	}
}

// metricData answers each query with the values of the metric's name.
func (s *services) metricData(body []byte) []byte {
	in, err := cbor.Decode(body)
	if err != nil {
		return nil
	}
	results := cbor.List{}
	for _, q := range in.(cbor.Map)["MetricDataQueries"].(cbor.List) {
		query := q.(cbor.Map)
		metric := query["MetricStat"].(cbor.Map)["Metric"].(cbor.Map)
		values := cbor.List{}
		for _, v := range s.metrics[string(metric["MetricName"].(cbor.String))] {
			values = append(values, cbor.Float64(v))
		}
		results = append(results, cbor.Map{"Id": query["Id"], "Values": values})
	}
	return cbor.Encode(cbor.Map{"MetricDataResults": results})
}

// cmdAWS changes what doctor finds: aws queue URL MESSAGES, aws metric NAME VALUE..., aws
// subscription ARN..., aws function NAME ERRORTYPE, aws concurrency N, aws denied.
func cmdAWS(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	w.services.mu.Lock()
	defer w.services.mu.Unlock()
	w.account.mu.Lock()
	defer w.account.mu.Unlock()
	number := func(text string) float64 {
		n, err := strconv.ParseFloat(text, 64)
		ts.Check(err)
		return n
	}
	switch args[0] {
	case "queue":
		w.services.queues[args[1]] = int(number(args[2]))
	case "metric":
		w.services.metrics[args[1]] = nil
		for _, text := range args[2:] {
			w.services.metrics[args[1]] = append(w.services.metrics[args[1]], number(text))
		}
	case "subscription":
		w.services.subscriptions = args[1:]
	case "function":
		w.functions[args[1]] = func([]byte) ([]byte, string, string) {
			return []byte(`{"errorType":"` + args[2] + `"}`), "Unhandled", ""
		}
	case "concurrency":
		w.limit = int(number(args[1]))
	case "denied":
		w.services.denied = true
	default:
		ts.Fatalf("aws: %s is no kind", args[0])
	}
}

// A signer is an issuer of tokens.
type signer struct {
	url  string
	key  *rsa.PrivateKey
	name string // by which it calls itself
	ec   bool   // it has a key for elliptic curves, too
}

var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newSigner(t interface{ Cleanup(func()) }) (*signer, error) {
	key, err := signingKey()
	if err != nil {
		return nil, err
	}
	s := &signer{key: key}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": s.name, "jwks_uri": s.url + "/keys"})
		case "/keys":
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": s.keys()})
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	s.url, s.name = server.URL, server.URL
	return s, nil
}

func (s *signer) keys() []map[string]string {
	keys := []map[string]string{{"kty": "RSA", "kid": "one", "use": "sig", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(s.key.N.Bytes())}}
	if s.ec {
		keys = append(keys, map[string]string{"kty": "EC", "kid": "two"})
	}
	return keys
}

// token returns a signed one.
func (s *signer) token(t *testing.T, header, claims map[string]any) string {
	t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := part(header) + "." + part(claims)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}
