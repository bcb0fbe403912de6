"""The disks that a loss of power may leave: what was synced is on all of them, and careless writing is found out."""

from tests.chaos.disk_model import Disk, Names, Operation, Resize, Sync, Write
from tests.chaos.power_loss import LeftDisk, left_disks
from tests.chaos.recording import Recording

OLD, NEW = b"o" * 2_000, b"n" * 2_000


def replace(*, sync_file: bool, sync_directory: bool) -> list[LeftDisk]:
    """Return all disks that may be left of a file `a` that is replaced by a rename."""
    disk = Disk()
    old, new = disk.make(is_directory=False), disk.make(is_directory=False)
    disk.directories[0]["a"] = old
    disk.files[old] += OLD
    operations: list[Operation] = [Names(((0, ".tmp", new),)), Write(new, 0, NEW)]
    operations += [Sync(new)] if sync_file else []
    operations += [Names(((0, ".tmp", None), (0, "a", new)))]
    operations += [Sync(0)] if sync_directory else []
    return list(left_disks(Recording(disk, operations, set()), most=1_000))


def contents(disks: list[LeftDisk]) -> set[bytes | None]:
    return {disk.tree["a"] for disk in disks}


def test_a_file_that_is_synced_before_its_rename_is_old_or_new() -> None:
    disks = replace(sync_file=True, sync_directory=True)
    assert contents(disks) == {OLD, NEW}
    assert contents([disk for disk in disks if disk.is_at_end]) == {NEW}


def test_a_file_that_is_not_synced_may_be_empty_or_torn_after_its_rename() -> None:
    found = contents(replace(sync_file=False, sync_directory=True))
    assert {b"", NEW[:512], NEW[:512].ljust(2_000, b"\0")} < found


def test_a_rename_whose_directory_is_not_synced_may_be_lost() -> None:
    disks = replace(sync_file=True, sync_directory=False)
    assert contents([disk for disk in disks if disk.is_at_end]) == {OLD, NEW}


def test_a_write_beyond_the_end_fills_with_zeros_and_a_resize_cuts() -> None:
    disk = Disk()
    file = disk.make(is_directory=False)
    disk.directories[0]["a"] = file
    for operation in (Write(file, 2, b"xy"), Resize(file, 3), Resize(file, 5)):
        disk.apply(operation)
    assert disk.tree() == {"a": b"\0\0x\0\0"}
