"""billing.exports: whose export a file is."""

from __future__ import annotations

import pytest

from costspan.billing.exports import FORMATS, Export
from costspan.errors import Malformed
from fakes.bills import BILLINGS, Month

FILES = {
    f"{name}, {file}": (name.partition(",")[0].partition("'")[0], text)
    for name, billing in BILLINGS.items()
    for file, text in billing.write(Month().billed, billing.names).items()
}


@pytest.mark.parametrize(("name", "text"), FILES.values(), ids=FILES)
def test_a_file_is_recognised_and_by_no_other_format(name: str, text: str) -> None:
    export = Export(text.splitlines(keepends=True))

    assert name == export.format.NAME
    for other in FORMATS:
        if other != name:
            with pytest.raises(Malformed, match=f"the columns are none of the format {other}"):
                Export(text.splitlines(keepends=True), other)


def test_rows_of_other_services_are_counted() -> None:
    export = Export(FILES["google, billing.jsonl"][1].splitlines(keepends=True))

    charges = list(export)

    assert (len(charges), export.foreign) == (163, 1)


def test_an_empty_file_is_none() -> None:
    with pytest.raises(Malformed, match="the file is empty"):
        Export([])


def test_a_strange_file_is_answered_with_its_columns() -> None:
    with pytest.raises(Malformed, match=r"no format that is known: openai, .*; the first row has 'a', 'b\\x1b'"):
        Export(["a,b\x1b\n", "1,2\n"])
