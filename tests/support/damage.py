"""Damage to files behind the pack's back: clips lost, edited or out of sight, ledgers damaged."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import av

from vidu.ledger.journal import Journal

LEDGER = "ledger.sqlite"
PAGE = 4096


def apply(how: str, path: Path | None) -> None:
    """Remove, damage or retitle a saved file; nothing when there is none."""
    if path is None or not path.exists():
        return
    {"remove": Path.unlink, "damage": _cut, "retitle": _retitle}[how](path)


def hide(folder: Path) -> None:
    """Take the folder of the clips away, as a drive that is unmounted."""
    if folder.exists():
        _put_in_place(folder, _hidden(folder))


def show(folder: Path) -> None:
    """Bring it back; what was written meanwhile in its place is put beside its files."""
    if not _hidden(folder).exists():
        return
    if folder.exists():
        for path in folder.iterdir():
            target = _hidden(folder) / path.name
            path.replace(target if not target.exists() else target.with_stem(f"{path.stem}_new"))
        folder.rmdir()
    _hidden(folder).rename(folder)


def copy_ledger(home: Path) -> None:
    """Copy the ledger as a sync tool does: all files of its folder."""
    if home.exists():
        shutil.copytree(home, _copy(home), dirs_exist_ok=True)


def restore_ledger(home: Path) -> None:
    """Put the copy in the ledger's place."""
    if _copy(home).exists():
        for path in home.glob(f"{LEDGER}*"):
            path.unlink()
        for path in _copy(home).glob(f"{LEDGER}*"):
            shutil.copy2(path, home / path.name)


def hide_ledger(home: Path) -> None:
    """Take the folder of a ledger that has paid away, as a drive that is unmounted."""
    if Journal(home / "ledger.journal").last() and not _hidden(home).exists():
        home.rename(_hidden(home))


def show_ledger(home: Path) -> None:
    """Bring it back; what was made in its place is hidden then, and gone for this history."""
    if _hidden(home).exists():
        shutil.rmtree(home, ignore_errors=True)
        _hidden(home).rename(home)


def damage_ledger(home: Path, how: str) -> None:
    """Damage the ledger's file; its journal goes with it, as after a clean end."""
    path = home / LEDGER
    if not path.exists():
        return
    if how == "removed":
        for part in home.glob(f"{LEDGER}*"):
            part.unlink()
        return
    size = path.stat().st_size
    with path.open("r+b") as file:
        match how:
            case "zeroed":
                file.write(bytes(size))
            case "emptied":
                file.truncate(0)
            case "cut":
                file.truncate(size // 2)
            case "junked":
                file.write(random.Random(how).randbytes(min(PAGE, size)))
            case _:
                raise ValueError(f"no ledger is {how!r}")


def _hidden(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.unmounted")


def _copy(home: Path) -> Path:
    return home.with_name(f"{home.name}.copy")


def _put_in_place(folder: Path, target: Path) -> None:
    if target.exists():
        shutil.rmtree(target)
    folder.rename(target)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _retitle(path: Path) -> None:
    other = path.with_name("retitled.mp4")
    options = {"movflags": "use_metadata_tags"}
    try:
        with av.open(str(path)) as source, av.open(str(other), "w", options=options) as target:
            target.metadata["title"] = "The tide, take 3"
            copies = {each: target.add_stream_from_template(each) for each in source.streams}
            for packet in source.demux(*copies):
                if packet.size:
                    packet.stream = copies[packet.stream]
                    target.mux(packet)
    except (av.FFmpegError, ValueError):
        other.unlink(missing_ok=True)  # a still, or a clip that was cut
    else:
        other.replace(path)
