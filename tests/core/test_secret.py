"""The key shows in no text, copy, pickle or traceback."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from hypothesis import assume, given

from vidu.credentials import (
    Secret,
    find_key,
)

from ..support.made_up_keys import keys

KEY = "0f3a-id:5ecre7"
ROOT = Path(__file__).resolve().parents[2]


def test_secret_shows_in_no_text():
    secret = Secret(KEY)
    record = logging.LogRecord("x", logging.INFO, "x", 1, "%s %r", (secret, secret), None)
    texts = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", "key " + str([secret])]
    texts += [repr([secret]), repr({"key": secret}), record.getMessage(), repr(vars(Secret))]
    assert not [text for text in texts if KEY in text]
    assert all("***" in text for text in texts[:8])


def test_found_key_shows_in_no_text(tmp_path):
    found = find_key(tmp_path, {"FAL_KEY": KEY})
    assert KEY not in repr(found)
    assert "FAL_KEY" in repr(found)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_secret_pickled_raises(protocol):
    with pytest.raises(TypeError, match="not written down") as refused:
        pickle.dumps({"key": Secret(KEY)}, protocol)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_secret_copied_raises(duplicate):
    with pytest.raises(TypeError):
        duplicate(Secret(KEY))


def test_secret_in_a_traceback_with_locals_is_hidden():
    def send(secret: Secret) -> None:
        raise RuntimeError(f"could not send with {secret}")

    try:
        send(Secret(KEY))
    except RuntimeError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
    text = "".join(told.format())
    assert "secret = Secret(***)" in text
    assert KEY not in text


@pytest.mark.parametrize("pasted", ["id secret-5ecre7", "5ecre7", "id:5ecre7:x", "id:5ecre7\u00e9"])
def test_bad_key_in_a_traceback_is_hidden(pasted):
    script = (
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\nfrom vidu.credentials import find_key\n"
        "find_key(Path('nowhere'))\n"
    )
    environ = {**os.environ, "FAL_KEY": pasted, "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, encoding="utf-8"
    )
    assert "MalformedKeyError: What FAL_KEY holds is not a fal key" in done.stderr
    assert "5ecre7" not in done.stdout + done.stderr


@given(keys)
def test_secret_repr_of_any_key_hides_it(key):
    assume(key not in "Secret(***)")
    assert key not in repr(Secret(key))
