"""The image, without a Docker engine: what the file says, and the same installation in a folder."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from deploy.manifests import KUBERNETES, ROOT, gateway_of, read

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
BUILD_LOCK = ROOT / "deploy" / "build.lock"
LOCKED = re.compile(r"^([a-z0-9.-]+)==(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile; `stage` counts the FROM lines."""

    stage: int
    name: str
    text: str

    def words(self) -> list[str]:
        """The exec form; fails where a shell would be needed."""
        found: list[str] = yaml.safe_load(self.text)
        return found


def instructions() -> list[Instruction]:
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found: list[Instruction] = []
    stage = 0
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, rest.strip()))
    return found


def named(name: str) -> list[Instruction]:
    return [instruction for instruction in instructions() if instruction.name == name]


def installs() -> list[list[str]]:
    return [words for words in (run.words() for run in named("RUN")) if "install" in words and "pip" in words]


def test_nothing_needs_a_shell_at_run_time_and_optimisation_stays_off() -> None:
    entry = named("ENTRYPOINT")[-1].words()

    assert entry == ["/opt/costspan/bin/python", "-I", "-B", "-u", "-X", "utf8", "-m", "costspan"]
    assert named("CMD")[-1].words() == ["serve", "-c", "/etc/costspan/gateway.yaml"]
    assert named("HEALTHCHECK") == []


def test_it_runs_as_a_number_that_is_not_root_and_stops_by_sigterm() -> None:
    assert named("USER")[-1] == Instruction(2, "USER", "65532:65532")
    assert named("STOPSIGNAL")[-1] == Instruction(2, "STOPSIGNAL", "SIGTERM")


def test_the_image_and_the_manifests_mean_the_same_user() -> None:
    container = gateway_of(read((KUBERNETES / "standalone.yaml").read_text()))

    assert named("USER")[-1].text == "{runAsUser}:{runAsGroup}".format(**container["securityContext"])


def test_both_stages_come_from_one_base_that_a_release_pins_by_digest() -> None:
    assert [stage.text for stage in named("FROM")] == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]
    assert [argument.text for argument in named("ARG")] == ["PYTHON_IMAGE=python:3.13-slim"]
    assert "latest" not in DOCKERFILE.read_text()


def test_every_installation_is_locked_by_hash_or_offline() -> None:
    assert len(installs()) == 3
    for words in installs():
        locked = {"--require-hashes", "--only-binary", ":all:"} <= set(words)
        assert locked or {"--no-index", "--no-deps"} <= set(words)


def test_the_final_stage_runs_nothing_and_takes_only_what_was_built() -> None:
    last = [instruction for instruction in instructions() if instruction.stage == 2]

    assert [instruction.text for instruction in last if instruction.name in {"RUN", "COPY", "ADD"}] == [
        "--from=build /opt/costspan /opt/costspan",
        "--from=build --chown=65532:65532 /state /var/lib",
    ]


def test_the_build_context_holds_what_is_copied_and_no_more() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = {word for copy in named("COPY") if "--from" not in copy.text for word in copy.text.split()[:-1]}

    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied
    assert "*" in ignored
    assert all((ROOT / path).exists() for path in copied)


def test_the_build_backend_is_locked_to_what_the_project_asks_for() -> None:
    """After a change: echo hatchling==VERSION | uv pip compile --universal --generate-hashes - -o deploy/build.lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    development = dict(LOCKED.findall((ROOT / "requirements-dev.lock").read_text()))
    locked = dict(LOCKED.findall(BUILD_LOCK.read_text()))

    assert project["build-system"]["requires"] == [f"hatchling=={locked['hatchling']}"]
    assert {name: development[name] for name in locked} == locked


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=30,
    )
    (built,) = folder.glob("*.whl")
    return built


def contents(wheel: Path) -> list[str]:
    listed = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", wheel], check=True, capture_output=True, text=True, timeout=10
    )
    return [line.split()[0] for line in listed.stdout.splitlines()[1:]]


def test_the_wheel_holds_the_package_and_nothing_that_runs_at_start(wheel: Path) -> None:
    names = contents(wheel)

    assert {name.split("/")[0] for name in names} == {"costspan", "costspan-0.1.0.dist-info"}
    assert "costspan/py.typed" in names
    assert not [name for name in names if name.endswith(".pth")]


def test_the_wheel_runs_without_the_source_tree(wheel: Path, tmp_path: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--no-deps", "--offline", "--target", tmp_path / "site", wheel],
        check=True,
        timeout=30,
    )
    site = str(tmp_path / "site")
    program = (
        f"import runpy, sys; sys.path.insert(0, {site!r}); sys.argv[1:] = ['--version']; import costspan;"
        "print(costspan.__file__); runpy.run_module('costspan', run_name='__main__')"
    )
    shown = subprocess.run(
        [sys.executable, "-I", "-B", "-X", "utf8", "-c", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )

    assert shown.stdout.splitlines()[0] == f"{site}/costspan/__init__.py"
    assert "0.1.0" in shown.stdout.splitlines()[1]
