"""Which folders a cloud service copies, and the one warning about a ledger in them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from vidu.synced_folder import find_synced_folder, warn_of_synced_folder


@pytest.mark.parametrize(
    "folder",
    [
        "/c/Users/M/OneDrive/ComfyUI/user",
        "/c/Users/M/OneDrive - Studio GmbH/ledger",
        "/c/Users/M/Dropbox/ledger",
        "/c/Users/M/iCloudDrive/ledger",
        "/Users/m/Library/Mobile Documents/com~apple~CloudDocs/ledger",
        "/Users/m/Library/CloudStorage/GoogleDrive-m/My Drive/ledger",
    ],
)
def test_find_synced_folder_knows_the_services_by_their_names(folder):
    assert find_synced_folder(Path(folder), {}) in Path(folder).parents


def test_find_synced_folder_knows_a_onedrive_of_another_name():
    found = find_synced_folder(Path("/d/Cloud/ledger"), {"OneDriveCommercial": "/d/Cloud"})
    assert found == Path("/d/Cloud")


@pytest.mark.parametrize("folder", ["/srv/films/ledger", "/c/ComfyUI/onedriver", "/srv/dropboxes"])
def test_find_synced_folder_of_any_other_folder_is_none(folder):
    assert find_synced_folder(Path(folder), {}) is None


def test_warn_of_synced_folder_says_it_once(tmp_path, caplog):
    ledger = tmp_path / "OneDrive" / "ledger"
    with caplog.at_level(logging.WARNING):
        warn_of_synced_folder(ledger)
        warn_of_synced_folder(ledger)
    (record,) = caplog.records
    assert f"lies in {ledger.parent}" in record.getMessage()
