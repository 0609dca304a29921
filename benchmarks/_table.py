"""The rows of the one table that `python3 dev.py bench` prints: each script prints its own."""

from __future__ import annotations

ROW = "{:<46} {:>10}  {:<36} {:>7}  {:>9}  {}"

HEAD = ROW.format("what, median", "measured", "against", "ratio", "target", "")


def print_ratio(
    name: str,
    measured: float,
    reference: float,
    of_what: str,
    *,
    unit: str = "s",
    at_most: float | None = None,
    at_least: float | None = None,
) -> None:
    """Print a figure that is judged by its ratio to another one of the same run.

    Args:
        name: What was measured.
        measured: The figure.
        reference: The other one, in the same unit.
        of_what: What the other one is of.
        unit: The unit of both.
        at_most: The largest measured / reference that will do.
        at_least: The smallest reference / measured that will do: how much faster it has to be.
    """
    against = f"{_shown(reference, unit)} {of_what}"
    if at_most is not None:
        ratio = measured / reference
        verdict, target = ratio <= at_most, f"<= {at_most:g}x"
    else:
        ratio = reference / measured
        verdict, target = ratio >= (at_least or 0), f">= {at_least:g}x"
    _print(name, _shown(measured, unit), against, f"{ratio:.2f}x", target, verdict)


def print_figure(
    name: str, measured: float, unit: str, *, at_most: float | None = None, note: str = ""
) -> None:
    """Print a figure that is judged by itself, or not at all.

    Args:
        name: What was measured.
        measured: The figure.
        unit: Its unit.
        at_most: The largest that will do; None for what only explains another figure.
        note: What belongs to it.
    """
    if at_most is None:
        _print(name, _shown(measured, unit), note, "", "", None)
        return
    target = f"<= {at_most:g} {unit}"
    _print(name, _shown(measured, unit), note, "", target, measured <= at_most)


def _print(
    name: str, measured: str, against: str, ratio: str, target: str, met: bool | None
) -> None:
    verdict = "" if met is None else "ok" if met else "MISSED"
    print(ROW.format(name, measured, against, ratio, target, verdict), flush=True)


def _shown(value: float, unit: str) -> str:
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"
