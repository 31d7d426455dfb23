"""The CustomResourceDefinition as a whole, and the file that is generated from it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from taskservice_operator.api import crd, names

ROOT = Path(__file__).resolve().parents[3]


def version() -> dict:
    (only,) = crd.build_crd()["spec"]["versions"]
    return only


def test_the_charts_file_is_up_to_date() -> None:
    assert crd.main(["--check", "--root", str(ROOT)]) == 0


def test_a_stale_file_is_reported_with_the_command_that_renews_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / crd.CHART_FILE
    target.parent.mkdir(parents=True)
    target.write_text("old", encoding="utf-8")
    assert crd.main(["--check", "--root", str(tmp_path)]) == 1
    assert "crd --write" in capsys.readouterr().err


def test_writing_makes_the_check_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / crd.CHART_FILE).parent.mkdir(parents=True)
    assert crd.main(["--write", "--root", str(tmp_path)]) == 0
    assert crd.main(["--check", "--root", str(tmp_path)]) == 0
    assert str(crd.CHART_FILE) in capsys.readouterr().out


def test_the_file_is_the_definition_and_nothing_helm_would_expand() -> None:
    assert yaml.safe_load(crd.render_crd()) == crd.build_crd()
    assert "{{" not in crd.render_crd()


def test_uninstalling_the_chart_keeps_the_definition() -> None:
    assert crd.build_crd()["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_it_has_the_short_name_and_stays_out_of_kubectl_get_all() -> None:
    spoken = crd.build_crd()["spec"]["names"]
    assert spoken["shortNames"] == ["tsvc"]
    assert "categories" not in spoken


def test_the_scale_subresource_points_at_the_replicas_and_the_live_selector() -> None:
    assert version()["subresources"] == {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    }


def test_the_columns_are_those_people_look_for() -> None:
    columns = version()["additionalPrinterColumns"]
    narrow = [column["name"] for column in columns if not column.get("priority")]
    wide = [column["name"] for column in columns if column.get("priority")]
    assert narrow == ["Ready", "Reason", "Phase", "Revision", "Replicas", "Age"]
    assert wide == ["Candidate", "Strategy", "Image"]


def test_the_longest_name_is_the_one_the_code_counts_with() -> None:
    rules = crd.resource()["x-kubernetes-validations"]
    assert f"<= {names.MAX_NAME_LENGTH}" in rules[0]["rule"]
    assert str(names.MAX_NAME_LENGTH) in rules[0]["message"]


def test_it_fits_into_the_annotation_that_client_side_apply_makes() -> None:
    assert len(crd.render_crd()) < 200_000
