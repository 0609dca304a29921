"""The command line of dev.py."""

from __future__ import annotations

import argparse
import os

from .bench import bench
from .comfy import comfy
from .demo import demo
from .test import test


def main(description: str) -> int:
    """Run the command that sys.argv names and return its exit code."""
    if os.name == "nt":
        description = description.replace("python3 dev.py", "py dev.py     ")
    parser = argparse.ArgumentParser(
        prog="dev.py",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s {demo,test,comfy,bench} [options]",
    )
    parser.add_argument("command", choices=["demo", "test", "comfy", "bench"])
    parser.add_argument("--headless", action="store_true", help="comfy: open no browser")
    parser.add_argument(
        "--every-python", action="store_true", help="test: run the whole core layer on each Python"
    )
    options, rest = parser.parse_known_args()
    if options.command == "test":
        return test(rest, every_python=options.every_python)
    if rest:
        parser.error(f"unknown: {' '.join(rest)}")
    if options.command == "comfy":
        return comfy(headless=options.headless)
    return demo() if options.command == "demo" else bench()
