#!/usr/bin/env python3
"""The developer's commands, on a machine with Python 3.10 or later and pip.

    python3 dev.py demo                 make a clip of the bundled image on a local fal, free
    python3 dev.py test [PYTEST ARGS]   run the checks and all tests, or the named tests/...
    python3 dev.py test --every-python  run the whole core layer on every Python found
    python3 dev.py comfy [--headless]   start a real ComfyUI with the pack and a local fal
    python3 dev.py bench                measure every figure of the documentation again

dev.py finds ComfyUI by COMFYUI_PATH, else around this folder, else ~/ComfyUI, else where
comfy-cli keeps it. Its interpreter is COMFYUI_PYTHON, else its own .venv or venv, else that of a
portable build. dev.py changes nothing of it.
"""

# This file is kept in the syntax of Python 2.7 so that an older Python prints the sentence below.
import sys

if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit(
        "dev.py needs Python 3.10 or later; {} is Python {}.{}.\n"
        "Run it with a newer one, for example `python3.13 dev.py demo` "
        "(on Windows `py -3.13 dev.py demo`).".format(sys.executable, *sys.version_info[:2])
    )

from tasks.main import main

sys.exit(main(__doc__))
