package watch

// List prices of us-east-1 in USD, without free tiers, as AWS published them in November 2026. This
// is the one place that has them.
const (
	pricePerRequest    = 0.20 / 1e6   // Lambda, an invocation
	pricePerGBSecond   = 0.0000133334 // Lambda on arm64
	pricePerHTTPCall   = 1.00 / 1e6   // API Gateway, HTTP API
	pricePerWriteUnit  = 0.625 / 1e6  // DynamoDB on demand
	pricePerReadUnit   = 0.125 / 1e6
	pricePerTableGB    = 0.25 + 0.20 // a month, with point-in-time recovery
	pricePerEvent      = 1.00 / 1e6  // EventBridge, custom events
	pricePerLogGB      = 0.50 + 0.03 // CloudWatch Logs, taken in and kept for a month
	pricePerSeries     = 0.30        // CloudWatch, custom metric, a month, of the first 10,000
	pricePerAlarmed    = 0.10        // CloudWatch, metric that an alarm reads, a month
	pricePerSecret     = 0.40        // Secrets Manager, a month
	pricePerSecretRead = 0.05 / 1e4
)

// What no test measures, because machines differ: seconds that a warm call is billed for at 256 MB,
// by the table of internal/README.md, or estimated from its like.
var seconds = map[string]float64{
	"createsession": 0.045, "getsession": 0.004, "webhook": 0.009, "trackstatus": 0.009, "reconcile": 0.008,
}

// Sizes and shares that are assumed.
const (
	accessLine  = 330    // bytes of a line of the API's log
	rowGB       = 2.5e-6 // of a record in the table and both indexes, with a hundred bytes of overhead each
	coldShare   = 0.01   // of calls that begin with a cold start and read a secret
	coldSeconds = 0.2    // that such a call is billed for in addition
	runsAMonth  = 60 * 24 * 30
	keptMonths  = 12 // that records have been collected for
)
