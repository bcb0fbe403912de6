from pathlib import Path

import pytest

from nextreel.errors import MissingExtraError, require


def test_what_is_missing_is_named_even_if_another_module_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "charts_of_a_test.py").write_text("import templates_of_a_test\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError, match=r"this needs templates_of_a_test, .*'\.\[plots\]'"):
        require("charts_of_a_test", "plots")
