"""llama.cpp's own server with the bundled chat model, and nothing of ours before it.

python docs/compatibility/bare_llama.py PORT
"""

import sys
import threading

import penstock_tiny_models
import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = str(penstock_tiny_models.path("tiny-chat") / "tiny-chat.gguf")
params.model_alias = ["tiny-chat"]
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[1])
params.offline = True
params.ui = False
params.n_parallel = 4  # as many choices as a request of the checks asks for
params.n_ctx = 4 * 2048
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print(f"http://127.0.0.1:{params.port}/v1", flush=True)
threading.Event().wait()
