"""JSON schemas, as far as the model's side reads them: references, types, variants, and a closed world.

Knows schemas; knows nothing of grammars or of any tool. A tool's parameters may carry `x-variants`, schemas
of which exactly one holds besides the rest: `oneOf` under a name that prompts leave out, and that servers
which refuse `oneOf` at the top of a tool do not mind.
"""

from collections.abc import Iterator
from typing import Any

VARIANTS = ("x-variants", "oneOf", "anyOf")
KINDS = {
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list, tuple),
    "object": (dict,),
    "null": (type(None),),
}
LABEL = r"[a-z0-9]{1,30}(?:-[a-z0-9]{1,30})?"
HOST = rf"(?:{LABEL}\.){{0,4}}[a-z]{{2,20}}"
DATE = (
    r"[1-9]\d{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
    r"|[1-9]\d(?:[2468][048]|[13579][26]|0[48])-02-29"
)
TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d)"
# What a writer may use for each format: always valid, though not all that is valid.
FORMATS = {
    "date": DATE,
    "time": TIME,
    "date-time": f"(?:{DATE})T{TIME}",
    "duration": r"P(?:\d{1,4}D(?:T\d{1,4}H)?|T\d{1,4}[HMS])",
    "email": rf"[a-z0-9]{{1,30}}(?:[._+-][a-z0-9]{{1,30}}){{0,3}}@{LABEL}\.[a-z]{{2,20}}",
    "hostname": HOST,
    "ipv4": r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)",
    "ipv6": r"(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "uri": rf"(?:https?|wss?|ftp)://{HOST}(?::[1-9]\d{{1,3}})?(?:/[!#$&-;=?-Z_a-z~]*)?",
}
# Beyond these, JSON readers disagree; an open end would also let a number grow for ever.
LIMITS = {"integer": 2**53 - 1, "number": 10**15}
DEEPEST = 8  # references that point to references


def is_a(value: Any, kind: str) -> bool:
    """Whether a JSON value is of a JSON type; a boolean is no number."""
    if isinstance(value, bool) and kind != "boolean":
        return False
    return isinstance(value, KINDS.get(kind, ()))


def resolve(schema: Any, root: dict) -> dict:
    """The schema that a local `$ref` points to, under the keys beside it; {} when there is none."""
    for _ in range(DEEPEST):
        if not isinstance(schema, dict) or "$ref" not in schema:
            break
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        target: Any = root
        for part in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, dict) else None
        schema = {**target, **beside} if isinstance(target, dict) else beside
    return schema if isinstance(schema, dict) else {}


def branches(schema: dict) -> list[Any]:
    """What `anyOf` and `oneOf` offer."""
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ())]


def constants(schema: dict) -> list[Any]:
    return [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]


def types(schema: Any, root: dict, depth: int = DEEPEST) -> set[str]:
    """The JSON types that a schema allows; empty when it does not say."""
    schema = resolve(schema, root)
    if depth == 0:
        return set()
    declared = schema.get("type")
    found: set[str] = {declared} if isinstance(declared, str) else set(declared or ())
    for option in [*branches(schema), *schema.get("allOf", ())]:
        found |= types(option, root, depth - 1)
    if not found:
        found = {kind for value in constants(schema) for kind in KINDS if is_a(value, kind)}
    return found


def variants(parameters: dict) -> list[dict]:
    """The objects of which one is meant: each variant laid over what they share."""
    parameters = resolve(parameters, parameters)
    key = next((key for key in VARIANTS if parameters.get(key)), None)
    if key is None:
        return [parameters]
    shared = {name: value for name, value in parameters.items() if name not in VARIANTS}
    return [_overlay(shared, resolve(each, parameters)) for each in parameters[key]]


def property_of(parameters: dict, name: str) -> Any:
    """The schema of a parameter; {} when no variant has it."""
    for each in (resolve(parameters, parameters), *variants(parameters)):
        properties = each.get("properties")
        if isinstance(properties, dict) and name in properties:
            return properties[name]
    return {}


def _overlay(shared: dict, variant: dict) -> dict:
    """`true` stands for the shared schema of that name; a closed variant has its own properties alone."""
    common, own = shared.get("properties", {}), variant.get("properties", {})
    own = {name: common.get(name, {}) if value is True else value for name, value in own.items()}
    properties = own if variant.get("additionalProperties") is False else {**common, **own}
    required = [*shared.get("required", ()), *variant.get("required", ())]
    return {**shared, **variant, "properties": properties, "required": list(dict.fromkeys(required))}


def closed(schema: Any) -> Any:
    """The same schema for a writer: no keys that it does not name, no unbounded numbers, no foreign formats.

    Whatever fits the result fits the original. Objects stay open where several `allOf` branches meet, since
    each branch names only its own keys.
    """
    return _closed(schema, shut=not _has_intersections(schema))


def _closed(schema: Any, shut: bool) -> Any:
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed_value(key, value, shut) for key, value in schema.items() if key != "x-variants"}
    if "x-variants" in schema:
        made = {"anyOf": [_closed(each, shut) for each in variants(schema)]} | {
            key: made[key] for key in ("$defs", "definitions") if key in made
        }
    elif shut and isinstance(made.get("properties"), dict) and not _has_siblings(made):
        made.setdefault("additionalProperties", False)
    return _bounded(_spelled(made))


def _closed_value(key: str, value: Any, shut: bool) -> Any:
    if key in ("properties", "patternProperties", "$defs", "definitions") and isinstance(value, dict):
        return {name: _closed(each, shut) for name, each in value.items()}
    if key in ("anyOf", "oneOf", "allOf", "prefixItems") and isinstance(value, list):
        return [_closed(each, shut) for each in value]
    return _closed(value, shut) if key in ("items", "additionalProperties") else value


def _has_siblings(schema: dict) -> bool:
    return any(key in schema for key in ("anyOf", "oneOf", "allOf", "$ref", "patternProperties"))


def _has_intersections(schema: Any) -> bool:
    return any(len(each.get("allOf", ())) > 1 for each in _objects(schema))


def _objects(value: Any) -> Iterator[dict]:
    """Every object inside a JSON value."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(item)


def _spelled(schema: dict) -> dict:
    """A format that strings are held to becomes a pattern; any other is a remark."""
    made = {key: value for key, value in schema.items() if key != "format"}
    if schema.get("format") in FORMATS and schema.get("type") == "string":
        made.setdefault("pattern", f"^(?:{FORMATS[schema['format']]})$")
    return made


def _bounded(schema: dict) -> dict:
    """Numbers get both ends; integers and plain decimals within them are written without an exponent."""
    declared = schema.get("type")
    kinds = {declared} if isinstance(declared, str) else set(declared or ())
    limit = LIMITS["number"] if "number" in kinds else LIMITS["integer"] if "integer" in kinds else None
    if limit is None or constants(schema):
        return schema
    ends = {}
    if "minimum" not in schema and "exclusiveMinimum" not in schema:
        ends["minimum"] = -limit
    if "maximum" not in schema and "exclusiveMaximum" not in schema:
        ends["maximum"] = limit
    return {**schema, **ends}
