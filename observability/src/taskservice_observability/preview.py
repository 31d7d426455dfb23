"""The dashboards as one static page, drawn from real answers of a Prometheus and a Loki: for eyes, without a Grafana.

    python -m taskservice_observability.preview --prometheus http://127.0.0.1:9090 --minutes 15 --output preview.html

No script, nothing from elsewhere: the page can be kept, mailed and compared.  Colours follow Okabe and Ito, so that
everybody tells them apart.
"""

from __future__ import annotations

import argparse
import html
import json
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskservice_observability.charts import Line, number_text, sparkline, time_series

Json = Mapping[str, Any]
Ask = Callable[[str], list[Any]]
"""A range query: PromQL in, Prometheus' ``result`` out."""
Read = Callable[[str], list[str]]
"""LogQL in, lines out, the newest first."""

GENERATED = Path(__file__).resolve().parents[2] / "generated" / "dashboards"
LINES = 10
"""Most lines of a graph and of its legend, the largest ones; and of a log, the newest ones."""

STYLE = """
:root { --page:#f6f7f9; --card:#fff; --ink:#1c2330; --faint:#6b7486; --rule:#e3e6eb; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --page:#12151b; --card:#1b2029; --ink:#e6e9ef; --faint:#8d97a8; --rule:#2b323e; } }
* { box-sizing: border-box; }
body { margin:0; padding:2.5rem clamp(1rem,3vw,3rem); background:var(--page); color:var(--ink);
  font:14px/1.45 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size:1.7rem; margin:0; letter-spacing:-.02em; } h2 { font-size:1.25rem; margin:3rem 0 .2rem; }
h3 { grid-column:1/-1; font-size:.75rem; text-transform:uppercase; letter-spacing:.09em; color:var(--faint);
  margin:1.1rem 0 -.2rem; border-top:1px solid var(--rule); padding-top:.9rem; }
p { margin:.1rem 0 .9rem; color:var(--faint); } nav a { margin-right:1rem; color:inherit; }
.page { display:grid; grid-template-columns:repeat(24,1fr); gap:.8rem; }
.panel { background:var(--card); border:1px solid var(--rule); border-radius:9px; padding:.75rem .9rem .8rem;
  display:flex; flex-direction:column; min-width:0; }
.panel h4 { margin:0; font-size:.9rem; font-weight:600; } .panel p { margin:0 0 .5rem; font-size:.76rem; }
.panel svg { width:100%; height:auto; display:block; margin-top:auto; overflow:visible; }
.number { font-size:2rem; font-weight:650; letter-spacing:-.03em; line-height:1.1; margin:.1rem 0 .4rem; }
.axis { fill:var(--faint); font-size:10px; font-variant-numeric:tabular-nums; } .grid { stroke:var(--rule); }
ul { list-style:none; margin:.5rem 0 0; padding:0; font-size:.74rem; display:flex; flex-wrap:wrap; gap:.1rem .9rem; }
li { display:flex; align-items:center; gap:.35rem; min-width:0; }
li b { font-weight:600; font-variant-numeric:tabular-nums; }
i { width:.6rem; height:.6rem; border-radius:2px; flex:none; }
ol { list-style:none; margin:.3rem 0 0; padding:0; font:.72rem/1.6 ui-monospace, "DejaVu Sans Mono", monospace; }
ol li { display:block; overflow-wrap:anywhere; }
.none { color:var(--faint); font-style:italic; margin:auto; }
@media (max-width: 60rem) { .panel { grid-column:1/-1 !important; } }
"""


def page(
    dashboards: Sequence[Json],
    ask: Ask,
    *,
    read: Read | None = None,
    choices: Mapping[str, str],
    started: float,
    ended: float,
) -> str:
    """The whole page.  Without ``read`` panels of log lines stay empty and say so.

    ``choices``: values of variables; times are seconds since 1970.
    """
    links = "".join(f'<a href="#{each["uid"]}">{html.escape(each["title"])}</a>' for each in dashboards)
    span = f"{_clock(started)} to {_clock(ended)} UTC"
    drawn = _Drawing(ask, read, choices)
    sections = "".join(drawn.section(each) for each in dashboards)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>TaskService dashboards</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style><h1>TaskService dashboards</h1><p>Drawn from a real run, {span}.</p>"
        f"<nav>{links}</nav>{sections}</html>\n"
    )


@dataclass(frozen=True)
class _Drawing:
    """Who is asked, and what the variables are."""

    ask: Ask
    read: Read | None
    choices: Mapping[str, str]

    def section(self, dashboard: Json) -> str:
        panels = "".join(self._panel(panel) for panel in dashboard["panels"])
        about = html.escape(dashboard["description"])
        return (
            f'<section id="{dashboard["uid"]}"><h2>{html.escape(dashboard["title"])}</h2><p>{about}</p>'
            f'<div class="page">{panels}</div></section>'
        )

    def _panel(self, panel: Json) -> str:
        if panel["type"] == "row":
            return f"<h3>{html.escape(panel['title'])}</h3>"
        head = f"<h4>{html.escape(panel['title'])}</h4><p>{html.escape(panel['description'])}</p>"
        if panel["type"] == "logs":
            return _card(panel, head + self._log_lines(panel))
        lines = sorted(self._series(panel), key=lambda line: -max(line.values.values()))[:LINES]
        unit = panel["fieldConfig"]["defaults"]["unit"]
        if not lines:
            return _card(panel, head + '<div class="none">nothing happened</div>')
        if panel["type"] == "stat":
            last = list(lines[0].values.values())[-1]
            return _card(panel, f'{head}<div class="number">{number_text(last, unit)}</div>{sparkline(lines[0])}')
        stacked = (panel["fieldConfig"]["defaults"].get("custom") or {}).get("stacking", {}).get("mode") == "normal"
        return _card(panel, head + time_series(lines, unit, stacked=stacked, width=panel["gridPos"]["w"] * 42))

    def _log_lines(self, panel: Json) -> str:
        if self.read is None:
            return '<div class="none">nobody was asked for log lines</div>'
        found = [line for target in panel["targets"] for line in self.read(self._chosen(target["expr"]))][:LINES]
        entries = "".join(f"<li>{html.escape(line)}</li>" for line in found)
        return f"<ol>{entries}</ol>" if found else '<div class="none">nothing was said</div>'

    def _series(self, panel: Json) -> Iterator[Line]:
        for target in panel["targets"]:
            for series in self.ask(self._chosen(target["expr"])):
                values = {at: float(text) for at, text in series["values"] if text not in ("NaN", "+Inf", "-Inf")}
                if values:
                    yield Line(_legend(target.get("legendFormat") or "", series["metric"]), values)

    def _chosen(self, expr: str) -> str:
        for variable, value in self.choices.items():
            expr = expr.replace(variable, value)
        return expr


def _card(panel: Json, content: str) -> str:
    return f'<div class="panel" style="grid-column:span {panel["gridPos"]["w"]}">{content}</div>'


def _legend(pattern: str, labels: Mapping[str, str]) -> str:
    for name in {*labels, "taskservice", "revision"}:
        pattern = pattern.replace(f"{{{{{name}}}}}", labels.get(name, ""))
    return pattern


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def generated(folder: Path = GENERATED) -> list[Json]:
    """The dashboards as `make gen` wrote them: what a Grafana would be given."""
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]


def asking(prometheus: str, started: float, ended: float, step: float) -> Ask:
    """Range queries to a Prometheus.  Raises OSError when it does not answer."""

    def ask(expr: str) -> list[Any]:
        query = urllib.parse.urlencode({"query": expr, "start": started, "end": ended, "step": step})
        with urllib.request.urlopen(f"{prometheus}/api/v1/query_range?{query}", timeout=60) as answer:  # noqa: S310
            return json.load(answer)["data"]["result"]

    return ask


def reading(loki: str, started: float, ended: float) -> Read:
    """The newest lines that a Loki has of that time.  Raises OSError when it does not answer."""

    def read(logql: str) -> list[str]:
        moments = {"start": int(started * 1e9), "end": int(ended * 1e9), "limit": LINES}
        query = urllib.parse.urlencode({"query": logql, **moments})
        with urllib.request.urlopen(f"{loki}/loki/api/v1/query_range?{query}", timeout=60) as answer:  # noqa: S310
            streams = json.load(answer)["data"]["result"]
        entries = sorted(((int(at), text) for stream in streams for at, text in stream["values"]), reverse=True)
        return [text for _, text in entries]

    return read


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m taskservice_observability.preview", description=__doc__)
    parser.add_argument("--prometheus", required=True, metavar="URL", help="for example http://127.0.0.1:9090")
    parser.add_argument("--loki", metavar="URL", help="for example http://127.0.0.1:3100 (default: no log lines)")
    parser.add_argument("--minutes", type=float, default=15, help="how far back (default: 15)")
    parser.add_argument("--output", type=Path, default=Path("build/observability/preview.html"))
    options = parser.parse_args(arguments)
    ended = time.time()
    started = ended - 60 * options.minutes
    choices = {"$__rate_interval": "1m", "$namespace": ".+", "$taskservice": ".+"}
    try:
        text = page(
            generated(),
            asking(options.prometheus, started, ended, (ended - started) / 180),
            read=reading(options.loki, started, ended) if options.loki else None,
            choices=choices,
            started=started,
            ended=ended,
        )
    except OSError as problem:
        asked = " or ".join(url for url in (options.prometheus, options.loki) if url)
        print(f"{asked} does not answer: {problem}", file=sys.stderr)
        return 1
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text, encoding="utf-8")
    print(options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
