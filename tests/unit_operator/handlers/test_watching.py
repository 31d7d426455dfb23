"""kopf is told to watch and to write nothing; a watch event becomes a cache update and a wake-up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from taskservice_operator.api import names
from taskservice_operator.cluster import kinds
from taskservice_operator.cluster.cache import Cache
from taskservice_operator.cluster.kube import Credentials
from taskservice_operator.cluster.port import Ref
from taskservice_operator.handlers.watching import build_registry, build_settings, connection_info, take_in


def taskservice(version: str) -> dict[str, Any]:
    metadata = {"name": "demo", "namespace": "default", "uid": "u1", "resourceVersion": version}
    return {"metadata": metadata, "spec": {"image": "demo:v1"}}


def test_kopf_posts_nothing_and_elects_nobody() -> None:
    settings = build_settings()
    assert not settings.posting.enabled
    assert settings.peering.standalone
    assert settings.scanning.disabled
    assert isinstance(settings.watching.server_timeout, int)  # the API server refuses fractions


def test_the_delays_of_retries_never_end_and_start_anew() -> None:
    backoffs = build_settings().networking.error_backoffs
    assert not isinstance(backoffs, int | float)
    for _ in range(2):
        delays = [delay for delay, _ in zip(backoffs, range(50), strict=False)]
        assert len(delays) == 50
        assert max(delays) <= 10


def test_every_kind_has_a_handler_and_none_stores_anything() -> None:
    async def login() -> None: ...

    registry = build_registry(Cache(), lambda _: None, login)
    assert len(registry._watching.get_all_handlers()) == len(kinds.WATCHED)
    assert not registry._changing.get_all_handlers()
    assert not registry._spawning.get_all_handlers()
    assert not registry._indexing.get_all_handlers()


def test_only_what_is_ours_is_watched_except_possible_sources() -> None:
    selected = {selector.any_name or selector.plural for selector in build_settings().watching.label_selectors}
    assert selected == {kind.plural for kind in kinds.WATCHED} - {names.PLURAL, "configmaps", "secrets"}


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED"])
def test_an_object_that_is_there_is_taken_in_and_wakes(kind: str | None) -> None:
    cache = Cache()
    woken = take_in(cache, kinds.TASKSERVICE, {"type": kind, "object": taskservice("1")})
    assert woken == cache.refs == {Ref("default", "demo")}


def test_a_deletion_is_taken_in_and_wakes() -> None:
    cache = Cache()
    take_in(cache, kinds.TASKSERVICE, {"type": "ADDED", "object": taskservice("1")})
    assert take_in(cache, kinds.TASKSERVICE, {"type": "DELETED", "object": taskservice("2")}) == {
        Ref("default", "demo")
    }
    assert cache.refs == frozenset()


def test_both_connections_share_one_login() -> None:
    info = connection_info(Credentials("https://x", "/ca", False, "secret", None, None))
    assert (info.server, info.ca_path, info.token) == ("https://x", "/ca", "secret")
    assert asyncio.iscoroutinefunction(connection_info) is False
