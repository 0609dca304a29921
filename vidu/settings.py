"""The settings, from the environment and a file, with their defaults."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path

from .errors import InvalidSettingError
from .files import replace_file

SETTINGS_FILE = "settings.json"
LEDGER = "ledger"
"""The one setting that is a text; see `ledger_url`."""

MAY_BE_ZERO = frozenset({"max_generation_s", "retry_timeout_s", "daily_budget_usd"})


def default_data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where ledger, settings and key are outside ComfyUI: `VIDU_HOME`, else the user's.

    Raises:
        InvalidSettingError: There is no home folder, as in a container with a bare user id.
    """
    from platformdirs import user_data_path  # not before it is needed: importing it takes time

    try:
        named = environ.get("VIDU_HOME") or user_data_path("vidu-on-fal", appauthor=False)
        return Path(named).expanduser()
    except RuntimeError as error:
        raise InvalidSettingError(
            "This user has no home folder, so there is no place for the ledger.",
            "Set VIDU_HOME to a folder that is kept, or give it as --home.",
        ) from error


@dataclass(frozen=True)
class Settings:
    """What can be set; `VIDU_` and the name in capitals is the environment variable of each.

    The environment goes before the file, the file before these defaults.

    Args:
        queue_limit_s: Longest wait in fal's queue, in seconds; fal ends the request then, unbilled.
        generation_limit_s: Longest wait for a generation, in seconds (Vidu takes 30 to 90).
        max_generation_s: Longest that fal itself may take for one, in seconds: a request whose
            reply was lost is not made again before that. 0 is by model, seconds and resolution.
        read_timeout_s: Longest silence of fal's servers in one transfer, in seconds.
        retry_timeout_s: How long reads are tried again while fal cannot be reached, in seconds;
            0 is not at all.
        clip_limit_mb: Largest clip that is downloaded, in megabytes.
        daily_budget_usd: Most that is spent in one calendar day; 0 means no limit.

    Raises:
        InvalidSettingError: One is negative or endless, or is 0 and has no meaning so.
    """

    queue_limit_s: float = 1800.0
    generation_limit_s: float = 900.0
    max_generation_s: float = 0.0
    read_timeout_s: float = 20.0
    retry_timeout_s: float = 300.0
    clip_limit_mb: float = 1024.0
    daily_budget_usd: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            may_be_zero = field.name in MAY_BE_ZERO
            if not (0 < float(value) < math.inf or (may_be_zero and value == 0)):
                raise InvalidSettingError(
                    f"{field.name} is {value}.",
                    f"Set VIDU_{field.name.upper()}, or {field.name} in {SETTINGS_FILE}, to a "
                    f"number {'of 0 or more' if may_be_zero else 'above 0'}.",
                )

    def max_lifetime_s(self, usual_max_generation_s: float = 0.0) -> float:
        """Return how long a paid request can be under way, in seconds.

        On its way to fal, in the queue, and being made.

        Args:
            usual_max_generation_s: What stands for `max_generation_s` where that is 0.
        """
        slowest_s = self.max_generation_s or usual_max_generation_s
        generation_s = max(self.generation_limit_s, slowest_s)
        return self.read_timeout_s + self.queue_limit_s + generation_s

    @classmethod
    def load(cls, data_dir: Path, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings.

        Args:
            data_dir: The folder that may hold `settings.json`, an object of names and numbers.
            environ: The environment to read.

        Raises:
            InvalidSettingError: The file or a value cannot be read.
        """
        stored = _stored(data_dir / SETTINGS_FILE)
        unknown = stored.keys() - {field.name for field in fields(cls)} - {LEDGER}
        if unknown:
            raise InvalidSettingError(
                f"{data_dir / SETTINGS_FILE} has unknown settings: {', '.join(sorted(unknown))}.",
                f"The settings are {', '.join(field.name for field in fields(cls))}.",
            )
        numbers = {}
        for field in fields(cls):
            variable = f"VIDU_{field.name.upper()}"
            if environ.get(variable, "").strip():
                numbers[field.name] = _number(variable, environ[variable].strip())
            elif field.name in stored:
                where = f"{field.name} in {SETTINGS_FILE}"
                numbers[field.name] = _number(where, stored[field.name])
        return cls(**{name: type(getattr(cls, name))(numbers[name]) for name in numbers})


def ledger_url(data_dir: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Return the address of a ledger that several machines share, or "" for the user's own.

    It is VIDU_LEDGER, or `ledger` in settings.json: postgresql://user@host/database.

    Args:
        data_dir: The folder that may hold `settings.json`.
        environ: The environment to read.

    Raises:
        InvalidSettingError: The file or the address cannot be read.
    """
    stored = _stored(data_dir / SETTINGS_FILE)
    url = environ.get("VIDU_LEDGER", "").strip() or stored.get(LEDGER, "")
    if not isinstance(url, str):
        raise InvalidSettingError(
            f"{LEDGER} in {SETTINGS_FILE} is not a text.",
            "Write postgresql://user@host/database, or remove it.",
        )
    return url


def store_daily_budget(data_dir: Path, usd: Decimal) -> None:
    """Write the daily budget to `data_dir`/settings.json; what else is in there stays.

    Args:
        data_dir: The folder of `settings.json`.
        usd: 0 or more; 0 means no limit.

    Raises:
        InvalidSettingError: It is not an amount of money, or the file that is there cannot be read.
        OSError: The folder cannot be written.
    """
    Settings(daily_budget_usd=_number("The daily budget", usd))
    path = data_dir / SETTINGS_FILE
    stored = {**_stored(path), "daily_budget_usd": float(usd)}
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{SETTINGS_FILE}.new")
    fresh.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    replace_file(fresh, path)


def _stored(path: Path) -> Mapping[str, object]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise InvalidSettingError(
            f"The settings file {path} cannot be read.", "Fix or remove that file."
        ) from error
    if not isinstance(stored, dict):
        raise InvalidSettingError(
            f"The settings file {path} holds no object.", "Fix or remove that file."
        )
    return stored


def _number(name: str, value: object) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise InvalidSettingError(f"{name} is {value!r}.", "Use a plain number.")
    return number
