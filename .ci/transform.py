"""Runs the two transforms of template.yaml as CloudFormation does, without AWS, for every kind of caller.

Linters accept templates that the transforms refuse, or that deploy a route without its authorizer. This fails on both.
"""

import logging
import re
import sys
from pathlib import Path

from samcli.commands.validate.lib.exceptions import InvalidSamDocumentException
from samcli.lib.cfn_language_extensions.exceptions import InvalidTemplateException
from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse

REGION = "us-east-1"
# SAM warns that its own usage metrics went nowhere, where they belong.
logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)

# Routes that prove their caller otherwise, with the reason.
OPEN_ROUTES = {("post", "/webhooks/didit"): "Didit's signature is the authority"}

WORKFLOW = {"WorkflowIds": "11111111-2222-3333-4444-555555555555"}
JWT = {**WORKFLOW, "CallerAuth": "jwt", "JwtIssuer": "https://issuer.example.com/", "JwtAudience": "web,app"}
IAM = {**WORKFLOW, "CallerAuth": "iam"}
STACKS = {
    "jwt": JWT,
    "iam": IAM,
    "jwt, web pages": {**JWT, "AllowedOrigins": "https://app.example.com,http://localhost:5173"},
    "iam, existing secret and key": {
        **IAM,
        "ExistingSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:didit-AbCdEf",
        "ExistingWebhookSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:hook-AbCdEf",
        "SecretKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555",
    },
    "jwt, all on request": {
        **JWT,
        "DeployStateMachine": "yes",
        "DeployGetDecision": "yes",
        "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms",
    },
}

# A value of each that reaches some function's environment; together they reach every function's.
CHANGED = {"PrincipalClaim": "changed", "RetentionDays": "99", "DiditApiVersion": "v3"}

# Statements that no single resource can stand for, with the reason.
WIDE = {("CompleteTasks", "Resource"): "Step Functions checks SendTask* on the state machine that waits, which others may own"}


class NoManagedPolicies:
    """The template names no managed policy; looking one up would ask AWS."""

    def load(self):
        raise InvalidSamDocumentException("a managed policy is named: write the statements that are needed instead")


def transform(text, parameters):
    validator = SamTemplateValidator(
        yaml_parse(text),
        NoManagedPolicies(),
        region=REGION,
        parameter_overrides={**defaults(text), **parameters},
        language_extensions_enabled=True,
    )
    return yaml_parse(validator.get_translated_template_if_valid())


def defaults(text):
    parameters = yaml_parse(text)["Parameters"]
    return {name: str(p["Default"]) for name, p in parameters.items() if "Default" in p}


def find(template, kind):
    return {name: r["Properties"] for name, r in template["Resources"].items() if r["Type"] == kind}


def route_faults(template, auth):
    """Every route of every API must demand the proof that CallerAuth names."""
    routes = 0
    for api, properties in find(template, "AWS::ApiGatewayV2::Api").items():
        body = properties["Body"]
        schemes = body.get("components", {}).get("securitySchemes", {})
        for path, methods in body["paths"].items():
            for method, operation in methods.items():
                routes += 1
                names = [name for entry in operation.get("security", []) for name in entry]
                if (method, path) in OPEN_ROUTES:
                    if any(name != "NONE" for name in names):
                        yield f"{api}: {method.upper()} {path} has an authorizer: {OPEN_ROUTES[method, path]}"
                    continue
                if len(names) != 1:
                    yield f"{api}: {method.upper()} {path} has no authorizer"
                elif not proves(schemes.get(names[0], {}), auth):
                    yield f"{api}: {method.upper()} {path} has an authorizer that is not {auth}: {schemes.get(names[0])}"
        if not properties.get("FailOnWarnings"):
            yield f"{api}: FailOnWarnings is off: API Gateway would drop what it does not understand"
    if not routes:
        yield "no route at all"


def proves(scheme, auth):
    if auth == "iam":
        return scheme.get("x-amazon-apigateway-authtype") == "awsSigv4"
    authorizer = scheme.get("x-amazon-apigateway-authorizer", {})
    return authorizer.get("type") == "jwt" and authorizer.get("jwtConfiguration") == {
        "issuer": JWT["JwtIssuer"],
        "audience": JWT["JwtAudience"].split(","),
    }


def policy_faults(template):
    for name, role in find(template, "AWS::IAM::Role").items():
        if role.get("ManagedPolicyArns"):
            yield f"{name}: has managed policies"
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                for key in ("Action", "Resource"):
                    values = statement[key] if isinstance(statement[key], list) else [statement[key]]
                    if any("*" in str(v) for v in values) and (statement.get("Sid"), key) not in WIDE:
                        yield f"{name}: {statement.get('Sid')} has a * in its {key}"


def cors_faults(template, origins):
    for name, api in find(template, "AWS::ApiGatewayV2::Api").items():
        got = api["Body"].get("x-amazon-apigateway-cors", {}).get("allowOrigins")
        want = origins.split(",") if origins else None
        if got != want:
            yield f"{name}: allows the origins {got}, want {want}"


def versions(template):
    """The versions of the functions that are deployed: a resource whose condition is false is not."""
    off = {name for name, c in template["Conditions"].items() if len(set(c.get("Fn::Equals", [""]))) == 2}
    return {
        name
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Version" and resource.get("Condition") not in off
    }


def version_faults(text, template, parameters):
    """A changed parameter must make a new version, or the alias goes on with the old configuration."""
    changed = transform(text, {**parameters, **CHANGED})
    for name in versions(template) & versions(changed):
        yield f"a changed parameter publishes no new version: {name} stays"


def source_faults(text):
    """What the transforms do with these differs between CloudFormation's and this one, so the source is asked."""
    source = yaml_parse(text)
    if source["Transform"] != ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]:
        yield "the language extensions must come first, then SAM: SAM sees the parameters' values only then"
    everywhere = source.get("Globals", {}).get("Function", {})
    for name, function in find(source, "AWS::Serverless::Function").items():
        function = {**everywhere, **function}
        if not function.get("AutoPublishAlias") or function.get("AutoPublishAliasAllProperties") is not True:
            yield f"{name}: needs AutoPublishAlias and AutoPublishAliasAllProperties"


def reference_faults(text, template):
    """cfn-lint lets a misspelt name pass in a template with language extensions."""
    known = yaml_parse(text)["Parameters"].keys() | template["Resources"].keys()
    for name in sorted(references([template["Resources"], template["Outputs"]])):
        if name not in known and not name.startswith("AWS::"):
            yield f"{name} is neither a parameter nor a resource"


def references(node):
    if isinstance(node, str):
        return set(re.findall(r"\$\{([A-Za-z][\w:]*)", node))
    if isinstance(node, list):
        return {name for entry in node for name in references(entry)}
    if not isinstance(node, dict):
        return set()
    names = references(list(node.values()))
    if "Ref" in node:
        names.add(node["Ref"])
    if "Fn::GetAtt" in node:
        target = node["Fn::GetAtt"]
        names.add(target.split(".")[0] if isinstance(target, str) else target[0])
    return names


def main():
    text = Path(sys.argv[1]).read_text()
    failed = False
    for name, parameters in STACKS.items():
        try:
            template = transform(text, parameters)
            faults = [
                *source_faults(text),
                *reference_faults(text, template),
                *route_faults(template, parameters["CallerAuth"]),
                *policy_faults(template),
                *cors_faults(template, parameters.get("AllowedOrigins")),
                *version_faults(text, template, parameters),
            ]
        except (InvalidSamDocumentException, InvalidTemplateException) as error:
            faults = [str(error)]
        for fault in faults:
            print(f"{sys.argv[1]} ({name}): {fault}", file=sys.stderr)
        if not faults:
            print(f"{sys.argv[1]} ({name}): transformed, {len(template['Resources'])} resources")
        failed = failed or bool(faults)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
