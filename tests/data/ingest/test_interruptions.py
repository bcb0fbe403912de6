"""An ingest that is killed changes nothing, and the same command completes it."""

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from nextreel.atomic_files.exclusive import exclusive
from nextreel.data.ingest.ingestion import Sizes, ingest
from nextreel.data.ingest.maintenance import forget
from nextreel.data.ingest.staged_rows import STAGING, Staging
from nextreel.data.reading.partitioned_rows import open_partitioned
from nextreel.data.reading.table_reader import read_dataset
from nextreel.errors import ArtifactError
from tests.data.ingest.test_ingestion import contents, write

SIZES = Sizes(partitions=3, block_bytes=256)
DIES = """
import os, signal, sys
from pathlib import Path
from nextreel.data.ingest.ingestion import Sizes, ingest
from nextreel.data.ingest.maintenance import forget

def die(stage):
    if stage.startswith(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[4] == "ingest":
    ingest(Path(sys.argv[2]), Path(sys.argv[3]), sizes=Sizes(3, 256), show_stage=die)
else:
    forget(Path(sys.argv[3]), [1], show_stage=die)
"""


def kill(stage: str, source: Path, directory: Path, what: str = "ingest") -> None:
    """Run a process on a directory that kills itself, as the system does, when it comes to a stage."""
    done = subprocess.run([sys.executable, "-c", DIES, stage, source, directory, what], check=False)
    assert done.returncode == -signal.SIGKILL


def write_days(home: Path) -> Path:
    for day in (1, 2):
        write(home / f"day-{day}.csv", *(f"{n % 9},{n},4,{10**9 * day + n}" for n in range(60)))
    return home / "day-*.csv"


@pytest.mark.parametrize("stage", ["reading day-2", "partitioning", "sorting partition 2"])
def test_a_killed_run_is_continued_by_the_same_command(tmp_path: Path, stage: str) -> None:
    data, days = tmp_path / "data", write_days(tmp_path)
    ingest(write(tmp_path / "first.csv", "1,10,4,900000000"), data, sizes=SIZES)
    before = read_dataset(data).fingerprint
    kill(stage, days, data)
    assert read_dataset(data).fingerprint == before
    assert ingest(days, data, sizes=SIZES).continued
    ingest(write(tmp_path / "first.csv", "1,10,4,900000000"), tmp_path / "whole", sizes=SIZES)
    assert not ingest(days, tmp_path / "whole", sizes=SIZES).continued
    assert contents(data) == contents(tmp_path / "whole")
    assert read_dataset(data).fingerprint == read_dataset(tmp_path / "whole").fingerprint


def test_what_was_written_before_the_kill_is_not_written_again(tmp_path: Path) -> None:
    data, days = tmp_path / "data", write_days(tmp_path)
    kill("sorting partition 2", days, data)
    (part,) = data.rglob("part-*.parquet")
    written = part.stat().st_mtime_ns
    ingest(days, data, sizes=SIZES)
    assert part.stat().st_mtime_ns == written


def test_after_a_killed_run_other_files_may_be_ingested(tmp_path: Path) -> None:
    data, days = tmp_path / "data", write_days(tmp_path)
    kill("sorting partition 2", days, data)
    other = write(tmp_path / "other.csv", "1,10,4,900000000")
    assert not ingest(other, data, sizes=SIZES).continued
    assert read_dataset(data).fingerprint == read_dataset(other).fingerprint


def test_a_killed_erasure_changes_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    data, days = tmp_path / "data", write_days(tmp_path)
    ingest(days, data, sizes=Sizes(1, 256))
    before = read_dataset(data).fingerprint
    kill("searching partition 1", days, data, "forget")
    assert read_dataset(data).fingerprint == before
    assert forget(data, [1]).users == 1
    assert 1 not in read_dataset(data).user_ids


def test_a_run_is_not_continued_with_other_users(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    write(tmp_path / "source" / "ratings.csv", "1,10,4,900000000", "2,10,4,900000000")
    kill("sorting partition 2", tmp_path / "source", tmp_path / "data")
    write(tmp_path / "source" / "users.csv", "x,30", header="UserID,Age\n")
    assert not ingest(tmp_path / "source", tmp_path / "data", sizes=SIZES).continued
    expected = read_dataset(tmp_path / "source").fingerprint
    assert read_dataset(tmp_path / "data").fingerprint == expected


def test_an_erasure_deletes_what_a_killed_ingest_has_read_of_a_user(tmp_path: Path) -> None:
    data, days = tmp_path / "data", write_days(tmp_path)
    ingest(write(tmp_path / "first.csv", "1,10,4,900000000", "2,10,4,900000000"), data, sizes=SIZES)
    kill("sorting partition 2", days, data)
    forget(data, [1])
    listed = open_partitioned(data).manifest.listed()
    assert set(contents(data)) == {"partitions.json", *listed}


def test_two_runs_do_not_write_at_once(tmp_path: Path) -> None:
    data, days = tmp_path / "data", write_days(tmp_path)
    data.mkdir()
    with exclusive(data), pytest.raises(ArtifactError, match="another run is writing to it"):
        ingest(days, data)


def test_a_run_begins_though_a_thread_of_a_failed_one_still_writes(tmp_path: Path) -> None:
    directory = tmp_path / STAGING

    def write_late() -> None:
        for number in range(300):
            with suppress(FileNotFoundError):  # deleted meanwhile
                directory.mkdir(exist_ok=True)
                (directory / f"late-{number}").touch()

    late = Thread(target=write_late)
    late.start()
    try:
        assert not Staging(directory, 4).begin("run")
    finally:
        late.join()
    assert Staging(directory, 4).begin("run"), "the run is there to be continued"
