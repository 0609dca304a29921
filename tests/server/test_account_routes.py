"""The key, the budget and the prices over HTTP."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_key_route_stores_the_key_and_never_returns_it(comfy, home, fal):
    answer = comfy.http.post("/vidu/key", json={"key": f' "{fal.key}"\n'})
    assert answer.status_code == 200
    stored = home / "fal_key"
    assert stored.read_text(encoding="ascii") == fal.key
    if os.name == "posix":
        assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert fal.key.partition(":")[2] not in answer.text + comfy.http.get("/vidu/state").text
    assert comfy.http.delete("/vidu/key").status_code == 200
    assert not stored.exists()


@pytest.mark.parametrize("key", ["", "no colon", "a:b:c", "a:\u00fc", "x" * 2000])
def test_key_route_impossible_key_is_refused(comfy, home, key):
    answer = comfy.http.post("/vidu/key", json={"key": key})
    assert answer.status_code == 400
    assert answer.text
    assert not (home / "fal_key").exists()


@pytest.mark.parametrize("form", ["Key {}", "FAL_KEY={}", '"{}"', "Authorization: Key {}"])
def test_key_is_understood_as_it_is_pasted(comfy, home, fal, form):
    answer = comfy.http.post("/vidu/key", json={"key": form.format(fal.key)})
    assert answer.json()["key"]["checked"] is True
    assert (home / "fal_key").read_text(encoding="ascii") == fal.key


def test_key_that_fal_refuses_is_not_stored(comfy, home, fal):
    answer = comfy.http.post("/vidu/key", json={"key": "a-wrong-id:a-wrong-secret"})
    assert answer.status_code == 400
    assert "dashboard/keys" in answer.json()["error"]
    assert not (home / "fal_key").exists()


def test_key_route_checks_the_key_for_free(comfy, home, fal):
    fal.reset()
    answer = comfy.http.post("/vidu/key/check", json={})
    assert answer.json() == {"accepted": True}
    assert not fal.ledger()["jobs"]


@pytest.mark.parametrize("usd", [-1, 1e9, "12", True, None, [], {}])
def test_budget_route_takes_only_an_amount_of_money(comfy, home, usd):
    assert comfy.http.post("/vidu/budget", json={"daily_usd": usd}).status_code == 400
    assert not (home / "settings.json").exists()


def test_budget_route_keeps_the_other_settings(comfy, home):
    (home / "settings.json").write_text('{"clip_limit_mb": 7}', encoding="utf-8")
    answer = comfy.http.post("/vidu/budget", json={"daily_usd": 2.4})
    assert answer.json()["daily_budget_usd"] == 2.4
    written = (home / "settings.json").read_text(encoding="utf-8")
    assert '"clip_limit_mb": 7' in written
    assert '"daily_budget_usd": 2.4' in written


def test_prices_know_what_the_last_run_saved(comfy, fal, shot):
    prompt = shot(seed=79)
    before = comfy.http.post("/vidu/prices", json={"prompt": prompt}).json()["prices"]
    comfy.run(prompt)
    after = comfy.http.post("/vidu/prices", json={"prompt": prompt}).json()["prices"]
    usd = {"least": 0.2, "most": 0.2}
    assert before["2"] == {"kind": "paid", "count": 1, "each": usd, "total": usd}
    assert after["2"] == {"kind": "saved"}


def test_outcome_after_cancel_says_what_became_of_the_money(comfy, fal, shot):
    fal.set_faults("slow:1")
    prompt_id = comfy.queue(shot(seed=80))
    comfy.wait_for("progress_text", "Generating")
    comfy.interrupt(prompt_id)
    comfy.wait(prompt_id)
    answer = comfy.http.get("/vidu/outcome", params={"prompt_id": prompt_id}).json()
    assert answer == {"nodes": {"2": [{"outcome": "unknown", "usd": 0.2}]}}
