"""A llama.cpp replica: hosts `xllamacpp.Server` (llama-server's own code) on a unix socket.

Only what the gateway asks for is decided here; how many tokens, slots and threads there are comes
from the command line, so that the sum shown to the user is the sum that is started.
"""

import argparse
import resource
import signal
import sys
import threading
from pathlib import Path

from penstock.engines.formats.gguf import read_metadata
from penstock.engines.formats.peft import convert, is_peft
from penstock.engines.workers.parent import end_with_parent

#: llama.cpp listens on a unix socket when the host ends in ".sock"; the port must not be 0.
UNUSED_PORT = 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument(
        "--context-pool", type=int, required=True, help="tokens, all slots together"
    )
    parser.add_argument("--parallel", type=int, required=True, help="slots")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--gpu-layers", type=int, default=-1)
    parser.add_argument(
        "--memory-limit", type=int, required=True, help="bytes that it may allocate"
    )
    parser.add_argument("--mmproj", help="the eyes of a vision model")
    parser.add_argument(
        "--adapter", type=Path, action="append", default=[], help="a LoRA; its number is its place"
    )
    parser.add_argument("--embedding", action="store_true")
    parser.add_argument("--reranking", action="store_true", help="with --embedding")
    return parser.parse_args()


def adapters(options: argparse.Namespace) -> list[Path]:
    """The adapters as GGUF files; those that are none yet are written beside the socket."""
    found = []
    for number, path in enumerate(options.adapter):
        if is_peft(path):
            converted = options.socket.with_name(f"adapter-{number}.gguf")
            convert(path, read_metadata(Path(options.model)), converted)
            path = converted
        found.append(path)
    return found


def main() -> None:
    end_with_parent()
    options = arguments()
    options.socket.unlink(missing_ok=True)
    if sys.platform == "linux":
        # A chat template is a program of whoever made the file: it must not eat all memory.
        resource.setrlimit(resource.RLIMIT_DATA, (options.memory_limit, options.memory_limit))

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.model_alias = [options.alias]
    params.hostnames = [str(options.socket)]
    params.port = UNUSED_PORT
    params.offline = True
    params.ui = False
    params.verbosity = 2
    params.n_ctx = options.context_pool
    params.n_parallel = options.parallel
    # Text: every slot has its own share of the pool, so that none can starve another. Embeddings:
    # one pool, since batches of unequal lengths give wrong vectors otherwise (mean, CLS pooling).
    params.kv_unified = options.embedding
    # A live connection holds a thread of the server, and its health check needs one too.
    params.n_threads_http = 2 * options.parallel + 16
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    params.n_gpu_layers = options.gpu_layers
    # Its cache beside the slots does not tell adapters apart: it would give one what another read.
    params.cache_ram_mib = 0 if options.adapter else 64
    params.endpoint_slots = True
    params.endpoint_metrics = True
    params.endpoint_props = False
    if options.mmproj:
        params.mmproj.path = options.mmproj
        params.mmproj_use_gpu = options.gpu_layers != 0
    # At scale 0 none is applied but by a request that asks for it.
    params.lora_adapters = [
        xllamacpp.CommonAdapterLoraInfo(str(path), 0.0) for path in adapters(options)
    ]
    if options.embedding:
        params.embedding = True
        params.n_batch = params.n_ubatch = options.context_pool // options.parallel
    if options.reranking:
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK

    try:  # returns when the model is loaded and the socket listens
        _server = xllamacpp.Server(params)
    except RuntimeError:
        sys.exit("llama.cpp could not load the model; the reason is above.")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Event().wait()


if __name__ == "__main__":
    main()
