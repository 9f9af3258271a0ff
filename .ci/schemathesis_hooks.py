"""Tells schemathesis what the local system is configured with, and signs deliveries as Didit does."""

import datetime
import hashlib
import hmac
import json
import time

import schemathesis
from hypothesis import strategies
from schemathesis.core.parameters import ParameterLocation

# The description has these rules in words: a birthday is not in the future.
schemathesis.openapi.format("date", strategies.dates(max_value=datetime.date(2020, 1, 1)).map(str))
schemathesis.openapi.format("uri", strategies.just("https://app.example.com/verified"))

# The simulator's webhook secret (didittest.DefaultWebhookSecret).
WEBHOOK_SECRET = b"simulated-webhook-secret-that-opens-nothing"

# What valid requests send in these fields: the user of the token, and what the deployment and Didit allow.
CONFIGURED = {
    "workflow_id": "11111111-2222-3333-4444-555555555555",
    "vendor_data": "alice",
    "callback": "https://app.example.com/verified",
    "language": "pt-BR",
    "sandbox_scenario": "decline_minimum_age",
}


@schemathesis.hook
def before_call(context, case, kwargs):
    if not isinstance(case.body, dict) or case.meta is None:
        return
    valid = case.meta.generation.mode.is_positive
    if case.operation.label == "POST /webhooks/didit":
        # A signature that is to be wrong stays.
        headers = case.meta.components.get(ParameterLocation.HEADER)
        if headers is not None and headers.mode.is_negative:
            return
        now = {"timestamp": int(time.time())} if valid else {}
        case.body = replaced(case.body, now)
        body = json.dumps(case.body).encode()  # as it is sent
        case.headers = case.headers.copy()
        case.headers["X-Signature"] = hmac.new(WEBHOOK_SECRET, body, hashlib.sha256).hexdigest()
    elif valid:
        case.body = replaced(case.body, CONFIGURED)
        if isinstance(case.body.get("contact_details"), dict):
            case.body["contact_details"] = replaced(case.body["contact_details"], {"email_lang": "es"})


def replaced(members, values):
    # A copy, because the generator uses one object for several requests.
    return members | {name: value for name, value in values.items() if members.get(name) is not None}
