"""The bundled chat model as the hub would have it, in safetensors, for servers that read those.

python docs/compatibility/safetensors.py DIRECTORY
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from safetensors_model import write_safetensors_model

write_safetensors_model(Path(sys.argv[1]))
