"""The form of a price: a base and an amount for each second, by resolution or template.

The prices of each endpoint are in `endpoints.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal
from types import MappingProxyType

from .fields import OptionValue

ANY = "*"
"""The key of the rate that holds where no other does."""


@dataclass(frozen=True)
class Rate:
    """What an output costs: `base + per_second * duration`.

    Args:
        base: US dollars.
        per_second: US dollars for each second.
        is_upper_bound: Whether fal's own rate is unknown and this is the highest it may be.
    """

    base: Decimal
    per_second: Decimal = Decimal(0)
    is_upper_bound: bool = False


@dataclass(frozen=True)
class Quote:
    """What one output will cost.

    Args:
        usd: US dollars; what the ledger reserves.
        is_upper_bound: Whether it may turn out to be less.
    """

    usd: Decimal
    is_upper_bound: bool = False

    def __str__(self) -> str:
        return f"{'up to ' if self.is_upper_bound else ''}{format_usd(self.usd)}"


@dataclass(frozen=True)
class PriceTable:
    """The rates of one endpoint.

    Args:
        rates: A rate for each value of the option `by`, or for `ANY`.
        source: Where they were read.
        date: The day they were read or last confirmed; None where the copy has none.
        by: The option that picks the rate; empty where there is one rate.
        charges_input_seconds: Whether the seconds of the input video may be charged as well.
    """

    rates: Mapping[str, Rate] = field(repr=False)
    source: str
    date: str | None = None
    by: str = ""
    charges_input_seconds: bool = False

    def quote(
        self, options: Mapping[str, OptionValue], seconds: int, input_s: float = 0.0
    ) -> Quote:
        """Return what an output of `seconds` costs with these options.

        Args:
            options: All options of the request.
            seconds: How long the output is; 0 for a still.
            input_s: How long the input video is.
        """
        rate = self._rate(options)
        charged_s = Decimal(seconds)
        if self.charges_input_seconds:
            charged_s += Decimal(str(round(input_s, 3)))
        return Quote(rate.base + rate.per_second * charged_s, self.is_upper_bound(options))

    def is_upper_bound(self, options: Mapping[str, OptionValue]) -> bool:
        """Return whether fal may charge less than is quoted with these options."""
        return self.charges_input_seconds or self._rate(options).is_upper_bound

    def _rate(self, options: Mapping[str, OptionValue]) -> Rate:
        return self.rates.get(str(options.get(self.by))) or self.rates[ANY]


def flat(base: str) -> Mapping[str, Rate]:
    """Return the rates of an endpoint that has one price."""
    return rates({ANY: (base, "0")})


def rates(by: Mapping[str, tuple[str, str]]) -> Mapping[str, Rate]:
    """Return rates from pairs of base and price a second."""
    return MappingProxyType(
        {key: Rate(Decimal(base), Decimal(second)) for key, (base, second) in by.items()}
    )


def format_usd(usd: Decimal) -> str:
    """Return an amount as it is shown: rounded up, with a third digit only where it is not 0.

    >>> format_usd(Decimal("0.385")), format_usd(Decimal("0.2")), format_usd(Decimal("0.00011"))
    ('$0.385', '$0.20', '$0.001')
    """
    digits = f"{usd.quantize(Decimal('0.001'), ROUND_UP):f}"
    return f"${digits[:-1] if digits.endswith('0') else digits}"
