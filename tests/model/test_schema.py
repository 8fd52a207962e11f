"""Schemas are read as JSON Schema says, and closing one only takes away."""

import re
from datetime import date, datetime, time, timedelta
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AnyUrl, TypeAdapter
from saccade.model.schema import FORMATS, closed, property_of, resolve, types, variants

READERS = {
    "date": date,
    "time": time,
    "date-time": datetime,
    "duration": timedelta,
    "ipv4": IPv4Address,
    "ipv6": IPv6Address,
    "uuid": UUID,
    "uri": AnyUrl,
}


def test_references():
    root = {
        "$defs": {"A": {"$ref": "#/$defs/B", "title": "a"}, "B": {"type": "integer"}, "a/b": {"type": "null"}}
    }
    assert resolve({"$ref": "#/$defs/A"}, root) == {"type": "integer", "title": "a"}
    assert resolve({"$ref": "#/$defs/a~1b"}, root) == {"type": "null"}
    assert resolve({"$ref": "#/$defs/missing"}, root) == {}
    assert resolve({"$ref": "#/$defs/L"}, {"$defs": {"L": {"$ref": "#/$defs/L"}}}) == {"$ref": "#/$defs/L"}


@pytest.mark.parametrize(
    ("schema", "kinds"),
    [
        ({}, set()),
        ({"type": ["integer", "null"]}, {"integer", "null"}),
        ({"anyOf": [{"$ref": "#/$defs/T"}, {"type": "null"}]}, {"object", "null"}),
        ({"enum": ["a", "b"]}, {"string"}),
        ({"const": True}, {"boolean"}),
        ({"enum": [1, 2]}, {"integer", "number"}),
        ({"allOf": [{"$ref": "#/$defs/T"}], "description": "x"}, {"object"}),
        (True, set()),
    ],
    ids=lambda value: "" if isinstance(value, set) else str(value),
)
def test_types(schema: object, kinds: set):
    assert types(schema, {"$defs": {"T": {"type": "object"}}}) == kinds


def test_variants_lie_over_what_they_share():
    shared = {"a": {"type": "string"}, "b": {"type": "integer"}}
    strict = {
        "properties": {"a": {"const": "x"}, "b": True},
        "required": ["b"],
        "additionalProperties": False,
    }
    (one,) = variants({"properties": {**shared, "c": {}}, "required": ["a"], "x-variants": [strict]})
    assert one["properties"] == {"a": {"const": "x"}, "b": {"type": "integer"}}
    assert one["required"] == ["a", "b"]
    (open_one,) = variants({"properties": shared, "oneOf": [{"properties": {"c": {"type": "null"}}}]})
    assert list(open_one["properties"]) == ["a", "b", "c"]
    assert variants({"properties": shared}) == [{"properties": shared}]


def test_property_is_found_in_variants():
    union = {"anyOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"properties": {"n": {"type": "integer"}}}}}
    assert property_of(union, "n") == {"type": "integer"}
    assert property_of(union, "m") == {}


def test_closed_worlds():
    nested = {"properties": {"inner": {"properties": {"n": {"type": "integer", "minimum": 3}}}}}
    inner = closed(nested)["properties"]["inner"]
    assert closed(nested)["additionalProperties"] is False
    assert inner["additionalProperties"] is False
    assert inner["properties"]["n"] == {"type": "integer", "minimum": 3, "maximum": 2**53 - 1}
    assert "additionalProperties" not in closed({"allOf": [nested, {"properties": {"b": {}}}]})["allOf"][0]
    assert closed({"properties": {}, "additionalProperties": True})["additionalProperties"] is True
    assert closed({"enum": [{"properties": {}}]}) == {"enum": [{"properties": {}}]}, (
        "constants are no schemas"
    )
    assert closed({"type": "string", "format": "binary"}) == {"type": "string"}


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_formats_are_valid(name: str, data: st.DataObject):
    """Whatever the pattern of a format allows, the format's reader takes."""
    text = data.draw(st.from_regex(re.compile(FORMATS[name], re.ASCII), fullmatch=True))
    assert TypeAdapter(READERS[name]).validate_python(text) is not None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("date", "2026-11-25"),
        ("date", "2024-02-29"),
        ("date-time", "2026-11-25T15:40:00Z"),
        ("email", "a.person@example.org"),
        ("uri", "https://www.example.org/a?b=c#d"),
        ("hostname", "www.example.org"),
        ("uuid", "c5054b8c-3f53-1a23-040c-8c10d6f9da01"),
    ],
)
def test_formats_allow_the_usual(name: str, text: str):
    assert re.fullmatch(FORMATS[name], text)


@pytest.mark.parametrize("text", ["2026-02-29", "2026-04-31", "2026-13-01", "0001-01-01"])
def test_dates_exist(text: str):
    assert not re.fullmatch(FORMATS["date"], text)
