"""costspan.config.references"""

from pathlib import Path

import pytest

from costspan.config.fields import Expanded
from costspan.config.folder import Folder
from costspan.config.references import SecretFiles, expand

ENVIRON = {"HOST": "example.com", "EMPTY": "", "NESTED": "${HOST}"}

EXPANDED = {
    "plain": "plain",
    "$HOST and {HOST}": "$HOST and {HOST}",
    "${HOST}": "example.com",
    "https://${HOST}/${HOST}": "https://example.com/example.com",
    "${GONE:-default}": "default",
    "${EMPTY:-default}": "default",
    "${GONE:-}": "",
    "$${HOST}": "${HOST}",
    "${NESTED}": "${HOST}",
}


@pytest.mark.parametrize(("text", "expected"), EXPANDED.items(), ids=EXPANDED.keys())
def test_references_are_replaced_once(text: str, expected: str) -> None:
    assert expand(text, ENVIRON) == expected


def test_only_what_held_a_reference_is_marked_as_such() -> None:
    assert isinstance(expand("${HOST}", ENVIRON), Expanded)
    assert not isinstance(expand("$${HOST}", ENVIRON), Expanded)
    assert not isinstance(expand("plain", ENVIRON), Expanded)


BROKEN = {
    "${GONE}": "the environment variable GONE is not set",
    "${EMPTY}": "the environment variable EMPTY is empty",
    "${}": r"expected \$\{NAME\}",
    "${1A}": r"expected \$\{NAME\}",
    "${HOST": r"expected \$\{NAME\}",
    "${A:-${HOST}}": r"expected \$\{NAME\}",
    "${KEY:-sk-ant-api03-abcdefgh}": "a provider key must not stand in the file, not even as a default",
}


@pytest.mark.parametrize(("text", "reason"), BROKEN.items(), ids=BROKEN.keys())
def test_a_broken_reference_says_why_without_repeating_the_value(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        expand(text, ENVIRON)

    assert "abcdefgh" not in str(caught.value)


@pytest.fixture
def files(tmp_path: Path) -> SecretFiles:
    return SecretFiles(Folder(tmp_path / "gateway.yaml"))


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    path.write_bytes(data)
    path.chmod(mode)


@pytest.mark.parametrize("data", [b"hunter2", b"hunter2\n", b"hunter2\r\n"])
def test_one_trailing_newline_is_not_part_of_the_secret(tmp_path: Path, files: SecretFiles, data: bytes) -> None:
    write(tmp_path / "key", data)

    assert files.read("key") == "hunter2"
    assert files.read(str(tmp_path / "key")) == "hunter2"
    assert files.seen == {tmp_path / "key": data}
    assert files.warnings == []


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "is empty"), (b"\n", "is empty"), (b"x" * 8193, "is larger than 8192 bytes")]
)
def test_unusable_secret_files_are_refused(tmp_path: Path, files: SecretFiles, data: bytes, reason: str) -> None:
    write(tmp_path / "key", data)

    with pytest.raises(ValueError, match=reason):
        files.read("key")


def test_a_missing_secret_file_is_still_one_to_watch(tmp_path: Path, files: SecretFiles) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        files.read("key")

    assert files.seen == {tmp_path / "key": b""}


def test_a_directory_is_no_secret(tmp_path: Path, files: SecretFiles) -> None:
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        files.read(str(tmp_path))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_secret_file_that_others_can_read_is_warned_about_once(tmp_path: Path, files: SecretFiles, mode: int) -> None:
    write(tmp_path / "key", b"hunter2", mode)
    files.read("key")
    files.read("key")

    assert files.warnings == [f"{tmp_path / 'key'}: the secret file is readable by others than its owner"]
