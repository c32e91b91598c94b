"""Writing: whole or not at all, into what is a file; a device or a FIFO is never replaced."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from cnnir.diagnostics import CnnirError
from cnnir.files import write_atomically


def test_a_fifo_is_written_into(tmp_path: Path) -> None:
    fifo, got = tmp_path / "fifo", list[bytes]()
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()), daemon=True)
    reader.start()
    write_atomically(fifo, b"content")
    reader.join(10)
    assert got == [b"content"] and stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_device_is_written_into(tmp_path: Path) -> None:
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        device.write_bytes(b"")
    except OSError:
        pytest.skip("device nodes cannot be made or used here")
    write_atomically(device, b"content")
    assert stat.S_ISCHR(device.stat().st_mode)


def test_modes_are_kept_or_what_the_umask_says(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.touch()
    old.chmod(0o640)
    before = os.umask(0o027)
    try:
        write_atomically(old, b"content")
        write_atomically(new, b"content")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (old, new)] == [0o640, 0o640]
    old.chmod(0o755)
    write_atomically(old, b"again")
    assert stat.S_IMODE(old.stat().st_mode) == 0o755 and old.read_bytes() == b"again"


def test_a_link_stays_and_its_target_changes(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    write_atomically(tmp_path / "link", b"content")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_bytes() == b"content"


def test_a_name_as_long_as_the_system_allows_is_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("a" * 255), b"content")
    assert [len(p.name) for p in tmp_path.iterdir()] == [255]


def test_places_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.iterdir())
    for bad in (loop, tmp_path / "file" / "x", tmp_path / "folder", tmp_path / ("a" * 300), tmp_path / "no" / "x", tmp_path / "nul\0"):
        with pytest.raises(CnnirError) as caught:
            write_atomically(bad, b"content")
        assert (caught.value.diagnostics[0].code, caught.value.exit_code) == ("C0501", 2), bad
    assert sorted(tmp_path.iterdir()) == before
