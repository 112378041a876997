"""A llama.cpp replica: hosts `xllamacpp.Server` (llama-server's own code) on a unix socket.

Only what the gateway asks for is decided here; how many tokens, slots and threads there are comes
from the command line, so that the sum shown to the user is the sum that is started.
"""

import argparse
import signal
import threading
from pathlib import Path

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
    parser.add_argument("--embedding", action="store_true")
    return parser.parse_args()


def main() -> None:
    end_with_parent()
    options = arguments()
    options.socket.unlink(missing_ok=True)

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
    params.cache_ram_mib = 64
    params.endpoint_slots = True
    params.endpoint_metrics = True
    params.endpoint_props = False
    if options.embedding:
        params.embedding = True
        params.n_batch = params.n_ubatch = options.context_pool // options.parallel

    _server = xllamacpp.Server(params)  # returns when the model is loaded and the socket listens
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Event().wait()


if __name__ == "__main__":
    main()
