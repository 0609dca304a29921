"""The media of a shot are uploaded side by side, and a medium of several shots once."""

from __future__ import annotations

import asyncio

import numpy as np

from vidu import builders
from vidu.destination import Destination
from vidu.generate import generate
from vidu.session import open_session

from ...support.shots import SHORT, jobs_of, shot


def images(count: int) -> list[np.ndarray]:
    return [np.full((160, 160, 3), (index + 1) / (count + 1), np.float32) for index in range(count)]


async def test_submit_list_of_references_keeps_their_order(fal, vidu_home, clips):
    request = builders.reference_to_video("A cat", images=images(3), model="Q1", seed=5)
    async with open_session(vidu_home, SHORT) as (provider, ledger):
        await generate(request, provider, ledger, Destination(clips, "clip"), settings=SHORT)
        (job,) = jobs_of(fal, request)
        sent = job["input"]["reference_image_urls"]
        media = [medium for media in request.media.values() for medium in media]
        # What was uploaded before keeps its URL in this run.
        assert sent == [await provider.upload(medium) for medium in media]
    assert len(set(sent)) == 3
    assert fal.ledger()["counts"]["uploads"] == 3


async def test_generate_shots_with_one_image_upload_it_once(fal, vidu_home, clips):
    async with open_session(vidu_home, SHORT) as (provider, ledger):
        await asyncio.gather(
            *(
                generate(shot(seed), provider, ledger, Destination(clips, "clip"), settings=SHORT)
                for seed in (1, 2, 3)
            )
        )
    ledger_of_fal = fal.ledger()
    assert ledger_of_fal["counts"]["uploads"] == 1
    assert len({job["input"]["image_url"] for job in ledger_of_fal["jobs"]}) == 1
    assert ledger_of_fal["counts"]["jobs"] == 3
