"""Compares the rights of a deployer, a policy in functions/README.md, with what a deployment needs.

CloudFormation calls AWS with the deployer's rights. Which calls a type of resource takes stands in AWS's schemas of
resource types, which come with cfn-lint; which types there are is seen in the transformed template, with everything
on. The policy must allow them on the names that CloudFormation gives, and nothing that is not needed.

Usage: deployer.py TEMPLATE README
"""

import json
import re
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import cfnlint
from transform import STACKS, pairwise, transform

HEADING = "### Rights of a deployer"

# Services that handlers of the types can call and this template has no use for, with the reason.
UNUSED = {
    "ec2": "no function is in a VPC",
    "elasticfilesystem": "no function has a file system",
    "s3files": "no function has a file system",
    "kinesis": "the table streams nowhere",
    "firehose": "no log goes to a delivery stream",
    "kms": "the policy of a key that you bring along says who may use it",
}
UNUSED_ACTIONS = {
    "iam:AttachRolePolicy": "no role has a managed policy",
    "iam:DetachRolePolicy": "no role has a managed policy",
}

# What the SAM CLI and the operator's tool call themselves.
TOOLS = """
cloudformation:CreateChangeSet cloudformation:DeleteChangeSet cloudformation:DeleteStack cloudformation:DescribeChangeSet
cloudformation:DescribeStackEvents cloudformation:DescribeStacks cloudformation:ExecuteChangeSet cloudformation:GetTemplate
cloudformation:GetTemplateSummary cloudformation:ListStackResources cloudformation:UpdateTerminationProtection
s3:CreateBucket s3:PutObject s3:GetObject s3:DeleteObject s3:ListBucket s3:PutBucketPolicy s3:PutBucketVersioning
s3:PutEncryptionConfiguration s3:PutBucketPublicAccessBlock s3:PutBucketTagging
lambda:GetAccountSettings lambda:InvokeFunction dynamodb:ListTables dynamodb:GetItem secretsmanager:GetSecretValue
secretsmanager:PutSecretValue logs:FilterLogEvents events:ListRules kms:DescribeKey
""".split()

# What a service does with the deployer's rights beside what the schema of its type names.
BESIDE = {"AWS::ApiGatewayV2::DomainName": ["iam:CreateServiceLinkedRole"]}  # with the first domain of an account

ACCOUNT = "eu-west-1:123456789012"
# API Gateway authorises the tags of a resource on a path of their own, which ends in the resource's encoded ARN. The
# SAM CLI and samconfig.toml tag every one.
TAGGED = [f"arn:aws:apigateway:eu-west-1::/tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2F{path}" for path in ("apis%2Fa1b2c3", "domainnames%2Fidv.example.com")]
# Names that CloudFormation gives to resources of a stack didit-sessions-dev, by service. A secret and a state machine
# are named by their logical ids alone.
NAMES = {
    "apigateway": ["arn:aws:apigateway:eu-west-1::/apis", "arn:aws:apigateway:eu-west-1::/apis/a1b2c3/stages/$default", "arn:aws:apigateway:eu-west-1::/domainnames", *TAGGED],
    "cloudformation": [f"arn:aws:cloudformation:{ACCOUNT}:stack/didit-sessions-dev/1", f"arn:aws:cloudformation:{ACCOUNT}:stack/aws-sam-cli-managed-default/1"],
    "cloudwatch": [f"arn:aws:cloudwatch:{ACCOUNT}:alarm:didit-sessions-dev-Slow-1"],
    "codedeploy": [
        f"arn:aws:codedeploy:{ACCOUNT}:application:didit-sessions-dev-ServerlessDeploymentApplication-1",
        f"arn:aws:codedeploy:{ACCOUNT}:deploymentgroup:didit-sessions-dev-ServerlessDeploymentApplication-1/didit-sessions-dev-WebhookFunctionDeploymentGroup-1",
        f"arn:aws:codedeploy:{ACCOUNT}:deploymentconfig:CodeDeployDefault.LambdaCanary10Percent5Minutes",
    ],
    "dynamodb": [f"arn:aws:dynamodb:{ACCOUNT}:table/didit-sessions-dev-SessionsTable-1"],
    "events": [
        f"arn:aws:events:{ACCOUNT}:event-bus/didit-sessions-dev-sessions",
        f"arn:aws:events:{ACCOUNT}:rule/didit-sessions-dev-sessions/didit-sessions-dev-TrackStatusFunctionStatusUpdated-1",
        f"arn:aws:events:{ACCOUNT}:rule/didit-sessions-dev-ReconcileFunctionEveryMinute-1",
    ],
    "iam": ["arn:aws:iam::123456789012:role/didit-sessions-dev-WebhookRole-1"],
    "kms": [f"arn:aws:kms:{ACCOUNT}:key/1"],
    "lambda": [f"arn:aws:lambda:{ACCOUNT}:function:didit-sessions-dev-WebhookFunction-1"],
    "logs": [f"arn:aws:logs:{ACCOUNT}:log-group:didit-sessions-dev-WebhookLogGroup-1:*", f"arn:aws:logs:{ACCOUNT}:log-group:/aws/vendedlogs/didit-sessions-dev/api:*"],
    "s3": ["arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-1", "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-1/key"],
    "secretsmanager": [f"arn:aws:secretsmanager:{ACCOUNT}:secret:DiditSecret-1-AbCdEf", f"arn:aws:secretsmanager:{ACCOUNT}:secret:WebhookSecret-1-AbCdEf"],
    "sns": [f"arn:aws:sns:{ACCOUNT}:didit-sessions-dev-AlarmTopic-1"],
    "sqs": [f"arn:aws:sqs:{ACCOUNT}:didit-sessions-dev-HandOverQueue-1"],
    "states": [f"arn:aws:states:{ACCOUNT}:stateMachine:VerifyIdentity-1"],
}
# Calls that are not on those names: no type but API Gateway's domain needs a service-linked role, since the table scales
# without one.
NAMES_OF_CALLS = {"iam:CreateServiceLinkedRole": ["arn:aws:iam::123456789012:role/aws-service-role/ops.apigateway.amazonaws.com/AWSServiceRoleForAPIGateway"]}
# Calls that are about the account and no resource, so that they need a *.
ACCOUNT_WIDE = re.compile(
    r"\w+:(List(Functions|Tables|Topics|Queues|Roles|StateMachines|Secrets|EventBuses|Dashboards|Applications)|GetAccountSettings|GetRandomPassword"
    r"|Describe(Alarms|LogGroups|QueryDefinitions|ResourcePolicies)|\w+LogDelivery|GetTemplateSummary)"
    r"|logs:(Put|Delete)(QueryDefinition|ResourcePolicy)"
)


def needed(text):
    """Yields each call with the type of resource that it is for."""
    handlers = {}
    for file in (Path(cfnlint.__file__).parent / "data/schemas/resources").glob("*.json"):
        schema = json.loads(file.read_text())
        handlers[schema.get("typeName")] = schema.get("handlers", {})
    stacks = [*STACKS.values(), *(parameters for _, parameters in pairwise())]
    kinds = {r["Type"] for parameters in stacks for r in transform(text, parameters)["Resources"].values()}
    for kind in sorted(kinds):
        if kind not in handlers:
            yield kind, None
        for call in BESIDE.get(kind, []):
            yield kind, call
        for handler in handlers.get(kind, {}).values():
            for call in handler.get("permissions", []):
                if call.split(":")[0] not in UNUSED and call not in UNUSED_ACTIONS:
                    yield kind, call
    for call in TOOLS:
        yield "the tools", call


def listed(value):
    return value if isinstance(value, list) else [value]


def matches(pattern, value):
    return fnmatchcase(value.lower(), pattern.lower())


def allowed(policy, call):
    resources = [r for s in policy["Statement"] if any(matches(a, call) for a in listed(s["Action"])) for r in listed(s["Resource"])]
    if ACCOUNT_WIDE.fullmatch(call):
        return "*" in resources
    names = NAMES_OF_CALLS.get(call) or NAMES.get(call.split(":")[0])
    return bool(names) and all(any(matches(r, name) for r in resources) for name in names)


def faults(text, readme):
    policy = json.loads(re.search(HEADING + r".*?```json\n(.+?)```", readme, re.DOTALL).group(1))
    calls = list(needed(text))
    for kind, call in sorted({c for c in calls if c[1] is None or not allowed(policy, c[1])}, key=str):
        yield f"{kind}: {call or 'no schema of this type'} is not allowed on the names that CloudFormation gives"
    for statement in policy["Statement"]:
        for action in listed(statement["Action"]):
            if not any(call and matches(action, call) for _, call in calls):
                yield f"{action} is allowed and not needed"
            wide = "*" in listed(statement["Resource"]) and any(call and matches(action, call) and not ACCOUNT_WIDE.fullmatch(call) for _, call in calls)
            if wide:
                yield f"{action} is allowed on everything, and can be bound to names"


def main():
    template, readme = (Path(argument).read_text() for argument in sys.argv[1:])
    found = list(faults(template, readme))
    for fault in found:
        print(f"{sys.argv[2]}, {HEADING.strip('# ')}: {fault}", file=sys.stderr)
    if not found:
        print(f"{sys.argv[2]}: the rights of a deployer are those that a deployment needs")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
