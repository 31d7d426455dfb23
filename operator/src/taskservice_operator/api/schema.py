"""Small builders of structural OpenAPI schemas, as a CustomResourceDefinition wants them.

Every builder takes the description first, because no field may go without one: it is what ``kubectl explain``
prints.  Bounds are not optional manners either: the API server refuses CEL rules whose worst-case cost it
cannot bound, and an unbounded list or string is what makes it infinite.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Schema = dict[str, Any]
Properties = Mapping[str, Schema]

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
LONGEST_DELAY = 7 * 24 * 3600
"""Seconds.  A week: long enough for any soak, short enough that a stray zero is refused."""


def rule(expression: str, message: str, *, field: str | None = None) -> Schema:
    """One CEL rule.  ``message`` says what to do.

    Not messageExpression: turning a number into text has no known cost bound, so the API server refuses it.
    """
    return {"rule": expression, "message": message} | ({"fieldPath": field} if field else {})


def text(
    description: str,
    *,
    longest: int | None = 253,
    shortest: int | None = None,
    pattern: str | None = None,
    allowed: Iterable[str] = (),
    default: str | None = None,
    rules: Iterable[Schema] = (),
) -> Schema:
    """A string.  An enumeration needs no other bound."""
    choices = list(allowed)
    return _built(
        "string",
        description,
        rules,
        enum=choices or None,
        minLength=shortest,
        maxLength=None if choices else longest,
        pattern=pattern,
        default=default,
    )


def moment(description: str) -> Schema:
    """A point in time, RFC 3339."""
    return _built("string", description, format="date-time")


def whole(
    description: str,
    *,
    least: int | None = 0,
    most: int | None = 1000,
    default: int | None = None,
    rules: Iterable[Schema] = (),
) -> Schema:
    """A whole number within bounds, both included."""
    return _built("integer", description, rules, format="int32", minimum=least, maximum=most, default=default)


def flag(description: str, *, default: bool | None = None) -> Schema:
    return _built("boolean", description, default=default)


def int_or_text(description: str, *, pattern: str | None = None) -> Schema:
    """A number or a string, as in ports and quantities."""
    schema: Schema = {
        "description": description,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": True,
    }
    return schema | ({"pattern": pattern} if pattern else {})


def record(
    description: str,
    properties: Properties,
    *,
    required: Iterable[str] = (),
    default: Mapping[str, Any] | None = None,
    rules: Iterable[Schema] = (),
) -> Schema:
    """An object with named fields."""
    return _built(
        "object",
        description,
        rules,
        properties=dict(properties),
        required=list(required) or None,
        default=None if default is None else dict(default),
    )


def mapping(description: str, values: Schema, *, most: int | None = 64) -> Schema:
    """An object with free keys and values of one kind."""
    return _built("object", description, additionalProperties=values, maxProperties=most)


def anything(description: str, properties: Properties | None = None, *, required: Iterable[str] = ()) -> Schema:
    """An object whose inside belongs to somebody else's schema; fields named here are still checked."""
    schema = _built("object", description, properties=dict(properties or {}) or None, required=list(required) or None)
    return schema | {"x-kubernetes-preserve-unknown-fields": True}


def listing(
    description: str,
    items: Schema,
    *,
    most: int | None,
    key: str | None = None,
    default: Iterable[Any] | None = None,
    rules: Iterable[Schema] = (),
) -> Schema:
    """A list.  With ``key``, a map in disguise: entries are unique by that field and merge one by one."""
    ownership = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]} if key else {}
    return (
        _built(
            "array",
            description,
            rules,
            items=items,
            maxItems=most,
            default=None if default is None else list(default),
        )
        | ownership
        | ({} if key else {"x-kubernetes-list-type": "atomic"})
    )


def exactly_one(*fields: str, message: str) -> Schema:
    """The rule that one, and only one, of several optional fields is given."""
    count = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in fields)
    return rule(f"{count} == 1", message)


def apply_defaults(schema: Mapping[str, Any], value: Any) -> Any:
    """``value`` with the schema's defaults filled in, as the API server does on admission."""
    if isinstance(value, Mapping):
        filled = dict(value)
        properties: Mapping[str, Any] = schema.get("properties", {})
        for name, inner in properties.items():
            if name not in filled and "default" in inner:
                filled[name] = inner["default"]
            if name in filled:
                filled[name] = apply_defaults(inner, filled[name])
        return filled
    if isinstance(value, list) and "items" in schema:
        return [apply_defaults(schema["items"], entry) for entry in value]
    return value


def _built(kind: str, description: str, rules: Iterable[Schema] = (), **attributes: Any) -> Schema:
    schema: Schema = {"type": kind, "description": description}
    schema.update({name: value for name, value in attributes.items() if value is not None})
    checks = list(rules)
    return schema | ({"x-kubernetes-validations": checks} if checks else {})
