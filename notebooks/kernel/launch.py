"""Starts the kernel "Rust (Rushes)": evcxr_jupyter with the pre-built library at hand.

usage: launch.py EVCXR_JUPYTER CONNECTION_FILE

Where the library is missing or out of date, `rebuild.py` takes the kernel's place until it is built.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import itertools
import os
import signal
import sys
from pathlib import Path

import library


def slots() -> Path:
    """Outside the checkout: cargo would take cells for members of its workspace. Each checkout has folders of its own."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(os.environ.get("RUSHES_CACHE") or Path(home) / "rushes")
    checkout = hashlib.sha256(str(library.ROOT).encode()).hexdigest()[:12]
    return cache / "notebook" / checkout


def main() -> None:
    evcxr, connection_file = sys.argv[1:]
    end_with_parent()
    wrong = library.what_is_wrong()
    if wrong is not None:
        rebuild = Path(__file__).with_name("rebuild.py")
        os.execv(sys.executable, [sys.executable, str(rebuild), "-f", connection_file])
    os.environ.update(environment())
    os.execv(evcxr, [evcxr, "--control_file", connection_file])


def end_with_parent() -> None:
    """A kernel does not notice that its Jupyter was killed, and would stay for ever; Linux can be asked to end it then.

    Linux goes by the thread that has started the kernel: in Jupyter that is its main thread. A cell that is running is a process of its
    own, which ends with the cell.
    """
    if sys.platform != "linux":
        return
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    jupyter = os.environ.get("JPY_PARENT_PID")
    if jupyter and not Path("/proc", jupyter).exists():
        sys.exit("the Jupyter that has started this kernel is gone")


def environment() -> dict[str, str]:
    search = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    variables = {
        search: library.library_path(),
        # Read unless the notebook's own folder has an evcxr.toml.
        "EVCXR_CONFIG_DIR": str(library.HOME),
        "EVCXR_TMPDIR": str(free_slot()),
        # `ingest` for cells.
        "PATH": f"{library.RLIB.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    if (library.STD / "core").exists():
        variables["RUST_SRC_PATH"] = str(library.STD)
    return variables


def free_slot() -> Path:
    """A folder for this kernel's cells, kept so that the next kernel finds the facade compiled.

    Two kernels in one folder would overwrite each other's cells, so it is locked until the last process that this one becomes
    or starts has ended.
    """
    folder = slots()
    for number in itertools.count():
        slot = folder / str(number)
        slot.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / f"{number}.lock", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        os.set_inheritable(lock, True)
        return slot


if __name__ == "__main__":
    main()
