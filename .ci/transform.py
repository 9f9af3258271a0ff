"""Runs both transforms of template.yaml as CloudFormation does, without AWS, for every kind of caller.

Linters accept templates that the transforms refuse, that deploy a route without its authorizer, whose OpenAPI document API
Gateway refuses to import, or in which a changed parameter reaches no function. This fails on all of them.

Usage: transform.py TEMPLATE [FOLDER ...], each folder with the jars of one version of swagger-parser.
"""

import json
import logging
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from cfnlint.api import lint_file
from cfnlint.config import ManualArgs
from samcli.commands.validate.lib.exceptions import InvalidSamDocumentException
from samcli.lib.cfn_language_extensions.exceptions import InvalidTemplateException
from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse

REGION = "us-east-1"
# SAM warns that it could not send its own usage metrics.
logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)
# It also warns that it has no list of features that AWS tries out.
logging.getLogger("samtranslator.feature_toggle.feature_toggle").setLevel(logging.ERROR)

# Routes without an authorizer, with the reason.
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
        "WebhookSecretKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/66666666-7777-8888-9999-000000000000",
        "TaskKmsKeyArns": "arn:aws:kms:us-east-1:123456789012:key/1,arn:aws:kms:us-east-1:123456789012:key/2",
    },
    "jwt, all on request": {
        **JWT,
        "DeployStateMachine": "yes",
        "DeployGetDecision": "yes",
        "DeployEraseUser": "yes",
        "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms",
    },
}

# A second value of each parameter that turns something on, which may be combined in any way.
SWITCHES = {
    "CallerAuth": "iam",
    "AllowedOrigins": "https://app.example.com",
    "ExistingSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:didit-AbCdEf",
    "SecretKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555",
    "ExistingWebhookSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:hook-AbCdEf",
    "WebhookSecretKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/66666666-7777-8888-9999-000000000000",
    "TaskKmsKeyArns": "arn:aws:kms:us-east-1:123456789012:key/1",
    "DeployStateMachine": "yes",
    "DeployGetDecision": "yes",
    "DeployEraseUser": "yes",
    "Rollout": "canary",
    "ReservedConcurrency": "10",
    "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary",
    "ExistingTableName": "sessions-of-an-earlier-stack",
    "AlarmEmail": "ops@example.com",
    "DeployDashboard": "no",
    "DomainName": "idv.example.com",
}
# Switches that come with another parameter.
TOGETHER = {"DomainName": {"CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"}}

# What the documentation has users write into the template: it may not break a deployment.
EDITED = {
    "closed endpoint": ("      FailOnWarnings: true\n", "      FailOnWarnings: true\n      DisableExecuteApiEndpoint: true\n"),
}

# A second value of every parameter without AllowedValues.
CHANGED = {
    "WorkflowIds": "*",
    "BiometricWorkflowIds": "11111111-2222-3333-4444-555555555555",
    "ExistingSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:didit-AbCdEf",
    "SecretKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1",
    "DiditAuthUrl": "https://auth.example.com",
    "DiditApiUrl": "https://api.example.com",
    "ExistingWebhookSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:hook-AbCdEf",
    "WebhookSecretKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1",
    "TaskKmsKeyArns": "arn:aws:kms:us-east-1:123456789012:key/1",
    "WebhookTolerance": "7m",
    "ReconcileAfter": "7m",
    "ReadsPerMinute": "10",
    "SessionsPerDay": "7",
    "RetentionDays": "99",
    "JwtIssuer": "https://changed.example.com/",
    "JwtAudience": "changed",
    "PrincipalClaim": "changed",
    "UserFields": "callback",
    "AllowedCallbacks": "changed://",
    "ExtraFields": "changed",
    "AllowedOrigins": "https://changed.example.com",
    "ThrottleRate": "7",
    "ThrottleBurst": "7",
    "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/changed",
    "ExistingTableName": "changed",
    "DomainName": "changed.example.com",
    "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/changed",
    "AlarmEmail": "changed@example.com",
    "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:changed",
}

# Properties of a function in SAM that no version holds: they become resources of their own.
NOT_PUBLISHED = {"AutoPublishAlias", "AutoPublishAliasAllProperties", "DeploymentPreference", "EventInvokeConfig", "Events"}

# Messages of swagger-parser that are expected, with the reason.
EXPECTED_MESSAGES = {
    "attribute components.securitySchemes.Jwt.flows is missing": "SAM writes this scheme and replaces one of the DefinitionBody;"
    " without flows is the form that API Gateway documents for its JWT authorizer (x-amazon-apigateway-authorizer)",
}

# Statements that need a *, with the reason.
WIDE = {
    ("CompleteTasks", "Resource"): "Step Functions checks SendTask* on the state machine that waits, which may be another team's",
    ("FailTasks", "Resource"): "the same",
    ("WatchAlarms", "Resource"): "DescribeAlarms knows no resource",
}


class NoManagedPolicies:
    """Fails on a managed policy: the template uses none, and looking one up would call AWS."""

    def load(self):
        raise InvalidSamDocumentException("a managed policy is used: write the needed statements instead")


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


def operations(template):
    for api, properties in find(template, "AWS::ApiGatewayV2::Api").items():
        for path, methods in properties["Body"]["paths"].items():
            for method, operation in methods.items():
                yield f"{api}: {method.upper()} {path}", path, method, operation, properties["Body"]


def route_faults(template, auth):
    """Every route of every API must demand the proof that CallerAuth names."""
    found = list(operations(template))
    for name, path, method, operation, body in found:
        if "x-amazon-apigateway-integration" not in operation:
            yield f"{name} leads to no function"
        if (method, path) in OPEN_ROUTES:
            if "security" in operation:
                yield f"{name} has an authorizer: {OPEN_ROUTES[method, path]}"
            continue
        names = [scheme for entry in operation.get("security", []) for scheme in entry]
        schemes = body.get("components", {}).get("securitySchemes", {})
        if len(names) != 1:
            yield f"{name} has no authorizer"
        elif not proves(schemes.get(names[0], {}), auth):
            yield f"{name} has an authorizer that is not {auth}: {schemes.get(names[0])}"
    if not found:
        yield "there is no route"


def import_faults(template):
    """What API Gateway warns of at the import, and so fails the deployment (FailOnWarnings)."""
    for name, properties in find(template, "AWS::ApiGatewayV2::Api").items():
        if properties.get("FailOnWarnings") is not True:
            yield f"{name}: FailOnWarnings is off: API Gateway would drop what it does not understand"
        body = properties["Body"]
        for server in body.get("servers", []):
            if not server.get("url"):
                yield f"{name}: a server has no url"
        for scheme in (scheme for entry in body.get("security", []) for scheme in entry):
            yield f"{name}: {scheme} is the authorizer of all routes, the webhook's too"
    for name, path, _, operation, body in operations(template):
        for scheme in (scheme for entry in operation.get("security", []) for scheme in entry):
            if scheme not in body.get("components", {}).get("securitySchemes", {}):
                yield f"{name}: no scheme is named {scheme}"
        declared = {p["name"]: p for p in operation.get("parameters", []) if p.get("in") == "path"}
        for parameter in re.findall(r"{(\w+)\+?}", path):
            if not declared.get(parameter, {}).get("schema"):
                yield f"{name}: the path parameter {parameter} has no schema"
        for parameter in declared:
            if "{" + parameter not in path:
                yield f"{name}: {parameter} is not in the path"


def parser_faults(bodies, jars):
    """API Gateway's own messages have the form of swagger-parser's."""
    if not bodies:
        return
    with tempfile.TemporaryDirectory() as folder:
        files = {str(Path(folder, f"{i}.json")): name for i, name in enumerate(bodies)}
        for file, name in files.items():
            Path(file).write_text(json.dumps(bodies[name]))
        program = Path(__file__).with_name("SwaggerParser.java")
        command = ["java", "-cp", f"{jars}/*", str(program), *files]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            yield f"swagger-parser of {jars} fails: {run.stderr}"
        for line in run.stdout.splitlines():
            file, _, message = line.partition("\t")
            if message not in EXPECTED_MESSAGES:
                yield f"{files.get(file, '')}: swagger-parser of {jars}: {message or line}"


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
    """Returns the published versions of the functions, without resources whose condition is false."""
    off = {name for name, c in template["Conditions"].items() if len(set(c.get("Fn::Equals", [""]))) == 2}
    return {
        name
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Version" and resource.get("Condition") not in off
    }


def function_of(version):
    return re.sub(r"Version[0-9a-f]{10}$", "", version)


def version_faults(text):
    """A changed parameter must make new versions of just the functions that it is a property of.

    Without one the alias goes on with the old configuration.
    """
    source = yaml_parse(text)
    base = STACKS["jwt, all on request"]
    current = {**defaults(text), **base}
    before = versions(transform(text, base))
    for name, parameter in source["Parameters"].items():
        others = [str(v) for v in parameter.get("AllowedValues", []) if str(v) != current[name]]
        if not others and name not in CHANGED:
            yield f"{name}: transform.py has no second value of it"
            continue
        value = CHANGED.get(name) or others[0]
        after = versions(transform(text, {**base, name: value}))
        got = {function_of(version) for version in after - before}
        want = {
            function
            for function, properties in find(source, "AWS::Serverless::Function").items()
            if name in parameters_in({k: v for k, v in properties.items() if k not in NOT_PUBLISHED}, source)
        }
        # A function that is not deployed any more has no version.
        want -= {function_of(version) for version in before} - {function_of(version) for version in after}
        if got != want:
            yield f"{name}: {current[name]!r} changed to {value!r} publishes {sorted(got)}, want {sorted(want)}"


def parameters_in(node, source):
    """The parameters that a part of the template depends on, through its conditions too."""
    names = references(node)
    for condition in conditions(node):
        names |= parameters_in(source["Conditions"][condition], source)
    return names & source["Parameters"].keys()


def conditions(node):
    if isinstance(node, list):
        return {name for entry in node for name in conditions(entry)}
    if not isinstance(node, dict):
        return set()
    names = conditions(list(node.values()))
    if "Fn::If" in node:
        names.add(node["Fn::If"][0])
    if "Condition" in node and isinstance(node["Condition"], str):
        names.add(node["Condition"])
    return names


def source_faults(text):
    """Checks the source, where CloudFormation's transforms and this script's differ."""
    source = yaml_parse(text)
    if source["Transform"] != ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]:
        yield "the language extensions must come first, then SAM: SAM sees the parameters' values only then"
    # serverless-application-model issue 3820; the transform here does look into Globals.
    for key in sorted(intrinsics(source.get("Globals", {}))):
        yield f"Globals: has a {key}, which the language extensions do not look at: a changed value reaches no version"
    everywhere = source.get("Globals", {}).get("Function", {})
    for name, function in find(source, "AWS::Serverless::Function").items():
        function = {**everywhere, **function}
        if not function.get("AutoPublishAlias") or function.get("AutoPublishAliasAllProperties") is not True:
            yield f"{name}: needs AutoPublishAlias and AutoPublishAliasAllProperties"


def intrinsics(node):
    if isinstance(node, list):
        return {key for entry in node for key in intrinsics(entry)}
    if not isinstance(node, dict):
        return set()
    return {key for key in node if key in ("Ref", "Condition") or key.startswith("Fn::")} | intrinsics(list(node.values()))


def reference_faults(text, template):
    """Finds misspelt names, which cfn-lint accepts in a template with language extensions."""
    known = yaml_parse(text)["Parameters"].keys() | template["Resources"].keys()
    for name in sorted(references([template["Resources"], template["Outputs"]])):
        if name not in known and not name.startswith("AWS::"):
            yield f"{name} is neither a parameter nor a resource"


def pairwise():
    """Yields settings of the switches, few of them, in which each two have each of their four combinations.

    Numbered from 0, switch n is on in row r where the bits n of a number per row say so: with as many rows of bits as the
    number of switches has digits, each of them and its opposite, two switches differ somewhere; the rows with all off and
    all on do the rest.
    """
    names = list(SWITCHES)
    digits = range(len(names).bit_length())
    rows = [set(), set(names)]
    for digit in digits:
        some = {name for i, name in enumerate(names) if i >> digit & 1}
        rows += [some, set(names) - some]
    for row in rows:
        yield ", ".join(sorted(row)) or "all off", {
            **JWT,
            **{name: SWITCHES[name] for name in row},
            **{k: v for name in row for k, v in TOGETHER.get(name, {}).items()},
        }


def lint_faults(path):
    """Lints the template with each of the pairwise settings: cfn-lint then knows which conditions hold."""
    settings = [{**defaults(Path(path).read_text()), **parameters} for _, parameters in pairwise()]
    for fault in lint_file(Path(path), ManualArgs(regions=[REGION], parameters=settings)):
        yield f"{fault.rule.id} at {'/'.join(map(str, fault.path or []))}: {fault.message}"


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
    if isinstance(node.get("Fn::Sub"), list):
        names -= set(node["Fn::Sub"][1])
    if "Fn::GetAtt" in node:
        target = node["Fn::GetAtt"]
        names.add(target.split(".")[0] if isinstance(target, str) else target[0])
    return names


def stacks(text):
    for name, parameters in STACKS.items():
        yield name, text, parameters
    for name, parameters in pairwise():
        yield name, text, parameters
    for name, (old, new) in EDITED.items():
        if text.count(old) != 1:
            yield f"{name}, which needs {old.strip()!r} once", None, {}
            continue
        yield f"jwt, {name}", text.replace(old, new), JWT
        yield f"iam, {name}", text.replace(old, new), IAM


def main():
    path, folders = sys.argv[1], sys.argv[2:]
    text = Path(path).read_text()
    failed = False

    def report(name, faults):
        nonlocal failed
        for fault in faults:
            print(f"{path} ({name}): {fault}", file=sys.stderr)
        failed = failed or bool(faults)

    bodies = {}
    for name, edited, parameters in stacks(text):
        if edited is None:
            report(name, ["cannot be tried"])
            continue
        try:
            template = transform(edited, parameters)
            faults = [
                *reference_faults(edited, template),
                *route_faults(template, parameters["CallerAuth"]),
                *import_faults(template),
                *policy_faults(template),
                *cors_faults(template, parameters.get("AllowedOrigins")),
            ]
            for properties in find(template, "AWS::ApiGatewayV2::Api").values():
                bodies[name] = properties["Body"]
        except (InvalidSamDocumentException, InvalidTemplateException) as error:
            faults = [str(error)]
        report(name, faults)
        if not faults:
            print(f"{path} ({name}): transformed, {len(template['Resources'])} resources")
    report("source", list(source_faults(text)))
    report("cfn-lint", list(lint_faults(path)))
    if not failed:
        report("versions", list(version_faults(text)))
    for folder in folders:
        report("import", list(parser_faults(bodies, folder)))
    if not folders:
        print(f"{path}: swagger-parser did not look at the OpenAPI documents: it needs a JDK and Maven")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
