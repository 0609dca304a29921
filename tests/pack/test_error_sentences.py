"""The sentences of errors: each is translated, or no artist meets it."""

from __future__ import annotations

import pytest

from ..support.told_sentences import ROOT, error_sentences, is_translated

NOT_FOR_ARTISTS = (
    "vidu/cli",  # a shell
    "vidu/shots/manifest.py",  # the manifests of a shell
    "vidu/shots/manifest_formats.py",
    "vidu/shots/shot_spec.py",  # the shots of a manifest, and of Python
    "vidu/ledger/importing.py",  # `vidu ledger import`
    "vidu/media/image_file.py",  # files that a manifest names, or Python: nodes hand on pixels
)
"""The modules whose errors no artist in ComfyUI meets."""

NOT_TRANSLATED = (
    # `vidu make --budget`
    "This clip costs 7 and 7 of this run's 7 is spent or reserved.",
    "Run again with a higher --budget to go on.",
    # `vidu ledger ignore`
    "No ledger 7 is known.",
    "The known ones are noted in 7.",
    # Python that gives an endpoint options or media of another; a node has only its own
    "7 (7) has no option 7.",
    "Its options: 7.",
    "It takes: 7.",
    # Python that goes on with a closed ledger
    "The ledger is closed.",
    "Open it again.",
    # a sound that a manifest or Python names
    "7 has no sound.",
    "Use another file.",
    "7 cannot be read as sound (7).",
    "Use an mp3, wav, flac, m4a or ogg file.",
    # a shell of a user without a home; ComfyUI has its own folder
    "This user has no home folder, so there is no place for the ledger.",
    "Set VIDU_HOME to a folder that is kept, or give it as --home.",
)
"""The other sentences that no artist meets, by who does."""


def told() -> list[str]:
    paths = [path for folder in ("vidu", "nodes") for path in (ROOT / folder).rglob("*.py")]
    names = {path: path.relative_to(ROOT).as_posix() for path in paths}
    shown = [path for path in paths if not names[path].startswith(NOT_FOR_ARTISTS)]
    return sorted({text for path in shown for text in error_sentences(path)})


@pytest.mark.parametrize("text", told())
def test_error_sentence_has_a_translation_unless_no_artist_meets_it(text):
    known = is_translated(text) or is_translated(f"{text}.")  # an error ends its message itself
    assert known != (text in NOT_TRANSLATED)


def test_error_sentences_without_translation_are_all_told():
    assert set(NOT_TRANSLATED) <= set(told())
    assert all((ROOT / name).exists() for name in NOT_FOR_ARTISTS)
