"""The scanner that other tests rely on finds what it should, and names it without showing it."""

import base64

from testkit.secret_scan import leaks, values_of

SECRETS = {
    "a/mongo:password": "hunter2-hunter2",
    "a/jwt:key": "-----BEGIN KEY-----\nMC4CAQAwBQYDK2Vw\n-----END KEY-----\n",
}


def test_a_clean_log_holds_none() -> None:
    assert leaks('{"event": "serving"}', SECRETS) == []


def test_a_value_is_found_plain_within_an_address_and_in_base64() -> None:
    assert leaks("mongodb://user:hunter2-hunter2@host", SECRETS) == ["a/mongo:password"]
    assert leaks(base64.b64encode(b"hunter2-hunter2").decode(), SECRETS) == ["a/mongo:password"]


def test_one_line_of_a_key_is_enough() -> None:
    assert leaks("MC4CAQAwBQYDK2Vw", SECRETS) == ["a/jwt:key"]


def test_short_values_are_not_looked_for() -> None:
    assert leaks("true", {"a/b:flag": "true"}) == []


def test_values_are_read_from_secrets() -> None:
    secret = {"metadata": {"namespace": "a", "name": "mongo"}, "data": {"password": base64.b64encode(b"x").decode()}}
    assert values_of([secret]) == {"a/mongo:password": "x"}
