"""costspan.config.watch"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from costspan.config import watch


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_AGAIN_MS", 50)


async def first_after(change: Callable[[], object], paths: list[Path]) -> None:
    """Wait until a watch that runs tells of `change`, and end it."""
    stop = asyncio.Event()
    asked = asyncio.Event()

    def names() -> list[Path]:
        asked.set()
        return paths

    async def told() -> bool:
        async for _ in watch.changes(names, stop, debounce_ms=20):
            stop.set()
            return True
        return False

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(told())
        await asked.wait()
        before = await asyncio.to_thread(watch._digests, paths)
        assert before
        await settle()
        change()
        assert await task


async def settle() -> None:
    """Let the watch take its first look: it runs in a thread, so a thread's turn later it is done."""
    for _ in range(20):
        await asyncio.to_thread(lambda: None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text("a: 1")
    return path


async def test_a_written_file_is_a_change(file: Path) -> None:
    await first_after(lambda: file.write_text("a: 2"), [file])


async def test_a_replaced_file_is_a_change(file: Path) -> None:
    new = file.with_suffix(".new")
    new.write_text("a: 2")

    await first_after(lambda: new.rename(file), [file])


async def test_a_deleted_file_is_a_change(file: Path) -> None:
    await first_after(file.unlink, [file])


async def test_a_new_table_beside_the_file_is_a_change(file: Path) -> None:
    await first_after(lambda: (file.parent / "prices.yaml").write_text("[]"), [file])


async def test_a_file_in_a_folder_that_did_not_exist_is_a_change(tmp_path: Path) -> None:
    file = tmp_path / "later" / "gateway.yaml"

    def appear() -> None:
        file.parent.mkdir()
        file.write_text("a: 1")

    await first_after(appear, [file])


async def test_the_swap_of_a_config_map_is_a_change(tmp_path: Path) -> None:
    for generation in ("one", "two"):
        (tmp_path / f"..{generation}").mkdir()
        (tmp_path / f"..{generation}" / "gateway.yaml").write_text(generation)
    (tmp_path / "..data").symlink_to("..one")
    (tmp_path / "gateway.yaml").symlink_to("..data/gateway.yaml")
    (tmp_path / "..tmp").symlink_to("..two")

    await first_after(lambda: (tmp_path / "..tmp").rename(tmp_path / "..data"), [tmp_path / "gateway.yaml"])


def rewrite(file: Path) -> None:
    """Touch everything, change nothing."""
    file.touch()
    copy = file.with_suffix(".copy")
    copy.write_text(file.read_text())
    copy.rename(file)
    (file.parent / "notes.txt").write_text("not ours")


async def test_only_a_change_of_content_counts(file: Path) -> None:
    stop = asyncio.Event()
    stream: AsyncIterator[None] = watch.changes(lambda: [file], stop, debounce_ms=20)
    told = asyncio.ensure_future(anext(stream, None))  # noqa: TID251 - one waiter that must stay unfinished for a while
    await settle()
    rewrite(file)
    done, _ = await asyncio.wait({told}, timeout=0.3)

    assert not done
    stop.set()
    async with asyncio.timeout(5):
        await told


async def test_a_set_stop_ends_the_watch(file: Path) -> None:
    stop = asyncio.Event()
    stop.set()

    assert [change async for change in watch.changes(lambda: [file], stop)] == []
