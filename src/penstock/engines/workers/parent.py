"""A worker ends when its parent does, however the parent ends.

Two ways at once: Linux sends a signal (PR_SET_PDEATHSIG), and everywhere the pipe that the parent
holds open on our standard input reaches its end.
"""

import ctypes
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Call this first in a worker's `main`. Standard input must be a pipe of the parent's."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_exit_at_end_of_input, daemon=True).start()


def _exit_at_end_of_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)
