"""The chart of the definition: exactly the generated file, kept when the chart goes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from taskservice_operator.api import crd
from taskservice_operator.api.schema import apply_defaults
from taskservice_operator.api.schema_spec import spec
from taskservice_operator.api.spec import parse_spec

README = Path(__file__).resolve().parents[2] / "charts" / "taskservice-crds" / "README.md"


def examples() -> list[dict]:
    blocks = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return [yaml.safe_load(block) for block in blocks]


def test_helm_renders_the_definition_unchanged(helm) -> None:
    assert helm.render("taskservice-crds") == [crd.build_crd()]


@pytest.mark.parametrize("example", examples(), ids=lambda example: example["metadata"]["name"])
def test_the_readmes_examples_can_be_parsed(example: dict) -> None:
    assert parse_spec(apply_defaults(spec(), example["spec"])).template["image"]
