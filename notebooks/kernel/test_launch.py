"""How a kernel is started, and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

KERNEL = """
import sys, time
sys.path.insert(0, sys.argv[1])
import launch
launch.end_with_parent()
print("ready", flush=True)
time.sleep(600)
"""
# Starts the kernel, waits until it is ready, prints its process id, and is gone.
PARENT = """
import subprocess, sys
kernel = subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1]], stdout=subprocess.PIPE)
assert kernel.stdout.readline().strip() == b"ready"
print(kernel.pid)
"""


def is_running(pid: int) -> bool:
    """Neither gone nor a zombie that nobody has waited for."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class EndWithParent(unittest.TestCase):
    @unittest.skipUnless(sys.platform == "linux", "the signal is Linux's")
    def test_a_kernel_ends_with_the_jupyter_that_has_started_it(self) -> None:
        folder = str(Path(__file__).parent)
        printed = subprocess.run([sys.executable, "-c", PARENT, folder, KERNEL], stdout=subprocess.PIPE, check=True)
        pid = int(printed.stdout)
        self.addCleanup(end, pid)
        deadline = time.monotonic() + 60
        while is_running(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(is_running(pid))


if __name__ == "__main__":
    unittest.main()
