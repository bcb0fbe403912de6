"""Recommendation lists for many queries as a directory of parts, which a run that was stopped continues.

    recommend.json        what the run is: its model, its queries and what is asked of the lists; written first
    part-00000.parquet    the lists of the first queries, in their order; the next part has those of the next queries
    _SUCCESS              JSON with the counts of the whole; written last, when all parts are there

A part is written completely or not at all, so whatever is killed, the next run of the same command makes only the parts
that are missing. Who answers the queries of a part changes nothing in it: this process, or tasks on a cluster.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import polars as pl

from nextreel.atomic_files import claim_directory, write_json
from nextreel.data.ids import encode_ids
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.data.table_writer import write_table
from nextreel.data.timeline import Ties
from nextreel.errors import ArtifactError
from nextreel.prediction.manifest import ModelManifest
from nextreel.prediction.predictor import Predictor
from nextreel.version import __version__
from nextreel.wording import number_of

RUN_FILE, SUCCESS_FILE = "recommend.json", "_SUCCESS"
PART_ROWS = 50_000
"""Number of queries of a part: seconds of work for one core, which is what a killed worker loses at most."""
FALLBACK, SHORTFALL = "Fallback", "Shortfall"


@dataclass(frozen=True)
class BatchRequest:
    """What is asked of every list of a run."""

    k: int = 10
    exclude_seen: bool = True
    ties: Ties = "strict"

    def answer(self, predictor: Predictor, queries: pl.DataFrame) -> pl.DataFrame:
        """Return UserID, Timestamp, MovieID1 to MovieIDk, Fallback and Shortfall, as `recommend_wide` does."""
        return predictor.recommend_wide(
            queries, self.k, self.exclude_seen, with_fallback=True, ties=self.ties
        )

    def answer_in_parts(self, predictor: Predictor, queries: pl.DataFrame) -> pl.DataFrame:
        """Return what `answer` does, computed part by part.

        The queries of a part are scored in batches of their own. So a list is the same to the last bit, whether it is
        written to a file or to a directory of parts.
        """
        starts = range(0, max(len(queries), 1), PART_ROWS)
        return pl.concat([self.answer(predictor, queries.slice(start, PART_ROWS)) for start in starts])


@dataclass(frozen=True)
class Part:
    """Consecutive queries of a run."""

    number: int
    """Position among the parts of the run, from 0."""
    queries: pl.DataFrame
    """UserID and Timestamp."""


AnsweredPart = tuple[int, pl.DataFrame]
"""The number of a part, and the lists of its queries as `BatchRequest.answer` returns them."""


@dataclass(frozen=True)
class ListCounts:
    """How many lists were made, and how many of them aren't the model's own choice or not completely."""

    queries: int
    fallbacks: int
    """Number of lists of popular movies, for users whom the model doesn't know."""
    short: int
    """Number of lists that are filled up, since too few movies were left to recommend."""
    fillers: int
    """Number of movies that only fill up lists."""

    @classmethod
    def of(cls, lists: pl.DataFrame) -> Self:
        """Count the lists of a frame with the columns Fallback and Shortfall."""
        return cls(
            len(lists),
            lists[FALLBACK].count(),
            int((lists[SHORTFALL] > 0).sum()),
            int(lists[SHORTFALL].sum()),
        )

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        """Return the sums of several counts."""
        rows = [(part.queries, part.fallbacks, part.short, part.fillers) for part in parts]
        return cls(*(sum(column) for column in zip(*rows, strict=True)))

    def sentences(self) -> Iterator[str]:
        """Yield a sentence on the lists of popular movies and one on those that were filled up, if there are any."""
        of_all = f"of {number_of(self.queries, 'query', 'queries')}"
        if self.fallbacks:
            yield f"{self.fallbacks:,} {of_all}: unknown user, answered with popularity"
        if self.short:
            fillers = number_of(self.fillers, "movie only fills", "movies only fill")
            yield f"{self.short:,} {of_all}: too few movies left to recommend, so that {fillers} up the list"


def describe_run(manifest: ModelManifest, request: BatchRequest) -> dict[str, object]:
    """Return what distinguishes a run from others that answer the same queries."""
    content = manifest.model_dump_json(include={"model", "config", "data_format", "files"})
    return {
        "nextreel": __version__,
        "model": manifest.model,
        "model_sha256": hashlib.sha256(content.encode()).hexdigest(),
        **asdict(request),
    }


def write_parts(
    queries: pl.DataFrame,
    about: Mapping[str, object],
    directory: Path,
    answer_parts: Callable[[Iterator[Part]], Iterable[AnsweredPart]],
    on_part: Callable[[int, int], None] = lambda done, total: None,
    rows_per_part: int = PART_ROWS,
) -> ListCounts:
    """Write the lists of all queries to a directory, or those that an earlier run of the same kind didn't get to.

    Parameters
    ----------
    queries : polars.DataFrame
        UserID and Timestamp, checked.
    about : mapping of JSON values
        What the run is, from `describe_run`.
    directory : Path
        New, empty, or the directory of the same run.
    answer_parts : callable
        Takes the parts that are missing, and yields their lists in any order. It isn't called if none is missing.
    on_part : callable
        Called with the number of parts that are written, and of all parts, at first and after each part.
    rows_per_part : int
        Number of queries of each part but the last.

    Raises
    ------
    ArtifactError
        The directory holds another run or something else, or a part in it is damaged.
    DataError
        A part can't be written.
    """
    identity = {"queries": len(queries), "queries_sha256": _hash_queries(queries), "part_rows": rows_per_part}
    claim_directory(directory, RUN_FILE, {**about, **identity})
    files = _name_parts(directory, len(queries), rows_per_part)
    missing = [number for number, file in enumerate(files) if not file.is_file()]
    on_part(len(files) - len(missing), len(files))
    if missing:
        (directory / SUCCESS_FILE).unlink(missing_ok=True)
        parts = (Part(number, queries.slice(number * rows_per_part, rows_per_part)) for number in missing)
        for written, (number, lists) in enumerate(answer_parts(parts), start=1):
            write_table(lists, files[number])
            on_part(len(files) - len(missing) + written, len(files))
    counts = ListCounts.total(ListCounts.of(_read_columns(file)) for file in files)
    write_json({**asdict(counts), "parts": len(files)}, directory / SUCCESS_FILE)
    return counts


def _name_parts(directory: Path, n_queries: int, rows_per_part: int) -> list[Path]:
    """Return the file of each part; names sort as the parts do, and without queries there is one empty part."""
    n_parts = max(1, -(-n_queries // rows_per_part))
    digits = max(5, len(str(n_parts - 1)))
    return [directory / f"part-{number:0{digits}}.parquet" for number in range(n_parts)]


def _hash_queries(queries: pl.DataFrame) -> str:
    """Return the SHA-256 of the users and times of queries, which doesn't depend on the format of their file."""
    digest = hashlib.sha256(encode_ids(queries[USER_ID]).tobytes())
    digest.update(queries[TIMESTAMP].to_numpy().tobytes())
    return digest.hexdigest()


def _read_columns(file: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(file.absolute(), columns=[FALLBACK, SHORTFALL], glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f"{file} is damaged ({error}): remove it and run again") from None
