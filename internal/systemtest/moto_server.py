"""Runs moto's server. Its interpreter of state machines comes without an evaluator of JSONata: jsonata-python is one."""

import sys

from jsonata import Jsonata
from moto.server import main
from moto.stepfunctions.parser.asl.jsonata import jsonata


def evaluate(expression):
    try:
        return Jsonata(expression).evaluate(None)
    except Exception as failure:
        raise jsonata.JSONataException("UNKNOWN", str(failure)) from failure


jsonata._eval_jsonata = evaluate
sys.exit(main())
