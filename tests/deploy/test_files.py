"""The files under deploy are what Compose and Kubernetes read, and start nextreel with options that it has."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from jsonschema import Draft202012Validator

from nextreel.cli import app
from tests.deploy.files import DEPLOY, MANIFESTS, Container, list_containers, read_compose, read_yaml

SCHEMAS = Path(__file__).with_name("schemas")
CONTAINERS = list_containers()


def read_schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    return schema


def test_the_compose_file_is_one() -> None:
    Draft202012Validator(read_schema("compose.json")).validate(read_compose())


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_is_one_of_kubernetes(path: Path) -> None:
    definitions = read_schema("kubernetes.json")
    for document in read_yaml(path):
        schema = {**definitions, "$ref": f"#/$defs/{document['kind']}"}
        Draft202012Validator(schema).validate(document)


def test_the_schemas_refuse_what_is_misspelt() -> None:
    (deployment,) = read_yaml(DEPLOY / "kubernetes" / "deployment.yaml")
    deployment["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    schema = {**read_schema("kubernetes.json"), "$ref": "#/$defs/Deployment"}
    assert not Draft202012Validator(schema).is_valid(deployment)
    compose = read_compose()
    compose["services"]["replica-1"]["restrat"] = "always"
    assert not Draft202012Validator(read_schema("compose.json")).is_valid(compose)


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda container: container.name)
def test_a_container_starts_nextreel_with_options_and_variables_that_it_has(container: Container) -> None:
    command: Any = typer.main.get_command(app)
    arguments = container.arguments
    while hasattr(command, "commands"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context(command.name, [*arguments])
    ours = {name for name in container.variables if name.startswith("NEXTREEL_")}
    assert ours <= {parameter.envvar for parameter in command.params}


@pytest.mark.parametrize("container", CONTAINERS[1:], ids=lambda container: container.name)
def test_a_container_writes_nowhere_but_to_its_volumes(container: Container) -> None:
    if "read_only" in container.spec:
        assert container.spec["read_only"] is True
        assert container.spec["tmpfs"] == ["/tmp"]
        return
    assert container.spec["securityContext"]["readOnlyRootFilesystem"] is True
    assert {mount["mountPath"] for mount in container.spec["volumeMounts"]} == {"/tmp", "/versions"}


def test_files_that_the_compose_file_mounts_are_there() -> None:
    mounted = [
        volume.split(":")[0]
        for service in read_compose()["services"].values()
        for volume in service.get("volumes", ())
        if volume.startswith(".")
    ]
    assert mounted
    assert all((DEPLOY / path).exists() for path in mounted)


def test_secrets_stand_in_no_file() -> None:
    for path in [*MANIFESTS, DEPLOY / "compose.yaml"]:
        for line in path.read_text(encoding="utf-8").splitlines():
            if "PASSWORD" in line:
                assert "${POSTGRES_PASSWORD:?" in line
    kinds = {document["kind"] for path in MANIFESTS for document in read_yaml(path)}
    assert "Secret" not in kinds
