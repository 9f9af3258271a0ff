package repotest

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"didit-sessions/internal/aws/table"
	"didit-sessions/internal/verification"
)

// meanings are what properties of template.yaml must be, with the reason. A path leads from the
// resources, its keys separated by "|".
var meanings = []struct{ path, want, because string }{
	{"Api|Properties|FailOnWarnings", `true`, "without it a wrong issuer silently loses routes"},
	{"Api|Properties|DefinitionBody", `{openapi: 3.0.1, info: {title: !Ref AWS::StackName, version: "1.0", description: Verification sessions (didit-sessions)}, servers: [{url: /}],
		paths: {"/sessions/{session_id}": {get: {parameters: [{name: session_id, in: path, required: true, schema: {type: string}}]}}}}`,
		"what SAM leaves out, API Gateway warns of at the import: the URL of the server, the schema of the path parameter"},
	{"Api|Properties|Auth|Fn::If|0", `Jwt`, "CallerAuth decides"},
	{"Api|Properties|Auth|Fn::If|1", `{Authorizers: {Jwt: {IdentitySource: $request.header.Authorization, JwtConfiguration: {issuer: !Ref JwtIssuer, audience: !Split [",", !Ref JwtAudience]}}}}`,
		"tokens of this issuer for this audience alone; under a default authorizer the webhook's route would name a scheme that does not exist"},
	{"Api|Properties|Auth|Fn::If|2", `{EnableIamAuthorizer: true}`, "servers sign with AWS credentials"},
	{"Api|Properties|CorsConfiguration|Fn::If|0", `Cors`, "no page may call the API unless its origin is named"},
	{"Api|Properties|CorsConfiguration|Fn::If|1|AllowOrigins", `!Split [",", !Ref AllowedOrigins]`, "no other origins than those named"},
	{"Api|Properties|CorsConfiguration|Fn::If|1|AllowMethods", `[GET, POST]`, "the methods of the routes"},
	{"Api|Properties|CorsConfiguration|Fn::If|1|AllowHeaders", `[authorization, content-type, x-amz-content-sha256, x-amz-date, x-amz-security-token]`, "what a page sends with either kind of proof"},
	{"Api|Properties|CorsConfiguration|Fn::If|1|ExposeHeaders", `[location, retry-after]`, "a page reads these of our answers"},
	{"Api|Properties|CorsConfiguration|Fn::If|1|AllowCredentials", ``, "no cookie is taken"},
	{"Api|Properties|CorsConfiguration|Fn::If|2", `!Ref AWS::NoValue`, "no page may call the API unless its origin is named"},
	{"Api|Properties|DefaultRouteSettings", `{ThrottlingRateLimit: !Ref ThrottleRate, ThrottlingBurstLimit: !Ref ThrottleBurst}`, "POST /sessions stays below Didit's limits, which the operator may know better"},
	{"Api|Properties|RouteSettings|POST /sessions", ``, "the parameters are its throttle"},
	{"Api|Properties|RouteSettings|POST /webhooks/didit", `{ThrottlingRateLimit: 500, ThrottlingBurstLimit: 1000}`, "Didit never retries a 429, so the limit is far above what it sends"},
	{"Api|Properties|RouteSettings|GET /sessions", `{ThrottlingRateLimit: 20, ThrottlingBurstLimit: 40}`, "each list reads up to 100 rows"},
	{"Api|Properties|AccessLogSettings|DestinationArn", `!GetAtt ApiLogGroup.Arn`, "its own log group"},
	{"Api|Properties|Domain", ``, "SAM takes no condition here"},
	{"Domain", `{Type: AWS::ApiGatewayV2::DomainName, Condition: WithDomain, Properties: {DomainName: !Ref DomainName, DomainNameConfigurations: [{CertificateArn: !Ref CertificateArn, EndpointType: REGIONAL, SecurityPolicy: TLS_1_2}]}}`, "TLS 1.2 at least"},
	{"DomainMapping", `{Type: AWS::ApiGatewayV2::ApiMapping, Condition: WithDomain, Properties: {ApiId: !Ref Api, DomainName: !Ref Domain, Stage: !Ref ApiApiGatewayDefaultStage}}`, "all of the domain is the API's"},
	{"ApiLogGroup|Properties|LogGroupName", `!Sub "/aws/vendedlogs/${AWS::StackName}/api"`, "the prefix keeps the account's policy for log delivery small"},

	{"EventBus|Properties|Name", `!Sub "${AWS::StackName}-sessions"`, "subscribers name the bus"},
	{"EventBusPolicy|Condition", ``, "the bus is never without it"},
	{"EventBusPolicy|Properties|EventBusName", `!Ref EventBus`, "it is the policy of this bus"},
	{"EventBusPolicy|Properties|Statement|Effect", `Deny`, "anyone who could publish here could declare a user verified"},
	{"EventBusPolicy|Properties|Statement|Principal", `"*"`, "it denies all but the functions named"},
	{"EventBusPolicy|Properties|Statement|Action", `events:PutEvents`, "publishing is what it denies"},
	{"EventBusPolicy|Properties|Statement|Resource", `!GetAtt EventBus.Arn`, "it is the policy of this bus"},

	{"WebhookFunction|Properties|Timeout", `10`, "Didit waits 5 s; the function answers after 4.5 s, and a cold start comes on top"},
	{"CreateSessionFunction|Properties|Timeout", `28`, "API Gateway ends an integration at 30 s; the function answers at 26 s"},
	{"GetSessionFunction|Properties|Timeout", `28`, "API Gateway ends an integration at 30 s; the function answers at 26 s"},
	{"GetDecisionFunction|Properties|Timeout", `28`, "two attempts at Didit of 10 s each fit"},
	{"TrackStatusFunction|Properties|Timeout", `30`, "a final status completes every task that waits"},
	{"AwaitDecisionFunction|Properties|Timeout", `30`, "two attempts at Didit of 10 s each fit"},
	{"EraseUserFunction|Properties|Timeout", `300`, "Didit allows few deletions a minute"},
	{"ReconcileFunction|Properties|Timeout", `50`, "a run ends before the next one begins"},

	{"WebhookFunction|Properties|Events", `{Post: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: /webhooks/didit, PayloadFormatVersion: "2.0"}}}`, "Didit's signature is the authority, so the route has no authorizer"},
	{"CreateSessionFunction|Properties|Events", `{Post: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: /sessions, PayloadFormatVersion: "2.0", Auth: {Authorizer: !FindInMap [Door, !Ref CallerAuth, Authorizer]}}}}`,
		"nothing is open by default"},
	{"GetSessionFunction|Properties|Events|Get|Properties", `{ApiId: !Ref Api, Method: GET, Path: "/sessions/{session_id}", PayloadFormatVersion: "2.0", Auth: {Authorizer: !FindInMap [Door, !Ref CallerAuth, Authorizer]}}`, "nothing is open by default"},
	{"GetSessionFunction|Properties|Events|List|Properties", `{ApiId: !Ref Api, Method: GET, Path: /sessions, PayloadFormatVersion: "2.0", Auth: {Authorizer: !FindInMap [Door, !Ref CallerAuth, Authorizer]}}`, "nothing is open by default"},
	{"GetDecisionFunction|Properties|Events", ``, "it returns personal data: trusted callers invoke it directly"},
	{"EraseUserFunction|Properties|Events", ``, "it destroys: trusted callers invoke it directly"},
	{"AwaitDecisionFunction|Properties|Events", ``, "workflows invoke it directly"},

	{"TrackStatusFunction|Properties|Events|StatusUpdated|Type", `EventBridgeRule`, "events of the bus invoke it"},
	{"TrackStatusFunction|Properties|Events|StatusUpdated|Properties|EventBusName", `!Ref EventBus`, "events of this bus alone: on the default one others publish"},
	{"TrackStatusFunction|Properties|Events|StatusUpdated|Properties|Pattern", `{source: [` + verification.EventSource + `], detail-type: [` + verification.DetailStatusUpdated + `]}`, "unrecorded sessions and data updates change no status"},
	{"TrackStatusFunction|Properties|Events|StatusUpdated|Properties|RetryPolicy", `{MaximumEventAgeInSeconds: 86400, MaximumRetryAttempts: 185}`, "EventBridge's most: a day of trouble loses nothing"},
	{"TrackStatusFunction|Properties|Events|StatusUpdated|Properties|DeadLetterConfig", `{Arn: !GetAtt HandOverQueue.Arn}`, "the queue that lets this rule in"},
	{"TrackStatusFunction|Properties|EventInvokeConfig", `{MaximumEventAgeInSeconds: 21600, MaximumRetryAttempts: 2, DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt FailedEventsQueue.Arn}}}`, "what the function fails on is kept, six hours of trouble are waited for"},
	{"ReconcileFunction|Properties|Events", `{EveryMinute: {Type: Schedule, Properties: {Description: Looks for sessions that stayed unfinished for too long (didit-sessions), Schedule: rate(1 minute)}}}`, "the reads of every minute are used"},
	{"ReconcileFunction|Properties|EventInvokeConfig", `{MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 0}`, "the next run makes up for one that failed, and two at once help nothing"},

	{"HandOverQueuePolicy|Properties|Queues", `[!Ref HandOverQueue]`, "the rule's dead-letter queue"},
	{"HandOverQueuePolicy|Properties|PolicyDocument|Statement", `[{Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: sqs:SendMessage, Resource: !GetAtt HandOverQueue.Arn, Condition: {ArnEquals: {aws:SourceArn: !GetAtt TrackStatusFunctionStatusUpdated.Arn}}}]`,
		"EventBridge may send, for this rule alone"},

	{"SessionsTable|Condition", `CreateTable`, "not beside an existing one"},
	{"SessionsTable|DeletionPolicy", `RetainExceptOnCreate`, "a deleted stack keeps the records, a first deployment that fails leaves no table behind"},
	{"SessionsTable|UpdateReplacePolicy", `Retain`, "a replaced table keeps its records"},
	{"SessionsTable|Properties|PointInTimeRecoverySpecification", `{PointInTimeRecoveryEnabled: true}`, "what is lost can be brought back"},
	{"SessionsTable|Properties|SSESpecification", `{SSEEnabled: true}`, "vendor data identifies users"},

	{"DiditSecret|Condition", `CreateSecret`, "not beside an existing one"},
	{"DiditSecret|Properties|KmsKeyId", `!If [SecretKey, !Ref SecretKmsKeyArn, !Ref AWS::NoValue]`, "a key parameter for each secret"},
	{"DiditSecret|Properties|SecretString", ``, "no secret in a template"},
	{"DiditSecret|Properties|GenerateSecretString", ``, "a made-up value would look like credentials"},
	{"WebhookSecret|Condition", `CreateWebhookSecret`, "not beside an existing one"},
	{"WebhookSecret|Properties|KmsKeyId", `!If [WebhookSecretKey, !Ref WebhookSecretKmsKeyArn, !Ref AWS::NoValue]`, "a key parameter for each secret"},
	{"WebhookSecret|Properties|SecretString", ``, "no secret in a template"},
	{"WebhookSecret|Properties|GenerateSecretString", ``, "a made-up value would look like Didit's"},

	{"RolloutRole|Condition", `WithRollout`, "no right without a rollout"},
	{"RolloutRole|Properties|AssumeRolePolicyDocument|Statement", `[{Effect: Allow, Principal: {Service: codedeploy.amazonaws.com}, Action: sts:AssumeRole}]`, "CodeDeploy alone"},
	{"RolloutRole|Properties|ManagedPolicyArns", ``, "its rights are its statements"},
	{"AlarmTopic|Condition", `CreateTopic`, "not beside an existing one"},
	{"AlarmTopic|Properties", `{Subscription: [{Protocol: email, Endpoint: !Ref AlarmEmail}]}`, "alarms are the only thing sent there"},
	{"Dashboard|Condition", `WithDashboard`, "from the fourth on a dashboard costs money"},

	{"GetDecisionFunction|Condition", `WithGetDecision`, "on request only: it returns personal data"},
	{"GetDecisionRole|Condition", `WithGetDecision`, "no right without its function"},
	{"GetDecisionLogGroup|Condition", `WithGetDecision`, "no group without its function"},
	{"EraseUserFunction|Condition", `WithEraseUser`, "on request only: it destroys"},
	{"EraseUserRole|Condition", `WithEraseUser`, "no right without its function"},
	{"EraseUserLogGroup|Condition", `WithEraseUser`, "no group without its function"},
	{"VerifyIdentity|Condition", `WithStateMachine`, "on request only"},
	{"VerifyIdentityRole|Condition", `WithStateMachine`, "no right without its state machine"},
	{"VerifyIdentity|Properties", `{Type: STANDARD, DefinitionUri: functions/awaitdecision/verifyidentity.asl.json, Role: !GetAtt VerifyIdentityRole.Arn, DefinitionSubstitutions: {CreateSessionFunctionArn: !Ref CreateSessionFunction.Alias, AwaitDecisionFunctionArn: !Ref AwaitDecisionFunction.Alias}}`,
		"an express workflow ends after five minutes, and an execution that waits for days calls what is deployed then"},
	{"VerifyIdentityRole|Properties|AssumeRolePolicyDocument|Statement", `[{Effect: Allow, Principal: {Service: states.amazonaws.com}, Action: sts:AssumeRole}]`, "Step Functions alone"},
	{"VerifyIdentityRole|Properties|ManagedPolicyArns", ``, "its rights are its statements"},
	{"VerifyIdentityRole|Properties|Policies|0|PolicyDocument|Statement", `[{Sid: CreateAndAwait, Effect: Allow, Action: lambda:InvokeFunction, Resource: [!Ref CreateSessionFunction.Alias, !Ref AwaitDecisionFunction.Alias]}]`, "what the state machine invokes"},
	{"VerifyIdentityRole|Properties|Policies|1", ``, "its rights are its statements"},
}

// conditionsWanted are the conditions, by what the rules above take them to mean.
var conditionsWanted = map[string]string{
	"Jwt":                 `!Equals [!Ref CallerAuth, jwt]`,
	"Cors":                `!Not [!Equals [!Ref AllowedOrigins, ""]]`,
	"CreateSecret":        `!Equals [!Ref ExistingSecretArn, ""]`,
	"CreateWebhookSecret": `!Equals [!Ref ExistingWebhookSecretArn, ""]`,
	"SecretKey":           `!Not [!Equals [!Ref SecretKmsKeyArn, ""]]`,
	"WebhookSecretKey":    `!Not [!Equals [!Ref WebhookSecretKmsKeyArn, ""]]`,
	"TaskKeys":            `!Not [!Equals [!Ref TaskKmsKeyArns, ""]]`,
	"Reserve":             `!Not [!Equals [!Ref ReservedConcurrency, 0]]`,
	"WithStateMachine":    `!Equals [!Ref DeployStateMachine, "yes"]`,
	"WithGetDecision":     `!Equals [!Ref DeployGetDecision, "yes"]`,
	"WithEraseUser":       `!Equals [!Ref DeployEraseUser, "yes"]`,
	"CreateTable":         `!Equals [!Ref ExistingTableName, ""]`,
	"Boundary":            `!Not [!Equals [!Ref PermissionsBoundaryArn, ""]]`,
	"WithRollout":         `!Not [!Equals [!Ref Rollout, "no"]]`,
	"WithDomain":          `!And [!Not [!Equals [!Ref DomainName, ""]], !Not [!Equals [!Ref CertificateArn, ""]]]`,
	"CreateTopic":         `!Not [!Equals [!Ref AlarmEmail, ""]]`,
	"ExistingTopic":       `!Not [!Equals [!Ref AlarmTopicArn, ""]]`,
	"WithDashboard":       `!Equals [!Ref DeployDashboard, "yes"]`,
}

// defaults are the parameters' values unless the operator says otherwise; of every other parameter
// it is empty, which leaves the choice to the functions or means none.
var defaults = map[string]struct{ value, because string }{
	"CallerAuth":          {"jwt", "the stricter door: users can name only themselves"},
	"ThrottleRate":        {"4", "below Didit's 300 writes a minute"},
	"ThrottleBurst":       {"20", "below Didit's 300 writes a minute"},
	"MemorySize":          {"256", "a larger share of a processor than 128 MB has"},
	"ReservedConcurrency": {"0", "an account limited to 10 cannot reserve"},
	"LogRetentionDays":    {"30", "logs cost money"},
	"Reverify":            {"no", "a second verification costs money, and a user"},
	"DeployStateMachine":  {"no", "on request only"},
	"DeployGetDecision":   {"no", "on request only: it returns personal data"},
	"DeployEraseUser":     {"no", "on request only: it destroys"},
	"DeployDashboard":     {"yes", "three are free"},
	"Rollout":             {"no", "each off by default"},
}

// outputs are what users of the stack are given.
var outputs = map[string]string{
	"ApiUrl":                    `!If [WithDomain, !Sub "https://${DomainName}", !GetAtt Api.ApiEndpoint]`,
	"SessionsUrl":               `!If [WithDomain, !Sub "https://${DomainName}/sessions", !Sub "${Api.ApiEndpoint}/sessions"]`,
	"WebhookUrl":                `!If [WithDomain, !Sub "https://${DomainName}/webhooks/didit", !Sub "${Api.ApiEndpoint}/webhooks/didit"]`,
	"CreateSessionFunctionArn":  `!Sub "${CreateSessionFunction.Arn}:live"`,
	"AwaitDecisionFunctionArn":  `!Ref AwaitDecisionFunction.Alias`,
	"GetDecisionFunctionArn":    `!Ref GetDecisionFunction.Alias`,
	"EraseUserFunctionArn":      `!Ref EraseUserFunction.Alias`,
	"VerifyIdentityArn":         `!Ref VerifyIdentity`,
	"SecretArn":                 `!If [CreateSecret, !Ref DiditSecret, !Ref ExistingSecretArn]`,
	"WebhookSecretArn":          `!If [CreateWebhookSecret, !Ref WebhookSecret, !Ref ExistingWebhookSecretArn]`,
	"EventBusName":              `!Ref EventBus`,
	"CreateSessionLogGroupName": `!Ref CreateSessionLogGroup`,
	"ApiLogGroupName":           `!Ref ApiLogGroup`,
	"GetSessionLogGroupName":    `!Ref GetSessionLogGroup`,
	"WebhookLogGroupName":       `!Ref WebhookLogGroup`,
	"TrackStatusLogGroupName":   `!Ref TrackStatusLogGroup`,
	"AwaitDecisionLogGroupName": `!Ref AwaitDecisionLogGroup`,
	"ReconcileLogGroupName":     `!Ref ReconcileLogGroup`,
	"GetDecisionLogGroupName":   `!Ref GetDecisionLogGroup`,
	"EraseUserLogGroupName":     `!Ref EraseUserLogGroup`,
	"TrackStatusFunctionArn":    `!Ref TrackStatusFunction.Alias`,
	"ReconcileFunctionArn":      `!Ref ReconcileFunction.Alias`,
	"HandOverQueueUrl":          `!Ref HandOverQueue`,
	"FailedEventsQueueUrl":      `!Ref FailedEventsQueue`,
	"TableName":                 `!If [CreateTable, !Ref SessionsTable, !Ref ExistingTableName]`,
	"DomainTarget":              `!GetAtt Domain.RegionalDomainName`,
	"DashboardUrl":              `!Sub "https://${AWS::Region}.console.aws.amazon.com/cloudwatch/home?region=${AWS::Region}#dashboards/dashboard/${AWS::StackName}"`,
}

// environment is the value of each variable, wherever it stands.
var environment = map[string]string{
	"DIDIT_SECRET_ID":         `!If [CreateSecret, !Ref DiditSecret, !Ref ExistingSecretArn]`,
	"DIDIT_WEBHOOK_SECRET_ID": `!If [CreateWebhookSecret, !Ref WebhookSecret, !Ref ExistingWebhookSecretArn]`,
	"DIDIT_AUTH_URL":          `!Ref DiditAuthUrl`,
	"DIDIT_API_URL":           `!Ref DiditApiUrl`,
	"DIDIT_API_VERSION":       `!Ref DiditApiVersion`,
	"WORKFLOW_IDS":            `!Ref WorkflowIds`,
	"BIOMETRIC_WORKFLOW_IDS":  `!Ref BiometricWorkflowIds`,
	"CALLER_AUTH":             `!Ref CallerAuth`,
	"PRINCIPAL_CLAIM":         `!Ref PrincipalClaim`,
	"USER_FIELDS":             `!Ref UserFields`,
	"EXTRA_FIELDS":            `!Ref ExtraFields`,
	"ALLOWED_CALLBACKS":       `!Ref AllowedCallbacks`,
	"TABLE_NAME":              `!If [CreateTable, !Ref SessionsTable, !Ref ExistingTableName]`,
	"RETENTION_DAYS":          `!Ref RetentionDays`,
	"EVENT_BUS_NAME":          `!Ref EventBus`,
	"WEBHOOK_TOLERANCE":       `!Ref WebhookTolerance`,
	"RECONCILE_AFTER":         `!Ref ReconcileAfter`,
	"READS_PER_MINUTE":        `!Ref ReadsPerMinute`,
	"STACK_NAME":              `!Ref AWS::StackName`,
	"REVERIFY":                `!Ref Reverify`,
	"SESSIONS_PER_DAY":        `!Ref SessionsPerDay`,
}

// Ensure that the template means what it should.
func TestTemplateMeaning(t *testing.T) {
	t.Parallel()
	tm := parseTemplate(t)
	check := func(where string, got any, want, because string) {
		t.Helper()
		if want == "" {
			if got != nil {
				t.Errorf("%s is %s, want nothing there: %s", where, canonical(got), because)
			}
		} else if got == nil || canonical(got) != canonical(snippet(t, want)) {
			t.Errorf("%s is %s, want %s: %s", where, canonical(got), canonical(snippet(t, want)), because)
		}
	}
	for _, m := range meanings {
		if id, _, _ := strings.Cut(m.path, "|"); tm.resources[id] == nil {
			t.Errorf("there is no %s", id)
			continue
		}
		check(m.path, at(tm.resources, m.path), m.want, m.because)
	}
	for name, want := range conditionsWanted {
		check("the condition "+name, tm.conditions[name], want, "the rules of this test take it to mean that")
	}
	for name := range tm.conditions {
		if conditionsWanted[name] == "" {
			t.Errorf("the condition %s: what it means is not said here", name)
		}
	}
	for name, parameter := range tm.parameters {
		want, value := defaults[name], at(parameter, "Default")
		switch {
		case name == "WorkflowIds" && value == nil: // there is no good default
		case value != want.value:
			t.Errorf("%s is %v by default, want %q: %s", name, value, want.value, want.because)
		}
	}
	for name, output := range tm.root["Outputs"].(object) {
		if want := outputs[name]; want == "" {
			t.Errorf("the output %s: what its value is is not said here", name)
		} else {
			check("the output "+name, at(output, "Value"), want, "it is what its name says, functions by their alias")
		}
	}
	check("Mappings", tm.root["Mappings"], `{Door: {jwt: {Authorizer: Jwt}, iam: {Authorizer: AWS_IAM}},
		Rollout: {"no": {Enabled: "false", Type: AllAtOnce}, canary: {Enabled: "true", Type: Canary10Percent5Minutes}, linear: {Enabled: "true", Type: Linear10PercentEvery1Minute}}}`, "a route's authorizer is the one that CallerAuth names")
	check("Transform", tm.root["Transform"], `[AWS::LanguageExtensions, AWS::Serverless-2016-10-31]`, "SAM must see the parameters' values")
	check("Globals", tm.root["Globals"], `{Function: {Runtime: provided.al2023, Architectures: [arm64], Handler: bootstrap, CodeUri: ., Environment: {Variables: {SSL_CERT_FILE: /etc/pki/tls/certs/ca-bundle.crt, SSL_CERT_DIR: /var/empty}}}}`,
		"the Makefile builds for arm64, one bundle of certificates is read, and no parameter reaches a version from here")
}

// Ensure what holds of all functions.
func TestTemplateFunctions(t *testing.T) {
	t.Parallel()
	tm := parseTemplate(t)
	reserved := []string{"CreateSessionFunction", "TrackStatusFunction", "WebhookFunction"}
	const reserve = `{"Fn::If":["Reserve",{"Ref":"ReservedConcurrency"},{"Ref":"AWS::NoValue"}]}`
	for _, directory := range functions(t) {
		id, properties := tm.function(t, directory)
		name := strings.TrimSuffix(id, "Function")
		for path, want := range map[string]any{
			"MemorySize": object{"Ref": "MemorySize"}, "AutoPublishAlias": "live", "AutoPublishAliasAllProperties": "true",
			"LoggingConfig": object{"LogFormat": "JSON", "SystemLogLevel": "WARN", "LogGroup": object{"Ref": name + "LogGroup"}},
			// Of Globals, nothing may be overridden.
			"Runtime": nil, "Architectures": nil, "Handler": nil, "CodeUri": nil, "Policies": nil, "FunctionUrlConfig": nil,
		} {
			if got := at(properties, path); canonical(got) != canonical(want) {
				t.Errorf("%s: %s is %s, want %s", id, path, canonical(got), canonical(want))
			}
		}
		want := "null"
		if slices.Contains(reserved, id) {
			want = reserve
		}
		if got := canonical(properties["ReservedConcurrentExecutions"]); got != want {
			t.Errorf("%s: reserves %s, want %s: webhook and trackstatus keep a share, createsession is capped", id, got, want)
		}
		for variable, value := range at(properties, "Environment|Variables").(object) {
			if want := environment[variable]; want == "" {
				t.Errorf("%s: %s: what its value is is not said here", id, variable)
			} else if canonical(value) != canonical(snippet(t, want)) {
				t.Errorf("%s: %s is %s, want %s", id, variable, canonical(value), want)
			}
		}
	}
	for _, id := range tm.ofKind("AWS::Logs::LogGroup") {
		if got := canonical(at(tm.resources, id+"|Properties|RetentionInDays")); got != `{"Ref":"LogRetentionDays"}` {
			t.Errorf("%s: keeps logs for %s, want what the parameter says", id, got)
		}
		if at(tm.resources, id+"|DeletionPolicy") != "Delete" {
			t.Errorf("%s: stays when the stack is deleted, and would be in the way of the next one", id)
		}
	}
}

// logged are the variables that the access log may have. API Gateway escapes nothing, so each is a
// number, a word or an id of the gateway's own; none is of the caller.
var logged = map[string]string{
	"$context.requestId": "EXAMPLE1abc=", "$context.requestTime": "26/Nov/2026:11:00:00 +0000", "$context.routeKey": "GET /sessions/{session_id}", "$context.status": "401",
	"$context.error.responseType": "UNAUTHORIZED", "$context.integrationStatus": "200", "$context.integration.integrationStatus": "200",
	"$context.integrationLatency": "12", "$context.responseLatency": "13",
}

// Ensure that every line of the access log is JSON, whatever a request holds, and says nothing of
// the caller.
func TestTemplateAccessLog(t *testing.T) {
	t.Parallel()
	format, ok := at(parseTemplate(t).resources, "Api|Properties|AccessLogSettings|Format").(string)
	if !ok {
		t.Fatal("the access log has no format")
	}
	var fields map[string]string
	if err := json.Unmarshal([]byte(format), &fields); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	values := slices.Sorted(maps.Values(fields))
	same(t, "variables of the access log", values, slices.Sorted(maps.Keys(logged)))
	for _, missing := range []bool{false, true} {
		line := regexp.MustCompile(`\$context[.\w]+`).ReplaceAllStringFunc(format, func(variable string) string {
			if missing {
				return "-"
			}
			return logged[variable]
		})
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of the access log is not JSON: %s", line)
		}
	}
}

// Ensure that the table is the one that the code creates in tests, to the last key.
func TestTemplateTable(t *testing.T) {
	t.Parallel()
	properties := at(parseTemplate(t).resources, "SessionsTable|Properties")
	schema := table.Schema("sessions")
	keys := func(elements []types.KeySchemaElement) []any {
		var list []any
		for _, e := range elements {
			list = append(list, object{"AttributeName": *e.AttributeName, "KeyType": string(e.KeyType)})
		}
		return list
	}
	var attributes, indexes []any
	for _, a := range schema.AttributeDefinitions {
		attributes = append(attributes, object{"AttributeName": *a.AttributeName, "AttributeType": string(a.AttributeType)})
	}
	for _, i := range schema.GlobalSecondaryIndexes {
		projection := object{"ProjectionType": string(i.Projection.ProjectionType)}
		if len(i.Projection.NonKeyAttributes) > 0 {
			var names []any
			for _, name := range i.Projection.NonKeyAttributes {
				names = append(names, name)
			}
			projection["NonKeyAttributes"] = names
		}
		indexes = append(indexes, object{"IndexName": aws.ToString(i.IndexName), "KeySchema": keys(i.KeySchema), "Projection": projection})
	}
	for path, want := range map[string]any{
		"BillingMode": string(schema.BillingMode), "AttributeDefinitions": attributes, "KeySchema": keys(schema.KeySchema), "GlobalSecondaryIndexes": indexes,
		"TimeToLiveSpecification": object{"AttributeName": table.ExpiryAttribute, "Enabled": "true"}, "TableName": nil,
	} {
		if got := at(properties, path); canonical(got) != canonical(want) {
			t.Errorf("%s of the table is %s, want %s", path, canonical(got), canonical(want))
		}
	}
}

// Ensure that the resources are these, so that a new kind comes with a rule.
func TestTemplateKinds(t *testing.T) {
	t.Parallel()
	tm := parseTemplate(t)
	n := len(functions(t))
	got := map[string]int{}
	for id := range tm.resources {
		got[at(tm.resources, id+"|Type").(string)]++
	}
	want := map[string]int{
		"AWS::Serverless::HttpApi": 1, "AWS::Serverless::Function": n, "AWS::IAM::Role": n + 2, "AWS::Logs::LogGroup": n + 1, "AWS::SecretsManager::Secret": 2,
		"AWS::DynamoDB::Table": 1, "AWS::Events::EventBus": 1, "AWS::Events::EventBusPolicy": 1, "AWS::SQS::Queue": 2, "AWS::SQS::QueuePolicy": 1,
		"AWS::CloudWatch::Alarm": 10, "AWS::Logs::MetricFilter": n + 4, "AWS::Logs::QueryDefinition": 3, "AWS::CloudWatch::Dashboard": 1, "AWS::SNS::Topic": 1,
		"AWS::Serverless::StateMachine": 1, "AWS::ApiGatewayV2::DomainName": 1, "AWS::ApiGatewayV2::ApiMapping": 1,
	}
	if !maps.Equal(got, want) {
		t.Errorf("the template has %v, want %v: a new resource needs a rule in this file", got, want)
	}
}

// Ensure that every role has the boundary, and that new versions of what is called all the time are
// rolled out, and are taken back by the alarms of the template.
func TestTemplateShipping(t *testing.T) {
	t.Parallel()
	tm := parseTemplate(t)
	for _, id := range tm.ofKind("AWS::IAM::Role") {
		if got, want := canonical(at(tm.resources, id+"|Properties|PermissionsBoundary")), `{"Fn::If":["Boundary",{"Ref":"PermissionsBoundaryArn"},{"Ref":"AWS::NoValue"}]}`; got != want {
			t.Errorf("%s: has the boundary %s, want %s", id, got, want)
		}
	}
	const preference = `{Enabled: !FindInMap [Rollout, !Ref Rollout, Enabled], Type: !FindInMap [Rollout, !Ref Rollout, Type], Role: !If [WithRollout, !GetAtt RolloutRole.Arn, !Ref AWS::NoValue],
		Alarms: [!Sub "${AWS::StackName}-FunctionErrors", !Sub "${AWS::StackName}-ServerErrors"]}`
	var shifted []any
	for _, directory := range functions(t) {
		id, properties := tm.function(t, directory)
		onRequest := at(tm.resources, id+"|Condition") != nil
		if got := properties["DeploymentPreference"]; onRequest && got != nil || !onRequest && canonical(got) != canonical(snippet(t, preference)) {
			t.Errorf("%s: is rolled out by %s, want %s", id, canonical(got), preference)
		}
		if !onRequest {
			shifted = append(shifted, object{"Fn::GetAtt": id + ".Arn"}, object{"Fn::Sub": "${" + id + ".Arn}:live"})
		}
	}
	for _, name := range []string{"FunctionErrors", "ServerErrors"} {
		if got, want := canonical(at(tm.resources, name+"Alarm|Properties|AlarmName")), `{"Fn::Sub":"${AWS::StackName}-`+name+`"}`; got != want {
			t.Errorf("the alarm %s has the name %s, want %s, by which a rollout finds it", name, got, want)
		}
	}
	sorted := func(list []any) string {
		var texts []string
		for _, v := range list {
			texts = append(texts, canonical(v))
		}
		slices.Sort(texts)
		return strings.Join(texts, " ")
	}
	statements := many(at(tm.resources, "RolloutRole|Properties|Policies|0|PolicyDocument|Statement"))
	if got := sorted(many(at(statements[0], "Resource"))); len(statements) != 2 || got != sorted(shifted) {
		t.Errorf("a rollout may shift the calls of %s, want %s", got, sorted(shifted))
	}
	for i, want := range []string{`[lambda:GetAlias, lambda:UpdateAlias, lambda:GetProvisionedConcurrencyConfig]`, `cloudwatch:DescribeAlarms`} {
		if got := at(statements[i], "Action"); canonical(got) != canonical(snippet(t, want)) {
			t.Errorf("a rollout may %s, want %s", canonical(got), want)
		}
	}
}
