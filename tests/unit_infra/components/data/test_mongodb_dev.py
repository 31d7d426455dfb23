"""The development MongoDB, as its component declares it."""

from __future__ import annotations

import json

import pulumi
import pytest
from pydantic import ValidationError

from infrakit.engine import Played, play
from taskservice_infra.components.data.mongodb_dev import ROLES, MongoDbDev, MongoDbDevArgs
from taskservice_infra.config.data import MongoDbDev as Settings


def args(**settings: object) -> MongoDbDevArgs:
    return MongoDbDevArgs(
        namespace="data",
        settings=Settings.model_validate({"provider": "dev", **settings}),
        image="docker.io/local/mongod:1",
        init_image="docker.io/local/taskservice:1",
        init_script="print()",
        keyfile=pulumi.Output.secret("key"),
        passwords={user: pulumi.Output.secret(f"password-of-{user}") for user in ROLES},
    )


def played(**settings: object) -> Played:
    def program() -> None:
        mongodb = MongoDbDev("mongodb", args(**settings))
        for user, url in mongodb.urls.items():
            pulumi.export(user, url)

    return play(program, project="data")


def test_every_child_belongs_to_the_component() -> None:
    run = played()
    component = run.one("MongoDbDev")
    assert component.type == "taskservice:data:MongoDbDev"
    assert len(run.children(component)) == len(run.made) - 1


def test_a_member_runs_restricted_on_a_read_only_disk() -> None:
    pod = played().one("StatefulSet").inputs["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_its_members_are_as_many_as_asked() -> None:
    run = played(replicas=5)
    assert run.one("StatefulSet").inputs["spec"]["replicas"] == 5
    environment = run.one("Job").inputs["spec"]["template"]["spec"]["containers"][0]["env"]
    assert environment[0]["value"].count("mongodb-") == 5


def test_data_outlives_pods_only_where_storage_is_asked_for() -> None:
    assert "volumeClaimTemplates" not in played().one("StatefulSet").inputs["spec"]
    (claim,) = (
        played(storage={"size": "1Gi", "className": "local"}).one("StatefulSet").inputs["spec"]["volumeClaimTemplates"]
    )
    assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"
    assert claim["spec"]["storageClassName"] == "local"


def test_passwords_are_secret_wherever_they_go() -> None:
    run = played()
    assert run.secret_outputs == set(ROLES)
    assert run.one("Secret").secrets == {"stringData"}
    plain = [made.inputs for made in run.made if not made.secrets]
    assert "password-of" not in json.dumps(plain)


def test_each_user_gets_an_address_of_the_whole_replica_set() -> None:
    url = played().outputs["taskservice"]
    assert url.startswith(
        "mongodb://taskservice:password-of-taskservice@mongodb-0.mongodb.data.svc.cluster.local:27017,"
    )
    assert url.endswith("/?replicaSet=rs0&authSource=admin")


def test_a_new_image_of_the_services_does_not_run_the_init_job_again() -> None:
    assert played().one("Job").ignored == ("spec.template.spec.containers[0].image",)


def test_args_are_checked_before_a_resource_exists() -> None:
    with pytest.raises(ValidationError):
        MongoDbDevArgs.model_validate({"namespace": "data"})
