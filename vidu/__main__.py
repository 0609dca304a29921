"""The entry point of `python -m vidu`, and of `python path/to/vidu` without installation."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:
    # Python was given this folder: without this its modules were top-level ones. pip does the
    # same in its own __main__.py.
    sys.path[0] = str(Path(__file__).absolute().parent.parent)

from vidu.cli._main import main

if __name__ == "__main__":
    sys.exit(main())
