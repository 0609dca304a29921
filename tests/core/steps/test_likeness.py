"""The same picture read by two decoders: two fingerprints, and one paid request."""

from __future__ import annotations

import asyncio

import pytest
from blocking_ledger import BlockingLedger

from vidu import errors
from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.models import State

from ...support.least_requests import least_request
from ...support.shots import run


def read_by(decoder: int):
    return least_request(VIDU_IMAGE_TO_VIDEO.id, decoder=decoder)


def test_least_request_of_another_decoder_has_another_fingerprint():
    assert read_by(0).fingerprint != read_by(3).fingerprint


async def test_generate_same_picture_of_another_decoder_is_free_and_said(fal, vidu_home, clips):
    first = await run(read_by(0), vidu_home, clips)
    told = []
    again = await run(read_by(3), vidu_home, clips, on_progress=told.append)
    assert (again.path, again.cost_usd, again.reused) == (first.path, 0, True)
    (warning,) = [progress.text for progress in told if progress.warning]
    assert "same picture" in warning
    assert "seed" in warning
    assert fal.ledger()["counts"]["jobs"] == 1


async def test_generate_same_picture_by_two_decoders_at_once_is_one_job(open_fal, vidu_home, clips):
    fal = open_fal(generation_seconds=1.0)
    made = await asyncio.gather(*(run(read_by(decoder), vidu_home, clips) for decoder in (0, 3)))
    assert len({clip.path for clip in made}) == 1
    assert sorted(clip.reused for clip in made) == [False, True]
    assert fal.ledger()["counts"]["jobs"] == 1


async def test_generate_after_the_like_shot_came_to_nothing_makes_its_own(
    open_fal, vidu_home, clips
):
    fal = open_fal(generation_seconds=1.0, faults="content_policy_violation:1")
    refused, made = await asyncio.gather(
        *(run(read_by(decoder), vidu_home, clips) for decoder in (0, 3)), return_exceptions=True
    )
    if isinstance(made, errors.ViduError):
        refused, made = made, refused
    assert isinstance(refused, errors.ContentPolicyError)
    assert made.reused is False
    with BlockingLedger.open(vidu_home) as ledger:
        assert [row.state for row in ledger.entries()] == [State.SAVED, State.FAILED]
    assert fal.ledger()["counts"]["jobs"] == 2


@pytest.mark.parametrize("decoder", [0, 3])
async def test_generate_another_seed_of_the_same_picture_is_another_clip(
    decoder, fal, vidu_home, clips
):
    await run(read_by(0), vidu_home, clips)
    other = least_request(VIDU_IMAGE_TO_VIDEO.id, seed=2, decoder=decoder)
    assert (await run(other, vidu_home, clips)).reused is False
    assert fal.ledger()["counts"]["jobs"] == 2
