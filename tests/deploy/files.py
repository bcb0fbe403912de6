"""The files under deploy, read: the containers that run nextreel, and the queries to Prometheus."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
METRIC = re.compile(r"\b(?:nextreel_[a-z_]+|up)\b")
STRING = re.compile(r'"[^"]*"')
GROUPED = re.compile(r"\bby \(([^)]*)\)")
MATCHED = re.compile(r"([a-z_]+)=~?(?=\")")


@dataclass(frozen=True)
class Container:
    """A container that runs `nextreel` with these arguments and environment variables."""

    name: str
    arguments: list[str]
    variables: frozenset[str]
    spec: Mapping[str, Any]
    """What the file says of it."""


def read_yaml(path: Path) -> list[Any]:
    """Return the documents of a file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def read_compose() -> dict[str, Any]:
    (compose,) = read_yaml(DEPLOY / "compose.yaml")
    assert isinstance(compose, dict)
    return compose


def list_containers() -> list[Container]:
    """Return every container of all files that runs nextreel."""
    return [_read_dockerfile(), *_list_services(), *_list_pods()]


def list_queries() -> dict[str, str]:
    """Return the queries of the rules and of the dashboard, by what they are for."""
    (rules,) = read_yaml(DEPLOY / "prometheus" / "rules.yml")
    queries = {rule["alert"]: rule["expr"] for group in rules["groups"] for rule in group["rules"]}
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            queries[f"{panel['title']}, {target['refId']}"] = target["expr"]
    return queries


def metrics_of(query: str) -> set[str]:
    """Return the names of the metrics in a query."""
    return set(METRIC.findall(STRING.sub("", query)))


def labels_of(query: str) -> set[str]:
    """Return the names of the labels in a query."""
    grouped = {name.strip() for names in GROUPED.findall(query) for name in names.split(",")}
    return grouped | set(MATCHED.findall(query))


def _read_dockerfile() -> Container:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    instructions = re.sub(r"\\\n", " ", text)
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", instructions, re.MULTILINE)
    assert json.loads(entry) == ["nextreel"]
    (command,) = re.findall(r"^CMD (.*)$", instructions, re.MULTILINE)
    variables = re.findall(r"\b([A-Z_]+)=", " ".join(re.findall(r"^ENV (.*)$", instructions, re.MULTILINE)))
    return Container("Dockerfile", json.loads(command), frozenset(variables), {})


def _list_services() -> Iterator[Container]:
    for name, service in read_compose()["services"].items():
        if service["image"] == "nextreel":
            yield Container(name, service["command"], frozenset(service["environment"]), service)


def _list_pods() -> Iterator[Container]:
    for document in (document for path in MANIFESTS for document in read_yaml(path)):
        spec = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)  # of a CronJob
        for container in spec.get("template", {}).get("spec", {}).get("containers", []):
            variables = frozenset(variable["name"] for variable in container.get("env", ()))
            yield Container(
                f"{document['kind']} {document['metadata']['name']}", container["args"], variables, container
            )
