"""What answers in place of the kernel while the library is not there: it builds the library and says so.

The first cell that is run shows why and how far, then this process ends, and Jupyter starts the real kernel.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel
from tornado.ioloop import IOLoop

import library

MINUTES = "under a minute if only this project has changed, about 10 minutes on two cores if Rust has"


class RebuildingKernel(Kernel):
    implementation = "rushes-rebuild"
    implementation_version = "1"
    banner = "building the notebook library"
    language_info = {"name": "rust", "mimetype": "text/rust", "file_extension": ".rs"}

    def do_execute(self, code, silent, store_history=True, user_expressions=None, allow_stdin=False, **_):
        wrong = library.what_is_wrong()
        if wrong is not None:
            self.say(f"The notebook library {wrong}, so it is built now ({MINUTES}).\n")
            if not self.build():
                return self.failed("the notebook library cannot be built; see above, and run the cell again")
        # After the reply has gone out.
        IOLoop.current().call_later(1, os._exit, 0)
        return self.failed("the notebook library is ready; the kernel starts again by itself, then run the cell again")

    def build(self) -> bool:
        command = [sys.executable, str(Path(library.__file__)), "--quiet"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as build:
            for line in build.stdout:
                self.say(line)
        return build.returncode == 0

    def say(self, text: str) -> None:
        self.send_response(self.iopub_socket, "stream", {"name": "stdout", "text": text})

    def failed(self, sentence: str) -> dict:
        content = {"ename": "Library", "evalue": sentence, "traceback": [sentence]}
        self.send_response(self.iopub_socket, "error", content)
        return {"status": "error", "execution_count": self.execution_count, **content}


if __name__ == "__main__":
    IPKernelApp.launch_instance(kernel_class=RebuildingKernel)
