"""The description of the API: valid, complete, and the same as what is served."""

import json
import re
from typing import Any

import falcon.inspect
import pytest
from openapi_spec_validator import validate
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from api.app import create_app
from api.openapi import build_openapi
from api.routes import served
from tests.unit.api_stand_in import UnreachableStore
from workflows.client import JobClient

ROUTES = served(market=True)


def description() -> dict[str, Any]:
    found: dict[str, Any] = build_openapi(ROUTES)
    return found


def test_the_description_is_valid_openapi() -> None:
    validate(description())  # raises what is wrong
    broken = {**description(), "paths": {"/x": {"get": {"responses": "none"}}}}
    with pytest.raises(OpenAPIValidationError):
        validate(broken)


def test_the_description_is_json() -> None:
    assert json.loads(json.dumps(description())) == description()


def test_operation_ids_are_unique() -> None:
    names = [route.name for route in ROUTES]
    assert len(set(names)) == len(names)


def test_falcon_serves_exactly_the_table() -> None:
    client = JobClient(UnreachableStore(), {}, str)
    app = create_app(client, new_id=str)
    found = {
        (method.method, route.path)
        for route in falcon.inspect.inspect_app(app).routes
        for method in route.methods
        if not method.internal
    }
    table = served(market=False)
    assert found == {(route.method, route.path) for route in table}


def test_every_route_says_who_may_use_it_and_what_it_does() -> None:
    for operations in description()["paths"].values():
        for operation in operations.values():
            assert operation["x-role"] in {"public", "viewer", "operator", "admin"}
            assert operation["summary"]


def test_only_reading_is_open_to_viewers() -> None:
    for route in ROUTES:
        if route.role in {"public", "viewer"}:
            assert route.method == "GET" or route.signed


def test_no_two_paths_can_mean_the_same() -> None:
    """Whatever ids stand in the braces, two templates differ in a fixed segment."""
    paths = sorted({route.path for route in ROUTES})
    for first in paths:
        for second in paths:
            if first < second:
                assert differ(first.split("/"), second.split("/")), (first, second)


def differ(first: list[str], second: list[str]) -> bool:
    if len(first) != len(second):
        return True
    return any(
        a != b and not a.startswith("{") and not b.startswith("{")
        for a, b in zip(first, second, strict=True)
    )


def test_every_name_in_json_is_camel_case() -> None:
    camel = re.compile(r"[a-z][a-zA-Z0-9]*")
    for schema in description()["components"]["schemas"].values():
        for name in schema.get("properties", {}):
            assert camel.fullmatch(name), name


def test_the_guides_routes_are_there() -> None:
    served = {(route.method, route.path) for route in ROUTES}
    assert served >= {
        ("GET", "/api/v1/queue/metrics"),
        ("GET", "/api/v1/queue/metrics/{queue}"),
        ("GET", "/api/v1/queue/dead-letter/{queue}"),
        ("POST", "/api/v1/queue/retry/{queue}/{jobId}"),
        ("POST", "/api/v1/queue/clean/{queue}"),
        ("GET", "/api/v1/queue/dashboard"),
    }
