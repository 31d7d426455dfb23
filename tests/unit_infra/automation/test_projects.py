"""The projects and their folders agree, and each comes after those that it needs."""

from __future__ import annotations

import pytest
import yaml

from taskservice_infra.automation.projects import FOLDER, PROJECTS, Project, chosen
from taskservice_infra.config.settings import from_file
from taskservice_infra.errors import PlatformError


def test_every_folder_is_a_project_in_order() -> None:
    assert {folder.name for folder in FOLDER.iterdir() if folder.is_dir()} == {project.name for project in PROJECTS}
    names = [project.name for project in PROJECTS]
    assert all(names.index(need) < names.index(project.name) for project in PROJECTS for need in project.needs)


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_a_folder_runs_the_program_of_its_project_with_pulumi_up(project: Project) -> None:
    settings = yaml.safe_load((project.folder / "Pulumi.yaml").read_text())
    assert settings["name"] == project.name
    assert settings["runtime"]["name"] == "python"
    main = (project.folder / "__main__.py").read_text()
    assert f"from taskservice_infra.programs.{project.name} import program" in main
    assert len(main.splitlines()) <= 40


@pytest.mark.parametrize("project", [each for each in PROJECTS if not each.seeded], ids=lambda project: project.name)
def test_the_local_stack_file_is_good(project: Project) -> None:
    from_file(project.settings, project.name, project.stack_file("local"))


def test_projects_are_chosen_by_name_and_stay_in_order() -> None:
    assert [project.name for project in chosen(["apps", "cluster"])] == ["cluster", "apps"]
    assert chosen([]) == PROJECTS
    with pytest.raises(PlatformError, match="no project cluser; there are cluster"):
        chosen(["cluser"])
