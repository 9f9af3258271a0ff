package main

import (
	"net/http"
)

const workflow = "11111111-2222-3333-4444-555555555555"

// functions are all that is measured. What a further one needs beyond its entry
// here is a floor that does the same calls, and a world that has its upstreams.
var functions = []function{
	{
		key: "createsession", title: "createsession",
		about:   "POST /sessions with every field, not recorded (TABLE_NAME empty)",
		program: "createsession", event: "createsession-http-full.json", status: http.StatusCreated, lambdaCPU: "arm64", callers: 200,
		env:   func(w *world) map[string]string { return w.creating("") },
		floor: "createsession", floorDoes: "has a token and only forwards the body", floorEnv: (*world).forwarding,
		bounds: creationBounds(map[string]bound{
			"far_first":     {text: "<= 1 round trip + 9 ms", most: milliseconds(far.didit) + 9},
			"far_warm_p50":  {text: "<= 1.03 x floor", ofFloor: 1.03},
			"near_warm_p50": {text: "<= 1.25 x floor", ofFloor: 1.25},
		}),
	}, {
		key: "createsession-recording", title: "createsession, recording",
		about:   "the same, recorded in the table, as it is deployed",
		program: "createsession", event: "createsession-http-full.json", status: http.StatusCreated, lambdaCPU: "arm64", callers: 200,
		env:   func(w *world) map[string]string { return w.creating(tableName) },
		floor: "createsession", floorDoes: "has a token and only forwards the body", floorEnv: (*world).forwarding,
		bounds: creationBounds(map[string]bound{
			"far_first":    {text: "<= 1 round trip + 1 to AWS + 9 ms", most: milliseconds(far.didit+far.aws) + 9},
			"far_warm_p50": {text: "<= 1.03 x floor + 1 to AWS + 1 ms", ofFloor: 1.03, most: milliseconds(far.aws) + 1},
		}),
	}, {
		key: "webhook", title: "webhook",
		about:   "a signed delivery of 40 KiB, of a session on record",
		program: "webhook", event: "webhook-http-approved.json", payload: deliveries, status: http.StatusOK, lambdaCPU: "arm64",
		env: func(w *world) map[string]string {
			return map[string]string{
				"AWS_ENDPOINT_URL_SECRETS_MANAGER": w.secretsURL,
				"AWS_ENDPOINT_URL_DYNAMODB":        w.tableURL,
				"AWS_ENDPOINT_URL_EVENTBRIDGE":     w.busURL,
				"DIDIT_WEBHOOK_SECRET_ID":          webhookSecretID,
				"TABLE_NAME":                       tableName,
				"EVENT_BUS_NAME":                   busName,
			}
		},
		// The function reads the secret on its first call, as it must; the floor has it.
		floor: "webhook", floorDoes: "has the secret, checks one HMAC, reads one row, puts one event",
		floorEnv: func(w *world) map[string]string {
			return map[string]string{"TABLE_URL": w.tableURL, "TABLE_NAME": tableName, "BUS_URL": w.busURL, "EVENT_BUS_NAME": busName, "WEBHOOK_SECRET": webhookSecret}
		},
		bounds: map[string]bound{
			"near_warm_p50": {text: "<= 5 ms", most: 5},
			"peak_memory":   {text: "<= 25 MiB", most: 25},
		},
	}, {
		key: "getsession", title: "getsession",
		about:   "an Approved session of the caller's, from the table alone",
		program: "getsession", event: "getsession-http-one.json", status: http.StatusOK, lambdaCPU: "arm64",
		env: func(w *world) map[string]string {
			return map[string]string{
				"AWS_ENDPOINT_URL_SECRETS_MANAGER": w.secretsURL,
				"AWS_ENDPOINT_URL_DYNAMODB":        w.tableURL,
				"AWS_ENDPOINT_URL_EVENTBRIDGE":     w.busURL,
				"DIDIT_SECRET_ID":                  secretID,
				"DIDIT_AUTH_URL":                   w.authURL,
				"DIDIT_API_URL":                    w.apiURL,
				"TABLE_NAME":                       tableName,
				"EVENT_BUS_NAME":                   busName,
			}
		},
		floor: "getsession", floorDoes: "reads one row and answers with it as it comes",
		floorEnv: func(w *world) map[string]string {
			return map[string]string{"TABLE_URL": w.tableURL, "TABLE_NAME": tableName}
		},
	},
}

// creating is createsession's configuration; without a table it records nothing.
func (w *world) creating(table string) map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": w.secretsURL,
		"AWS_ENDPOINT_URL_DYNAMODB":        w.tableURL,
		"DIDIT_SECRET_ID":                  secretID,
		"DIDIT_AUTH_URL":                   w.authURL,
		"DIDIT_API_URL":                    w.apiURL,
		"WORKFLOW_IDS":                     workflow,
		"ALLOWED_CALLBACKS":                "https://example.com/verification",
		"TABLE_NAME":                       table,
	}
}

// forwarding is the configuration of createsession's floor.
func (w *world) forwarding() map[string]string {
	return map[string]string{"SESSION_URL": w.apiURL + "/v2/session/", "TOKEN": w.token}
}

// creationBounds are those that hold for createsession with and without a table,
// and own.
func creationBounds(own map[string]bound) map[string]bound {
	own["far_cold"] = bound{text: "<= 4 round trips + 30 ms", most: milliseconds(4*far.didit) + 30}
	own["init_network_down"] = bound{text: "<= 2 s", most: 2000}
	own["init_network_silent"] = bound{text: "<= 2 s", most: 2000}
	own["cold_secret_reads"] = bound{text: "exactly 1", exactly: 1}
	own["cold_token_requests"] = bound{text: "exactly 1", exactly: 1}
	own["binary_lambda"] = bound{text: "<= 13 MB", most: 13}
	own["peak_memory"] = bound{text: "<= 22 MiB", most: 22}
	return own
}
