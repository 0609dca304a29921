"""What was spent, with what fal may not charge after all told apart."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from vidu.ledger import Spending, open_ledger

I2V = ("fal-ai/vidu/image-to-video", "{}")
TEMPLATE = ("fal-ai/vidu/template-to-video", '{"template": "no tier is known of it"}')
ROW = """INSERT INTO entries (fingerprint, endpoint, options, state, billed, prompt, search_text,
    seed, price_micro_usd, revision, reserved_at, deleted_at)
    VALUES (?, ?, ?, ?, ?, 'A wave.', 'a wave.', 1, 200000, 1, ?, ?)"""


@pytest.mark.parametrize(
    ("state", "billed", "kind", "known", "unknown"),
    [
        ("saved", None, I2V, "0.20", "0"),
        ("submitted", None, I2V, "0.20", "0"),
        ("cancelled", None, I2V, "0", "0.20"),
        ("reserved", None, I2V, "0", "0.20"),
        ("failed", None, I2V, "0", "0.20"),
        ("failed", 1, I2V, "0.20", "0"),
        ("failed", 0, I2V, "0", "0"),
        ("saved", None, TEMPLATE, "0", "0.20"),  # a ceiling
        ("saved", None, ("fal-ai/vidu/image-to-video", "no JSON"), "0", "0.20"),
        ("of a newer version", None, I2V, "0", "0.20"),
    ],
)
async def test_spending_tells_what_is_known_from_what_is_not(
    tmp_path, state, billed, kind, known, unknown
):
    async with open_ledger(tmp_path) as ledger:
        with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as db:
            db.execute(ROW, ("a" * 64, *kind, state, billed, ledger.now(), None))
            db.commit()
        spending = await ledger.spending_today()
        assert spending == Spending(Decimal(known), Decimal(unknown))
        assert spending.most_usd == await ledger.spent_today()
        assert spending == await ledger.spending_this_month()


async def test_spending_keeps_the_amount_of_a_forgotten_clip(tmp_path):
    async with open_ledger(tmp_path) as ledger:
        with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as db:
            now = ledger.now()
            db.execute(ROW, ("a" * 64, *I2V, "saved", None, now, now))
            db.commit()
        assert await ledger.spending_today() == Spending(Decimal("0.2"), Decimal(0))
