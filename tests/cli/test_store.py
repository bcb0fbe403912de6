"""`nextreel store`: backup, check, restore and compact, as a user types them."""

from pathlib import Path

import pytest

from nextreel.serving.storage.store import NewInteraction, Store
from tests.cli.commands import fail, succeed


def test_who_is_erased_after_a_backup_is_not_restored(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    with Store.open(url) as store:
        store.add([NewInteraction(user, movie, 4.0, 5) for user in (1, 2) for movie in (1, 2)])
    printed = succeed("store", "backup", url, "a.backup", cwd=tmp_path)
    assert printed == "Wrote 4 ratings of 2 users to a.backup.\n"
    with Store.open(url) as store:
        store.erase_user(1)
    message = fail("store", "check", "a.db", cwd=tmp_path)
    assert message.startswith("nextreel: the store isn't sound:\nthe last erasure isn't complete")
    printed = succeed("store", "compact", "a.db", cwd=tmp_path)
    assert printed == "No data of erased users is left in the files of the store.\n"
    printed = succeed("store", "restore", "a.backup", url, cwd=tmp_path)
    assert printed == f"Restored 2 ratings of 1 user to {url}; 1 erasure since the backup replayed.\n"
    assert succeed("store", "check", url) == "Sound: 2 ratings of 1 user.\n"


@pytest.mark.parametrize(
    "command", [("backup", "no.db", "x"), ("check", "no.db"), ("restore", "no.db", "x"), ("compact", "no.db")]
)
def test_a_store_that_is_not_there_is_not_created(tmp_path: Path, command: tuple[str, ...]) -> None:
    assert fail("store", *command, cwd=tmp_path).endswith("no.db\n")
    assert list(tmp_path.iterdir()) == []
