"""The OpenAPI 3.1 description, made from the table of routes and its models."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.parameters import CURSOR_PATTERN, ID_PATTERN, QueryParameter
from api.problems import PROBLEM_JSON, STATUS, Code
from api.route import Route
from workflows import __version__

REF = "#/components/schemas/{model}"
COMMON_ERRORS = (400, 408, 413, 415, 422, 500)
DESCRIPTION = """\
Queues and jobs. Successes are `{"success": true, "data": …, "meta": …}`; errors are
RFC 9457 problem bodies with `"success": false` and a stable `code`. Times are RFC 3339
UTC, durations integer milliseconds. Objects may gain fields at any time."""

ModelRef = tuple[type[Any], JsonSchemaMode]


def build_openapi(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the description of the routes."""
    routes = tuple(routes)
    refs, schemas = _schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Huey Workflows",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Problem": PROBLEM, "Meta": META},
            "headers": {
                "RequestId": {
                    "description": "The request's id, as in the log.",
                    "schema": {"type": "string"},
                }
            },
        },
    }


def _schemas(
    routes: Iterable[Route],
) -> tuple[Mapping[ModelRef, Any], Mapping[str, Any]]:
    """Return a reference per model, and all schemas by name."""
    models: list[ModelRef] = []
    for route in routes:
        if route.body:
            models.append((route.body, "validation"))
        if route.data:
            models.append((route.data, "serialization"))
    refs, definitions = models_json_schema(
        list(dict.fromkeys(models)), ref_template=REF
    )
    by_model = {ref: dict(schema) for ref, schema in refs.items()}
    return by_model, definitions.get("$defs", {})


def _operation(route: Route, refs: Mapping[ModelRef, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.tag],
        "x-role": route.role,
        "parameters": _parameters(route),
        "responses": _responses(route, refs),
    }
    if route.body:
        operation["requestBody"] = {
            "required": not route.body_optional,
            "content": {"application/json": {"schema": refs[route.body, "validation"]}},
        }
    if route.signed:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    ids = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": ID_PATTERN},
        }
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    query = [_query_parameter(parameter) for parameter in route.query]
    key: dict[str, Any] = {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes it safe to send the request again.",
        "schema": {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
    }
    signature: dict[str, Any] = {
        "name": "X-Hub-Signature-256",
        "in": "header",
        "required": True,
        "description": "`sha256=` and the HMAC of the body under the app's secret.",
        "schema": {"type": "string"},
    }
    headers = [key] if route.idempotent_by_key else []
    headers += [signature] if route.signed else []
    return [*ids, *query, *headers]


def _query_parameter(parameter: QueryParameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "pattern": CURSOR_PATTERN}
    if parameter.choices:
        schema = {"type": "string", "enum": list(parameter.choices)}
    elif parameter.minimum is not None:
        schema = {
            "type": "integer",
            "minimum": parameter.minimum,
            "maximum": parameter.maximum,
        }
    elif parameter.text is not None:
        schema = {"type": "string", "minLength": 1, "maxLength": parameter.text}
    if parameter.default is not None:
        schema["default"] = parameter.default
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.description,
        "required": parameter.required,
        "schema": schema,
    }


def _responses(route: Route, refs: Mapping[ModelRef, Any]) -> dict[str, Any]:
    answers = {}
    for status in route.success:
        if route.data:
            media, schema = "application/json", _envelope(refs, route.data)
        else:
            media, schema = route.media_type, {}
        answers[str(status)] = {
            "description": "Done." if status != 202 else "Asked for.",
            "headers": {"X-Request-ID": {"$ref": "#/components/headers/RequestId"}},
            "content": {media: {"schema": schema}},
        }
    common = [*COMMON_ERRORS, *route.errors, *([503] if route.uses_store else [])]
    if route.method != "GET":
        common.append(403)
    for status in sorted(set(common)):
        answers[str(status)] = _problem_response(status)
    return answers


def _envelope(refs: Mapping[ModelRef, Any], data: type[BaseModel]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["success", "data", "meta"],
        "properties": {
            "success": {"const": True},
            "data": refs[data, "serialization"],
            "meta": {"$ref": REF.format(model="Meta")},
        },
    }


def _problem_response(status: int) -> dict[str, Any]:
    codes = [code.value for code, (known, _) in STATUS.items() if known == status]
    headers = {"X-Request-ID": {"$ref": "#/components/headers/RequestId"}}
    if status == 503:
        headers["Retry-After"] = {"schema": {"type": "integer"}}  # type: ignore[dict-item]
    return {
        "description": f"Codes: {', '.join(codes)}.",
        "headers": headers,
        "content": {PROBLEM_JSON: {"schema": {"$ref": REF.format(model="Problem")}}},
    }


META = {
    "type": "object",
    "required": ["requestId"],
    "properties": {
        "requestId": {"type": "string"},
        "nextCursor": {
            "type": ["string", "null"],
            "description": "Pass it as `cursor` for the next page; null: the end.",
        },
    },
}
PROBLEM = {
    "type": "object",
    "required": [
        "success",
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "code",
        "requestId",
        "retryable",
        "errors",
    ],
    "properties": {
        "success": {"const": False},
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "enum": [code.value for code in Code]},
        "requestId": {"type": "string"},
        "retryable": {"type": "boolean"},
        "current": {
            "type": "object",
            "description": "What is the case instead.",
            "additionalProperties": {"type": "string"},
        },
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "code", "message"],
                "properties": {
                    "path": {"type": "string", "description": "A JSON pointer."},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
