import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import process_trees
from benchmarks.process_trees import run_measured, run_measured_with_children
from benchmarks.run import HERE

MEBIBYTES = 200
HOLD = f"held = b'1' * ({MEBIBYTES} << 20)"
RUN_THE_FIRST_OF_THE_REST = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
HOLDING = f"{HOLD}; {RUN_THE_FIRST_OF_THE_REST}"


def test_the_peak_of_a_command_is_that_of_its_largest_process(tmp_path: Path) -> None:
    # In a process of its own, because the peak of a command counts that of the process which starts it.
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from benchmarks.process_trees import run_measured\n"
        "command = [sys.executable, '-c', *sys.argv[2:]]\n"
        "print(run_measured(command, Path(sys.argv[1])).peak_memory_gib)"
    )
    command = [sys.executable, "-c", program, str(tmp_path), HOLDING, HOLD]
    measured = subprocess.run(command, cwd=HERE.parent, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert MEBIBYTES / 1024 < float(measured) < 1.5 * MEBIBYTES / 1024


def test_the_memory_of_a_command_with_its_children_is_the_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_trees, "SECONDS_BETWEEN_LOOKS", 0.01)
    usage = run_measured_with_children(
        [sys.executable, "-c", HOLDING, HOLDING, "import http.client"], tmp_path
    )
    assert 2 * MEBIBYTES / 1024 < usage.peak_memory_gib < 3 * MEBIBYTES / 1024


def test_a_command_that_fails_is_an_error(tmp_path: Path) -> None:
    for run in (run_measured, run_measured_with_children):
        with pytest.raises(RuntimeError, match="ended with status 3"):
            run([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)
