"""The check of the packages that a clip needs, before anything is paid."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

from .command_line import pip_command
from .errors import DependencyError


@dataclass(frozen=True)
class Package:
    """A package this pack cannot work without.

    Args:
        name: What pip calls it.
        module: What Python imports.
        minimum: The oldest version that works; requirements.txt says the same.
        draft: Whether a draft needs it, too.
    """

    name: str
    module: str
    minimum: str
    draft: bool = True


PACKAGES = (
    Package("numpy", "numpy", "1.25"),
    Package("pillow", "PIL", "10.1"),
    Package("av", "av", "14.2"),
    Package("fal-client", "fal_client", "1.0.3", draft=False),
    Package("filelock", "filelock", "3.12", draft=False),
    Package("psutil", "psutil", "5.9"),
)
"""What is used from the upload of the image to the frames of the clip."""


def check_packages(packages: Iterable[Package] = PACKAGES, *, draft: bool = False) -> None:
    """Import each package and compare its version: after paying it would be too late.

    Only the first call in a process takes time, for importing.

    Args:
        packages: The packages.
        draft: Whether to look only at what a draft needs.

    Raises:
        DependencyError: One is missing, does not load or is too old.
    """
    for package in packages:
        if package.draft or not draft:
            _check(package)


def _check(package: Package) -> None:
    try:
        module = importlib.import_module(package.module)
    except Exception as error:  # a broken DLL or a half installed package raises anything
        if isinstance(error, ModuleNotFoundError) and error.name == package.module:
            raise _problem(package, f"The package {package.name} is not installed") from error
        raise _problem(
            package, f"The package {package.name} does not load ({type(error).__name__}: {error})"
        ) from error
    found = _version(package, module)
    if found is not None and _numbers(found) < _numbers(package.minimum):
        raise _problem(
            package, f"The package {package.name} is {found}, and {package.minimum} is needed"
        )


def _version(package: Package, module: object) -> str | None:
    version = getattr(module, "__version__", None)  # of what was loaded, whatever is installed
    if isinstance(version, str):
        return version
    try:
        return metadata.version(package.name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """Return 14, 2, 0 of `14.2.0rc1`."""
    match = re.match(r"[0-9]+(\.[0-9]+)*", version)
    numbers = [int(number) for number in match[0].split(".")] if match else [0]
    return (*numbers, *(0 for _ in range(4 - len(numbers))))


def _problem(package: Package, message: str) -> DependencyError:
    command = pip_command(package.name, package.minimum)
    return DependencyError(
        f"{message}.", f"Install it with: {command}\nThen restart and run again."
    )
