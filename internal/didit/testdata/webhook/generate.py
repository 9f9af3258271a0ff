#!/usr/bin/env python3
"""Writes the vectors beside it: what Didit would send, and what becomes of it.

Signatures, canonical forms and hashes are made here, by Didit's published Python recipe, so that they
are independent of the code under test. Run it in its folder; it takes no arguments.
"""
import base64
import copy
import datetime
import hashlib
import hmac
import json

SECRET = "made-up-webhook-secret-that-opens-nothing-1"
BEFORE = "made-up-webhook-secret-that-opens-nothing-0"
NOW = 1_780_045_100
SENT = 1_780_045_046
SESSION = "11111111-2222-3333-4444-555555555555"
WORKFLOW = "99999999-2222-3333-4444-555555555555"


def whole(v):
    if isinstance(v, dict):
        return {k: whole(x) for k, x in v.items()}
    if isinstance(v, list):
        return [whole(x) for x in v]
    if isinstance(v, float) and v.is_integer():
        return int(v)
    return v


def canonical(body):
    text = json.dumps(whole(json.loads(body)), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def wire(v):
    return json.dumps(v, sort_keys=True, separators=(",", ":")).encode()


def mac(message, secret=SECRET):
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def signed(body, secret=SECRET, v2=True):
    h = {"X-Timestamp": str(SENT), "X-Signature": mac(body, secret)}
    if v2:
        h["X-Signature-V2"] = mac(canonical(body), secret)
    return h


def only_v2(body, secret=SECRET):
    return {"X-Timestamp": str(SENT), "X-Signature-V2": mac(canonical(body), secret)}


def hashed(body):
    v = json.loads(body)
    v.pop("timestamp", None)
    return hashlib.sha256(canonical(json.dumps(v))).hexdigest()


def utc(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def expect(body, **over):
    v = json.loads(body)
    e = {
        "id": v.get("event_id") or hashed(body), "type": v.get("webhook_type", "status.updated"), "ignored": False,
        "session_id": v["session_id"].lower(), "vendor_data": v.get("vendor_data"), "workflow_id": v.get("workflow_id"),
        "status": v["status"], "checks": [], "environment": v.get("environment"),
        "occurred_at": utc(min(t for t in (v["timestamp"], v.get("created_at")) if isinstance(t, int))),
    }
    e.update(over)
    return e


def write(name, about, header, body, event=None, error=None, now=NOW, secrets=None, form=True):
    v = {"about": about, "header": header, "now": now, "secrets": secrets or {"current": SECRET}}
    try:
        v["body"] = body.decode()
    except UnicodeDecodeError:
        v["body_base64"] = base64.b64encode(body).decode()
    if form:
        v["canonical"] = canonical(body).decode()
    if event:
        v["event"] = event
    if error:
        v["error"] = error
    with open(name + ".json", "w", encoding="utf-8") as f:
        json.dump(v, f, indent=1, ensure_ascii=True)
        f.write("\n")


V3 = {
    "application_id": "88888888-2222-3333-4444-555555555555", "created_at": SENT, "environment": "live",
    "event_id": "77777777-2222-3333-4444-555555555555", "metadata": {"plan": "a<b>&c"}, "session_id": SESSION,
    "status": "In Progress", "timestamp": SENT, "vendor_data": "user-123", "webhook_type": "status.updated",
    "workflow_id": WORKFLOW, "workflow_version": 3,
}


def with_(base, **over):
    v = copy.deepcopy(base)
    v.update(over)
    return {k: x for k, x in v.items() if x is not ...}


DECISION3 = {
    "session_id": SESSION, "session_number": 7, "status": "Approved", "features": ["ID_VERIFICATION", "NFC", "LIVENESS", "FACE_MATCH", "AML"],
    "created_at": "2026-05-29T08:54:25.443172Z",
    "id_verifications": [
        {"node_id": "feature_ocr", "status": "Approved", "first_name": "Zoë", "last_name": "Müller 😀",
         "mrz": "P<UTOERIKSSON<<ANNA<MARIA", "address": "a\u2028b\u2029c", "warnings": []}],
    "nfc_verifications": [{"node_id": "feature_nfc", "status": "Approved", "serial_number": 118120836164494131264123456789012345678}],
    "liveness_checks": [{"node_id": "feature_liveness", "status": "Approved", "score": 92.0, "quality": 1e-05},
                        {"node_id": "feature_liveness_2", "status": "In Review", "score": 89.92}],
    "face_matches": None, "reviews": [],
}
CHECKS3 = [["ID_VERIFICATION", "Approved"], ["NFC", "Approved"], ["LIVENESS", "Approved"], ["FACE_MATCH", None], ["AML", None],
           ["LIVENESS", "In Review"]]
DECISION2 = {
    "session_id": SESSION, "status": "Declined", "features": ["ID_VERIFICATION", "LIVENESS", "AML"],
    "id_verification": {"status": "Approved", "first_name": "Carmen", "last_name": "Española"},
    "liveness": {"status": "Declined", "score": 12.5}, "aml": None, "reviews": [{"user": "reviewer@example.com", "comment": "no"}],
}
DECISION1 = {
    "session_id": SESSION, "status": "Approved", "features": "OCR + FACE", "kyc": {"status": "Approved", "name": "Carmen Española"},
    "face": {"status": "Approved"}, "aml": None, "location": {"status": "Approved", "ip": "192.0.2.1"},
}
V2 = {"session_id": SESSION, "status": "Declined", "created_at": SENT - 6, "timestamp": SENT, "workflow_id": WORKFLOW,
      "vendor_data": "user-123", "metadata": None}
MINIMAL = {"session_id": SESSION, "status": "Kyc Expired", "created_at": SENT, "timestamp": SENT, "vendor_data": "11111111-1111-1111-1111-111111111111"}

b = wire(V3)
write("v3_in_progress", "v3 envelope, no decision", signed(b), b, expect(b))
v = with_(V3, status="Approved", decision=DECISION3)
b = wire(v)
write("v3_approved", "v3 with a decision: non-ASCII as escapes, MRZ, U+2028, a 39-digit integer, whole floats, an exponent", signed(b), b,
      expect(b, checks=CHECKS3))
b = json.dumps(v, ensure_ascii=False, indent=2).encode()
write("v3_reencoded", "a proxy wrote the document anew, so that V2 alone fits", {**signed(wire(v)), "X-Signature-V2": mac(canonical(b))}, b,
      expect(b, checks=CHECKS3))
b = wire(with_(V3, status="Declined", decision=DECISION2))
write("v3_with_v2_decision", "sections as single objects", signed(b), b, expect(b, checks=[
    ["ID_VERIFICATION", "Approved"], ["LIVENESS", "Declined"], ["AML", None]]))
b = wire(with_(V3, status="In Review", decision={"features": [
    {"feature": "OCR", "status": "Approved", "node_id": "a"}, {"feature": "LIVENESS", "status": "Not Finished", "node_id": "b"},
    {"feature": "LIVENESS", "status": "In Progress", "node_id": "c"}, {"feature": "KYB_REGISTRY", "node_id": "d"}],
    "liveness_checks": [{"node_id": "c", "status": "In Review"}]}))
write("features_as_objects", "features with nodes of their own", signed(b), b, expect(b, checks=[
    ["ID_VERIFICATION", "Approved"], ["LIVENESS", "Not Finished"], ["LIVENESS", "In Review"], ["KYB_REGISTRY", None]]))
b = wire(with_(V3, webhook_type="data.updated"))
write("data_updated", "a reviewer edited data", signed(b), b, expect(b))
b = wire(with_(V2, decision=DECISION2))
write("v2_declined", "v2 has no webhook_type and no event_id; created_at is older", signed(b), b, expect(b, checks=[
    ["ID_VERIFICATION", "Approved"], ["LIVENESS", "Declined"], ["AML", None]]))
b = wire(with_(MINIMAL, status="Approved", decision=DECISION1))
write("v1_approved", "v1: features in one text", signed(b, v2=False), b, expect(b, checks=[
    ["ID_VERIFICATION", "Approved"], ["FACE_MATCH", "Approved"], ["IP_ANALYSIS", "Approved"]]))
b = json.dumps(MINIMAL, separators=(",", ":")).encode()
write("v1_minimal", "the smallest documented body, keys not sorted", signed(b, v2=False), b, expect(b))
b = json.dumps(with_(MINIMAL, timestamp=SENT + 60)).encode()
write("v1_minimal_resent", "the same event, sent again later with spaces in it: the same id", signed(b, v2=False), b,
      expect(b, id=hashed(json.dumps(MINIMAL)), occurred_at=utc(SENT)))
b = wire(with_(V3, event_id=..., environment=..., application_id=..., workflow_version=...))
h = signed(b)
h["X-Didit-Test-Webhook"] = "true"
write("console_test", "the console's test, which has no event_id", h, b, expect(b))
h = dict(h)
del h["X-Signature"], h["X-Signature-V2"]
write("console_test_unsigned", "the test header is no reason to skip the signature", h, b, error="not signed")
b = wire(with_(V3, session_id=SESSION.upper().replace("1", "A"), workflow_id=WORKFLOW.upper(), vendor_data=None))
write("upper_case_ids", "ids in upper case come out in lower case", signed(b), b,
      expect(b, workflow_id=WORKFLOW.lower(), session_id="aaaaaaaa-2222-3333-4444-555555555555"))
b = wire(with_(V3, created_at=SENT + 9))
write("created_after_sent", "the smaller of both times counts", signed(b), b, expect(b, occurred_at=utc(SENT)))
b = wire(with_(V3, created_at="2026-05-29T08:54:25Z"))
write("created_at_text", "a created_at that is no integer does not count", signed(b), b, expect(b, occurred_at=utc(SENT)))
b = wire(with_(V3, created_at=0))
write("created_at_zero", "no time of an event", signed(b), b, expect(b, occurred_at=utc(SENT)))
for kind in ["user.status.updated", "user.data.updated", "business.status.updated", "activity.created", "transaction.created",
             "transaction.status.updated", "travel_rule.status.updated", "something.new"]:
    b = wire({"webhook_type": kind, "event_id": "e-" + kind, "status": "ACTIVE"})
    write("ignored_" + kind.replace(".", "_"), "no session event: needs no timestamp", signed(b), b,
          {"id": "e-" + kind, "type": kind, "ignored": True})
b = wire(V3)
write("wrong_secret", "signed by somebody else", signed(b, "another secret"), b, error="signature mismatch")
write("previous_secret", "signed with the secret before the rotation", signed(b, BEFORE), b, expect(b),
      secrets={"current": SECRET, "previous": BEFORE, "previous_until": NOW + 1})
write("previous_secret_over", "the secret before the rotation counts no longer", signed(b, BEFORE), b, error="signature mismatch",
      secrets={"current": SECRET, "previous": BEFORE, "previous_until": NOW})
rotated = {name + "-Previous": value for name, value in signed(b, BEFORE).items() if name != "X-Timestamp"}
new = signed(b, "the secret after a rotation that is not known here")
known = {"current": BEFORE}
write("rotated", "after a rotation at Didit, which signs with both secrets", {**new, **rotated}, b, expect(b), secrets=known)
write("rotated_plain", "X-Signature-Previous alone", {"X-Signature-Previous": mac(b, BEFORE)}, b, expect(b), secrets=known)
write("rotated_v2", "X-Signature-V2-Previous alone", {"X-Signature-V2-Previous": mac(canonical(b), BEFORE)}, b, expect(b), secrets=known)
spaced = json.dumps(V3, indent=1).encode()
write("rotated_reencoded", "re-encoded on the way after a rotation", {**new, **rotated}, spaced, expect(b), secrets=known)
write("rotated_malformed", "signatures beside malformed ones", {**{name: "none" for name in new}, **rotated}, b, expect(b), secrets=known)
write("rotated_twice", "no signature of a secret that is known", {**new, **rotated}, b, error="signature mismatch",
      secrets={"current": "the secret before both"})
write("rotated_here_first", "the new secret is known, and the delivery is signed with both", {**signed(b), **rotated}, b, expect(b))
write("rotated_back", "the previous secret here made the previous signature", {**new, **rotated}, b, expect(b),
      secrets={"current": SECRET, "previous": BEFORE, "previous_until": NOW + 1})
write("rotated_simple", "the simple signature under the secret before", {"X-Signature-Simple-Previous": mac(b, BEFORE)}, b, error="not signed",
      secrets=known)
write("rotated_crossed", "the signature of the bytes under the name of the document's", {"X-Signature-V2-Previous": mac(spaced, BEFORE)}, spaced,
      error="signature mismatch", secrets=known)
write("upper_case_hex", "hexadecimal digits in upper case", {"X-Signature": mac(b).upper()}, b, expect(b))
write("v2_alone", "no X-Signature", only_v2(b), b, expect(b))
write("v2_malformed_plain", "X-Signature is malformed, V2 fits", {**only_v2(b), "X-Signature": "sha256=" + mac(b)}, b, expect(b))
write("plain_malformed", "a prefix is no part of a signature", {"X-Signature": "sha256=" + mac(b)}, b, error="not signed")
write("plain_short", "31 bytes", {"X-Signature": mac(b)[:62]}, b, error="not signed")
write("plain_base64", "Base64 is not hexadecimal", {"X-Signature": base64.b64encode(bytes.fromhex(mac(b))).decode()}, b, error="not signed")
write("no_signature", "X-Timestamp alone", {"X-Timestamp": str(SENT)}, b, error="not signed")
simple = mac(f"{SENT}:{SESSION}:In Progress:status.updated".encode())
write("simple_alone", "the simple signature does not cover the body", {"X-Signature-Simple": simple, "X-Timestamp": str(SENT)}, b, error="not signed")
write("simple_as_plain", "nor does it in another header", {"X-Signature": simple}, b, error="signature mismatch")
write("v2_as_prefixed", "a timestamp before the canonical form is not what Didit signs",
      {"X-Signature-V2": mac(f"{SENT}:".encode() + canonical(b))}, b, error="signature mismatch")
write("tampered", "the status was changed on the way", signed(b), b.replace(b"In Progress", b"Approved"), error="signature mismatch")
write("truncated", "the second half is missing", signed(b), b[:len(b) // 2], error="signature mismatch", form=False)
half = b[:len(b) // 2]
write("truncated_signed", "half a document, signed", {"X-Signature": mac(half)}, half, error="malformed", form=False)
write("empty", "no body at all, signed", {"X-Signature": mac(b"")}, b"", error="malformed", form=False)
write("not_utf8", "bytes that are no text, signed", {"X-Signature": mac(b'{"status":"\xff"}')}, b'{"status":"\xff"}', error="malformed", form=False)
for name, at, error in [("just_fresh", SENT + 900, None), ("stale", SENT + 901, "stale"), ("just_not_future", SENT - 900, None), ("future", SENT - 901, "stale")]:
    write(name, "15 minutes either way", {**signed(b), "X-Timestamp": str(at)}, b, None if error else expect(b), error, now=at)
for name, value in [("absent", ...), ("null", None), ("text", str(SENT)), ("float", SENT + 0.5), ("65_bits", 2**63), ("float_65_bits", 2.0**63),
                    ("milliseconds", None), ("lowest", -2**63)]:
    if name == "milliseconds":
        x = wire(with_(V3, timestamp=SENT * 1000))
        write("timestamp_milliseconds", "a time in the far future", signed(x), x, error="stale")
        continue
    x = wire(with_(V3, timestamp=value))
    write("timestamp_" + name, "no integer of 64 bits" if name != "lowest" else "a time in the far past", signed(x), x, error="stale" if name == "lowest" else "malformed")
for name, text in {"whole": b"1780045046.0", "of_zeros": b"1780045046.000", "exponent": b"1.780045046e9", "upper_case": b"178004504600E-2"}.items():
    x = wire(with_(V3, timestamp=5, created_at=6)).replace(b":5,", b":" + text + b",").replace(b":6,", b":1780045040.0,")
    write("timestamp_float_" + name, "a whole number written as a float, and created_at, too", signed(x), x, expect(b, occurred_at=utc(SENT - 6)))
for name, text in {"long": b"1780045046." + b"0" * 60, "large_exponent": b"1780045046000000000000000000000000000000000e-33"}.items():
    x = wire(with_(V3, timestamp=5)).replace(b":5,", b":" + text + b",")
    write("timestamp_float_" + name, "no float that Didit writes", {"X-Signature": mac(x)}, x, error="malformed", form=False)
for name, over in {"session_id_absent": {"session_id": ...}, "session_id_number": {"session_id": 5}, "session_id_path": {"session_id": "../" + SESSION},
                   "status_absent": {"status": ...}, "status_null": {"status": None}, "status_empty": {"status": ""},
                   "status_long": {"status": "x" * 65}, "type_number": {"webhook_type": 5}}.items():
    x = wire(with_(V3, **over))
    write(name, "no usable envelope", signed(x), x, error="malformed")
x = wire(with_(V3, status="Something New", environment="sandbox", vendor_data=17, workflow_id="none"))
write("unknown_status", "a status of tomorrow; members of other types are not read", signed(x), x, expect(x, vendor_data=None, workflow_id=None))
x = b[:-1] + b',"status":"Approved"}'
write("duplicate_key", "a key twice, signed", {"X-Signature": mac(x)}, x, error="malformed", form=False)
x = b[:-1] + b',"a":{"b":1,"\\u0062":2}}'
write("duplicate_key_escaped", "a key twice, once escaped, deep inside", {"X-Signature": mac(x)}, x, error="malformed", form=False)
write("duplicate_key_v2", "the same, with V2 alone: which of the two it covers is unknown", only_v2(x), x, error="signature mismatch", form=False)
x = b + b" " + b
write("two_documents", "more than one document", {"X-Signature": mac(x)}, x, error="malformed", form=False)
write("a_list", "no object", {"X-Signature": mac(b"[" + b + b"]")}, b"[" + b + b"]", error="malformed", form=False)
x = b[:-1] + b',"z":' + b"[" * 63 + b"]" * 63 + b"}"
write("deep", "64 levels are read", signed(x), x, expect(x))
write("deep_v2", "64 levels are read before the sender is known", only_v2(x), x, expect(x))
x = b[:-1] + b',"z":' + b"[" * 64 + b"]" * 64 + b"}"
write("deeper", "65 are read where the bytes are signed", {"X-Signature": mac(x)}, x, expect(x), form=False)
write("deeper_v2", "65 are not with V2 alone", only_v2(x), x, error="signature mismatch", form=False)
x = b[:-1] + b',"z":' + b"[" * 9_999 + b"]" * 9_999 + b"}"
write("deepest", "10,000 levels", {"X-Signature": mac(x)}, x, expect(b), form=False)
x = b[:-1] + b',"z":' + b"[" * 20000 + b"}"
write("nesting_bomb", "thousands of brackets, with V2 alone", {"X-Signature-V2": mac(x)}, x, error="signature mismatch", form=False)
x = b[:-1] + b',"z":"\\ud800 \\udc00\\ud83d"}'
write("lone_surrogates", "halves of surrogate pairs where nothing is read", {"X-Signature": mac(x)}, x,
      expect(b, id=V3["event_id"]), form=False)
x = b.replace(b"In Progress", b"In \\ud800")
write("lone_surrogate_status", "half of a surrogate pair in the status", {"X-Signature": mac(x)}, x, error="malformed", form=False)
numbers = b'{"e":[92.0,-92.0,0.0,-0.0,-0,1e5,1E+2,1e-05,1.5e-7,89.92,-0.1,123456789012345678901234567890123456789,1e22,0.0001,5e-324],'
x = numbers + b[1:]
write("numbers", "all spellings that both of Didit's recipes know", signed(x), x, expect(x))
x = b'{"n":[0.00001,1.50,1.1812083616449413e+30,1E-5],' + b[1:]
write("numbers_python", "spellings that the Python recipe changes", only_v2(x), x, expect(x))
as_sent = b'{"n":[0.00001,2,1.50,1.1812083616449413e+30],' + b[1:]
x = as_sent.replace(b",2,", b",2.0,")
pieces = json.loads(b)
form = canonical(b)[:-1]
sent_form = json.dumps({**pieces, "n": "@"}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).replace('"@"', "[0.00001,2,1.50,1.1812083616449413e+30]").encode()
write("numbers_as_sent", "spellings that the JavaScript recipe keeps", {"X-Signature-V2": mac(sent_form)}, x, expect(x))
for name, number in {"31": b"1e31", "minus_31": b"1E-31", "minus_324": b"5e-324", "plus_31": b"1.5e+031", "many": b"1e" + b"9" * 99, "in_digits": b"1" * 24 + b".5"}.items():
    x = b'{"n":[' + number + b"]," + b[1:]
    write("exponent_" + name, "a number that costs too much before the sender is known", only_v2(x), x, error="signature mismatch", form=False)
    write("exponent_" + name + "_signed", "the same, where the bytes are signed", {"X-Signature": mac(x)}, x, expect(b), form=False)
for name, number in {"30": b"1e30", "minus_30": b"1E-30", "zeros": b"1e-00000030", "integer": b"1" * 500, "digits": b"1" * 23 + b".5"}.items():
    x = b'{"n":[' + number + b"]," + b[1:]
    write("exponent_of_" + name, "a number that costs little", only_v2(x), x, expect(b))
x = json.dumps(with_(V3, metadata={"\U0001f600": 1, "\uffee": 2, "é": 3, "a": {"Z": 1, "a": 2, "\u2028": 3, "": 4}, "\x7f\x00\x1f\b\f\n\r\t\"\\/": 5}),
               indent=1).encode()
write("keys", "sorted by code point, beyond the basic plane last; control characters", only_v2(x), x, expect(x))
