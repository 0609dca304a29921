from __future__ import annotations

import json
import math
import os
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidu.errors import InvalidSettingError
from vidu.settings import SETTINGS_FILE, Settings, default_data_dir, store_daily_budget

NAMES = [field.name for field in fields(Settings)]
ZERO = ["max_generation_s", "retry_timeout_s", "daily_budget_usd"]


@pytest.fixture
def stored(tmp_path):
    """Writes settings.json and returns its folder."""

    def write(text: str, encoding: str = "utf-8") -> Path:
        (tmp_path / SETTINGS_FILE).write_text(text, encoding=encoding)
        return tmp_path

    return write


def test_load_without_file_and_environment_gives_the_defaults(tmp_path):
    assert Settings.load(tmp_path / "nowhere", {}) == Settings()


@pytest.mark.parametrize("name", NAMES)
def test_load_file_goes_before_the_default(stored, name):
    settings = Settings.load(stored(json.dumps({name: 12.5})), {})
    assert settings == Settings(**{name: Decimal("12.5")})


@pytest.mark.parametrize("name", NAMES)
def test_load_environment_goes_before_the_file(stored, name):
    home = stored(json.dumps(dict.fromkeys(NAMES, 3)))
    settings = Settings.load(home, {f"VIDU_{name.upper()}": " 7 "})
    assert settings == Settings(**{**dict.fromkeys(NAMES, Decimal(3)), name: Decimal(7)})


def test_load_empty_variable_counts_as_none(stored):
    home = stored('{"daily_budget_usd": 5}')
    assert Settings.load(home, {"VIDU_DAILY_BUDGET_USD": " "}).daily_budget_usd == 5


def test_load_without_environ_reads_that_of_the_process(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDU_DAILY_BUDGET_USD", "2.50")
    assert Settings.load(tmp_path).daily_budget_usd == Decimal("2.50")


@pytest.mark.parametrize("text", ["0.1", "2.50", "1e2", "0"])
def test_load_money_is_exact(tmp_path, text):
    settings = Settings.load(tmp_path, {"VIDU_DAILY_BUDGET_USD": text})
    assert settings.daily_budget_usd == Decimal(text)


@pytest.mark.parametrize("value", ["a lot", "$5", "1,50", "nan", "inf", "-inf", "5 USD", "0x10"])
def test_load_variable_that_is_no_number_is_named(tmp_path, value):
    with pytest.raises(InvalidSettingError, match="VIDU_DAILY_BUDGET_USD is"):
        Settings.load(tmp_path, {"VIDU_DAILY_BUDGET_USD": value})


@pytest.mark.parametrize("value", ['"much"', "true", "null", "[1]", "{}", "NaN", "Infinity"])
def test_load_stored_value_that_is_no_number_is_named(stored, value):
    home = stored(f'{{"queue_limit_s": {value}}}')
    with pytest.raises(InvalidSettingError, match=r"queue_limit_s in settings\.json is"):
        Settings.load(home, {})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["-1", "-0.001", "1e999", "-1e999"])
def test_load_value_out_of_range_is_named_with_what_to_set(tmp_path, name, value):
    with pytest.raises(InvalidSettingError, match=f"{name} is ") as refused:
        Settings.load(tmp_path, {f"VIDU_{name.upper()}": value})
    assert f"Set VIDU_{name.upper()}, or {name} in settings.json" in str(refused.value)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ZERO])
@pytest.mark.parametrize("value", ["0", "1e-999"])
def test_settings_limit_of_0_is_refused(tmp_path, name, value):
    with pytest.raises(InvalidSettingError, match=f"{name} is 0.* to a number above 0"):
        Settings.load(tmp_path, {f"VIDU_{name.upper()}": value})


@pytest.mark.parametrize("name", ZERO)
def test_settings_0_is_taken_where_it_has_a_meaning(tmp_path, name):
    settings = Settings.load(tmp_path, {f"VIDU_{name.upper()}": "0"})
    assert getattr(settings, name) == 0


@pytest.mark.parametrize("text", ["", "{", "daily_budget_usd = 5", '{"queue_limit_s": 1,}'])
def test_load_file_that_is_no_json_is_named(stored, text):
    home = stored(text)
    with pytest.raises(InvalidSettingError) as refused:
        Settings.load(home, {})
    assert str(home / SETTINGS_FILE) in str(refused.value)


@pytest.mark.parametrize("text", ["[]", "5", '"daily_budget_usd"', "null"])
def test_load_file_that_holds_no_object_is_named(stored, text):
    with pytest.raises(InvalidSettingError, match="holds no object"):
        Settings.load(stored(text), {})


def test_load_folder_in_place_of_the_file_is_named(tmp_path):
    (tmp_path / SETTINGS_FILE).mkdir()
    with pytest.raises(InvalidSettingError, match="cannot be read"):
        Settings.load(tmp_path, {})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_load_file_saved_by_windows_is_read(stored, encoding):
    home = stored('{"daily_budget_usd": 5}', encoding)
    assert Settings.load(home, {}).daily_budget_usd == 5


def test_load_file_in_another_encoding_is_refused(stored):
    with pytest.raises(InvalidSettingError, match="cannot be read"):
        Settings.load(stored('{"daily_budget_usd": 5}', "utf-16"), {})


NUMBERS = st.one_of(
    st.integers(), st.floats(), st.decimals(), st.sampled_from([0, "-0", "1e-400", "1e400"])
)


@given(st.sampled_from(NAMES), st.one_of(st.text(), NUMBERS.map(str)))
def test_load_any_text_is_a_usable_number_or_named(name, value):
    try:
        settings = Settings.load(Path("nowhere"), {f"VIDU_{name.upper()}": value})
    except InvalidSettingError as refused:
        assert name in str(refused).lower()
        return
    number = getattr(settings, name)
    assert 0 < float(number) < math.inf or (name in ZERO and number == 0)


def test_max_lifetime_s_is_the_way_the_queue_and_the_slowest_generation():
    settings = Settings(read_timeout_s=3.5, queue_limit_s=100.0, generation_limit_s=200.0)
    assert settings.max_lifetime_s(900.0) == 1003.5
    assert settings.max_lifetime_s() == 303.5


def test_max_lifetime_s_is_not_cut_by_a_short_wait():
    hasty = Settings(generation_limit_s=1.0)
    assert hasty.max_lifetime_s(900.0) == Settings().max_lifetime_s(900.0)


def test_max_lifetime_s_by_the_users_word_is_not_that_of_the_model():
    assert Settings(max_generation_s=4000.0).max_lifetime_s(900.0) == 20.0 + 1800.0 + 4000.0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no mode bits; the folder is the user's")
def test_store_daily_budget_folder_is_open_to_its_owner_alone(tmp_path):
    store_daily_budget(tmp_path / "private", Decimal(5))
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o700


def test_default_data_dir_is_the_variable_or_the_users_own(tmp_path):
    assert default_data_dir({"VIDU_HOME": str(tmp_path)}) == tmp_path
    own = default_data_dir({"VIDU_HOME": ""})
    assert own.name == "vidu-on-fal"
    assert own.is_absolute()
