"""Whatever the bytes are: an export is read, or there is one DataError."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from nextreel.data.exports.chosen_movies import read_choices, write_rows
from nextreel.data.exports.export_files import ExportFile
from nextreel.errors import DataError
from tests.data.exports.invented import FORMS, OWN_ROWS, pack, read

TEXTS = [*FORMS.values(), OWN_ROWS]
CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ['"', ",", "\n", "\0", "1/2/23", "99/99/99", "tt1", "=1+1", "1e400", "-0", "٣", "2021-02-30"]
    ),
)


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    with suppress(DataError):
        read(data)


@given(st.sampled_from(TEXTS), st.binary(max_size=100))
def test_any_bytes_behind_a_header(text: str, data: bytes) -> None:
    with suppress(DataError):
        read(text.splitlines(keepends=True)[0].encode() + data)


@given(st.sampled_from(TEXTS), st.lists(st.lists(CELLS, max_size=17), max_size=5))
def test_any_cells_behind_a_header(text: str, rows: list[list[str]]) -> None:
    written = text.splitlines(keepends=True)[0] + "".join(",".join(row) + "\n" for row in rows)
    with suppress(DataError):
        read(written.encode("utf-8", errors="replace"))


@given(st.sampled_from(TEXTS), st.data())
def test_a_changed_byte(text: str, data: st.DataObject) -> None:
    changed = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DataError):
        read(bytes(changed))


@given(st.data())
def test_a_damaged_zip(data: st.DataObject) -> None:
    changed = bytearray(pack({"ratings.csv": TEXTS[0], "d/diary.csv": TEXTS[1]}))
    for _ in range(data.draw(st.integers(0, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DataError):
        read(bytes(changed[: data.draw(st.integers(4, len(changed)))]))


@given(st.binary(max_size=200))
def test_any_file_of_choices(data: bytes) -> None:
    with suppress(DataError):
        read_choices(ExportFile("matches.csv", b"Title,Year,MovieID\n" + data))


TITLES = st.text(min_size=1, max_size=20).map(str.strip).filter(bool)


@given(TITLES.filter(lambda title: title.isprintable()))
def test_a_written_title_is_read_again_and_is_no_formula(title: str) -> None:
    text = write_rows(["Title", "Year", "MovieID"], [[title, None, None]])
    assert read_choices(ExportFile("matches.csv", text.encode()))[0].title == title
    cell = text.splitlines()[1].lstrip('"')
    assert not cell.startswith(("=", "+", "-", "@"))
