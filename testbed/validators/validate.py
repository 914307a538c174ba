"""Checks OpenAPI documents with the published Python validator, openapi-spec-validator.

Each line of the file is one document, 3.0 or 3.1. For each, one line comes out, in the same order: a list of what is
wrong with it, empty if it is valid.

    python validate.py documents.jsonl
"""

import json
import sys

from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

VALIDATORS = {"3.0": OpenAPIV30SpecValidator, "3.1": OpenAPIV31SpecValidator}


def problems(document):
    version = str(document.get("openapi"))
    validator = VALIDATORS.get(version[:3])
    if validator is None:
        return [f"openapi is {version}: 3.0.x and 3.1.x are known"]
    try:
        errors = list(validator(document).iter_errors())
    except Exception as error:  # A reference that leads nowhere is raised, not reported.
        return [f"{type(error).__name__}: {error}"]
    return ["/" + "/".join(map(str, error.absolute_path)) + ": " + error.message[:300] for error in errors]


with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        print(json.dumps(problems(json.loads(line))), flush=True)
