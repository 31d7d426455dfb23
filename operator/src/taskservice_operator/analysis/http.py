"""Provider ``http``: a few bounded requests, one after the other, each on a connection of its own.

Fresh connections, because kept ones would ask one pod only.  No redirects, no proxies, no cookies; the body is
read up to a limit and thrown away.  Verdicts: ``Pass`` when every answer had an expected status; ``Fail`` at the
first one that had not, or that did not come in time or not whole; ``Error`` when no connection could be made,
which right after a change of endpoints is nobody's fault yet.
"""

from __future__ import annotations

import ipaddress

import aiohttp

from taskservice_operator.core.model import Measure

BODY_LIMIT = 64 * 1024
USER_AGENT = "taskservice-operator"


async def measure_http(measure: Measure) -> tuple[str, str]:
    """Take one measurement: a verdict and one sentence."""
    check = measure.metric.http
    url = f"http://{_host(measure.cluster_ip)}:{measure.port}{check.path}"
    shown = f"http://{measure.service}:{measure.port}{check.path}"
    headers = {"User-Agent": USER_AGENT, "Host": measure.service, **check.headers}
    try:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=check.timeout_seconds),
            trust_env=False,
            auto_decompress=False,
        ) as session:
            for number in range(1, check.requests + 1):
                problem = await _ask(session, url, headers, check.expected_statuses, check.timeout_seconds)
                if problem is not None:
                    verdict, what = problem
                    return verdict, f"request {number} of {check.requests} to {shown} {what}"
    except (ValueError, aiohttp.InvalidURL) as error:
        return "Error", f"{shown} cannot be asked: {error}"
    statuses = " or ".join(str(status) for status in check.expected_statuses)
    return "Pass", f"{check.requests} of {check.requests} requests to {shown} answered {statuses}"


async def _ask(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str], expected: tuple[int, ...], seconds: float
) -> tuple[str, str] | None:
    """One request; None when it was answered as expected."""
    try:
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            await _drain(response)
            status = response.status
    except aiohttp.ConnectionTimeoutError:
        return "Error", f"could not connect within {seconds:g} s"
    except aiohttp.ClientConnectorError as error:
        return "Error", f"could not connect: {error.strerror or error}"
    except TimeoutError:
        return "Fail", f"was not answered within {seconds:g} s"
    except (aiohttp.ClientError, OSError) as error:
        return "Fail", f"was not answered in full: {type(error).__name__}"
    if status in expected:
        return None
    return "Fail", f"answered {status}, expected {' or '.join(str(value) for value in expected)}"


async def _drain(response: aiohttp.ClientResponse) -> None:
    left = BODY_LIMIT
    while left > 0:
        chunk = await response.content.read(min(left, 8192))
        if not chunk:
            return
        left -= len(chunk)


def _host(address: str) -> str:
    try:
        return f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
    except ValueError:
        return address
