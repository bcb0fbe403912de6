"""Recommendation lists as a directory of parts, without a cluster."""

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from nextreel.errors import ArtifactError
from nextreel.prediction.predictor import Predictor
from nextreel.scale.list_parts import SUCCESS_FILE, AnsweredPart, BatchRequest, ListCounts, Part, write_parts
from tests.cli.commands import fail, succeed
from tests.scale.jobs import make_queries


class Job:
    """Answers the parts of a run in this process, and remembers which."""

    def __init__(self, predictor: Predictor, k: int = 3) -> None:
        self.predictor, self.request = predictor, BatchRequest(k)
        self.answered: list[int] = []

    def write(self, directory: Path, queries: pl.DataFrame) -> ListCounts:
        return write_parts(queries, {"k": self.request.k}, directory, self._answer, rows_per_part=50)

    def _answer(self, parts: Iterator[Part]) -> Iterator[AnsweredPart]:
        for part in parts:
            self.answered.append(part.number)
            yield part.number, self.request.answer(self.predictor, part.queries)


def test_parts_hold_the_lists_in_the_order_of_the_queries(predictor: Predictor, tmp_path: Path) -> None:
    queries = make_queries(predictor)
    job = Job(predictor)
    job.write(tmp_path, queries)
    assert job.answered == [0, 1, 2]
    parts = [pl.read_parquet(file) for file in sorted(tmp_path.glob("part-*"))]
    assert [len(part) for part in parts] == [50, 50, 20]
    assert pl.concat(parts).equals(predictor.recommend_wide(queries, 3, with_fallback=True))


def test_the_marker_counts_all_lists(predictor: Predictor, tmp_path: Path) -> None:
    queries = pl.concat(
        [make_queries(predictor), pl.DataFrame({"UserID": [999], "Timestamp": [1_700_000_000]})]
    )
    counts = Job(predictor).write(tmp_path, queries)
    assert counts.queries == 121
    assert counts.fallbacks >= 1
    marker = json.loads((tmp_path / SUCCESS_FILE).read_text())
    assert marker == {
        "queries": 121,
        "fallbacks": counts.fallbacks,
        "short": 0,
        "fillers": 0,
        "parts": 3,
    }


def test_a_rerun_makes_only_the_part_that_is_missing(predictor: Predictor, tmp_path: Path) -> None:
    first = Job(predictor).write(tmp_path, make_queries(predictor))
    (tmp_path / "part-00001.parquet").unlink()
    job = Job(predictor)
    assert job.write(tmp_path, make_queries(predictor)) == first
    assert job.answered == [1]
    assert Job(predictor).write(tmp_path, make_queries(predictor)) == first


def test_other_queries_or_another_request_are_refused(predictor: Predictor, tmp_path: Path) -> None:
    queries = make_queries(predictor)
    Job(predictor).write(tmp_path, queries)
    with pytest.raises(ArtifactError, match=r"holds another run: queries_sha256 was .*Choose another name"):
        Job(predictor).write(tmp_path, queries.reverse())
    with pytest.raises(ArtifactError, match="holds another run: k was 3, now is 4"):
        Job(predictor, k=4).write(tmp_path, queries)


def test_no_query_makes_one_part_without_lists(predictor: Predictor, tmp_path: Path) -> None:
    assert Job(predictor).write(tmp_path, make_queries(predictor).clear()).queries == 0
    assert pl.read_parquet(tmp_path / "part-00000.parquet").columns[:3] == ["UserID", "Timestamp", "MovieID1"]


def test_a_damaged_part_is_named(predictor: Predictor, tmp_path: Path) -> None:
    Job(predictor).write(tmp_path, make_queries(predictor))
    (tmp_path / "part-00002.parquet").write_text("no Parquet")
    with pytest.raises(ArtifactError, match=r"part-00002\.parquet is damaged"):
        Job(predictor).write(tmp_path, make_queries(predictor))


def test_the_command_refuses_the_directory_of_another_model_or_list(model: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("UserID,Timestamp\n5,1700000000\n")
    arguments = ("recommend", model, "--queries", "q.csv", "--out", "out")
    succeed(*arguments, cwd=tmp_path)
    assert succeed(*arguments, cwd=tmp_path) == "1 list of 10 movies written to out\n"
    message = fail(*arguments, "-k", 3, cwd=tmp_path)
    assert message == "nextreel: out holds another run: k was 10, now is 3. Choose another name with --out\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--queries", "q.csv", "--on", "moon", "--out", "out"),
            "--on 'moon': expected local, ray, or HOST:PORT",
        ),
        (("--queries", "q.csv", "--on", "ray://a:1", "--out", "out"), "--on 'ray://a:1': expected local"),
        (("--queries", "q.csv", "--on", "ray", "--out", "a.csv"), "--on ray writes a directory of parts"),
        (("--queries", "q.csv", "--out", "out", "--force"), "--force replaces a file"),
        (("--all-users", "--out", "out"), "needs the time of all queries"),
        (("--user", "5", "--on", "ray"), "--on is for the queries of --queries or --all-users"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_that_dont_fit_are_one_sentence(
    model: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "q.csv").write_text("UserID,Timestamp\n5,1700000000\n")
    assert message in fail("recommend", model, *arguments, cwd=tmp_path)
    assert not (tmp_path / "out").exists()
