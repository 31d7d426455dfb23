"""The table in the documentation: made from the stack files and examples, so that it cannot say something else."""

from __future__ import annotations

from pathlib import Path

from taskservice_infra.config.cloud import CloudCluster
from taskservice_infra.config.cluster import ClusterSettings
from taskservice_infra.config.settings import from_file
from taskservice_infra.costs.estimate import Item, Use, estimate, prices_of, total

PULUMI = Path(__file__).resolve().parents[3]
PAGE = PULUMI.parents[1] / "docs" / "environments" / "costs.md"
BEGIN, END = "<!-- made by python -m taskservice_infra.costs --write -->", "<!-- made so far -->"
STACKS = {
    "staging": Use(leaving_gib=50, logs_gib=10, volumes_gib=60),
    "production": Use(leaving_gib=500, logs_gib=50, volumes_gib=500),
}
"""What is assumed of each stack's use."""


def files() -> list[tuple[str, str, Path]]:
    """Cloud, stack and file, of every stack in a cloud that there is or that is an example."""
    places = {
        "eks": PULUMI / "projects" / "cluster",
        "gke": PULUMI / "examples" / "gke",
        "aks": PULUMI / "examples" / "aks",
    }
    return [(cloud, stack, place / f"Pulumi.{stack}.yaml") for cloud, place in places.items() for stack in STACKS]


def cluster_in(file: Path) -> CloudCluster:
    """The cluster that a stack file describes."""
    found = from_file(ClusterSettings, "cluster", file).kubernetes
    assert isinstance(found, CloudCluster), f"{file} is of no cloud"  # noqa: S101 - files() names those of clouds
    return found


def render() -> str:
    """The two tables, sizes and costs, as Markdown."""
    stacks = [(cloud, stack, cluster_in(file)) for cloud, stack, file in files()]
    lines = ["| stack | region | zones | nodes (least to most) | control plane |", "|---|---|---|---|---|"]
    for cloud, stack, cluster in stacks:
        pools = "; ".join(
            f"{pool.minimum} to {pool.maximum} × {pool.size}{' (spot)' if pool.spot else ''}"
            for pool in cluster.node_pools
        )
        paid = "free tier" if estimate(cluster, STACKS[stack])[0].least == 0 else "with a service level"
        zones = len(getattr(cluster, "zones", ()))
        lines.append(f"| {cloud} {stack} | {prices_of(cluster).region} | {zones} | {pools} | {paid} |")
    names = [item.what for item in estimate(stacks[0][2], STACKS[stacks[0][1]])]
    lines += ["", f"| US dollars a month | {' | '.join(names)} | **all** |", "|---|" + "---:|" * (len(names) + 1)]
    for cloud, stack, cluster in stacks:
        items = estimate(cluster, STACKS[stack])
        lines.append(f"| {cloud} {stack} | {' | '.join(map(_span, items))} | **{_span(total(items))}** |")
    return "\n".join(lines)


def _span(item: Item) -> str:
    least, most = round(item.least), round(item.most)
    return f"{least}" if least == most else f"{least}–{most}"


def page(current: str) -> str:
    """The page with the tables made anew between its two marks."""
    before, _, rest = current.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{render()}\n\n{END}{after}"
