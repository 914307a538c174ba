"""Reads a file of HTTP exchanges with the published Python library, http-types 0.0.18.

For each line of the file one line of JSON comes out, in the same order: {"read": ...} with everything that the
library understood, or {"refused": "..."} with what it said. Headers and query are lists of [name, [values]].

    python read.py exchanges.jsonl
"""

import json
import sys
from datetime import timezone

from http_types import HttpExchangeReader


def timestamp(value):
    if value is None:
        return None
    return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fields(mapping):
    return [[name, [values] if isinstance(values, str) else list(values)] for name, values in mapping.items()]


def everything(exchange):
    request, response = exchange.request, exchange.response
    return {
        "request": {
            "timestamp": timestamp(request.timestamp),
            "method": request.method.value,
            "protocol": request.protocol.value,
            "host": request.host,
            "headers": fields(request.headers),
            "body": request.body,
            "path": request.path,
            "pathname": request.pathname,
            "query": fields(request.query),
        },
        "response": {
            "timestamp": timestamp(response.timestamp),
            "statusCode": response.statusCode,
            "headers": fields(response.headers),
            "body": response.body,
        },
        "meta": exchange.meta,
    }


def verdict(line):
    try:
        return {"read": everything(HttpExchangeReader.from_json(line))}
    except Exception as error:  # Whatever the library throws is its answer.
        return {"refused": f"{type(error).__name__}: {error}"}


with open(sys.argv[1], "rb") as lines:
    for line in lines:
        print(json.dumps(verdict(line)))
