"""The node with real tensors, run as ComfyUI's executor runs it."""

from __future__ import annotations

import filecmp
import json
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image

from .conftest import download

NODE = "FalViduImageToVideo"


def asked(**inputs) -> dict:
    """The inputs of one shot, in lists as the host hands them over."""
    single = {
        "prompt": "The waves roll in.",
        "seed": 1,
        "mode": "live",
        "filename_prefix": "video/Vidu",
        "max_cost": 9.0,
    }
    model = {"model": ["Vidu"], "movement_amplitude": ["auto"]}
    return {name: [value] for name, value in single.items()} | {"model": model} | inputs


def plain(*color: float) -> torch.Tensor:
    return torch.tensor(color).expand(1, 64, 96, len(color)).clone()


def uploaded(fal, job: dict) -> np.ndarray:
    """The pixels that fal was given."""
    return np.asarray(Image.open(BytesIO(download(fal, job["input"]["image_url"]))))


def bytes_of(image: torch.Tensor) -> np.ndarray:
    """What an image should be uploaded as, in float64 and step by step."""
    values = image[0].to(torch.float64).numpy()
    values = np.clip(values, 0, 1)
    if values.shape[2] == 4:
        values = values[..., :3] * values[..., 3:] + 1 - values[..., 3:]
    return np.broadcast_to(np.floor(values * 255 + 0.5), (*values.shape[:2], 3)).astype(np.uint8)


def strange_images() -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    noise = torch.rand(1, 48, 64, 3)
    untamed = noise * 3 - 1
    untamed[0, :4] = torch.tensor([2.0, float("inf"), float("-inf")])
    untamed[0, 4:8] = torch.tensor([0.999, 1.004, -0.004])
    return {
        "fp32": noise,
        "fp16": noise.half(),
        "bf16": noise.bfloat16(),
        "RGBA": torch.rand(1, 48, 64, 4),
        "one channel": noise[..., :1],
        "infinite, out of range": untamed,
        "not contiguous": noise.flip(1).transpose(1, 2),
        "with gradients": noise.flip(2).requires_grad_(),
    }


async def test_execute_every_kind_of_image_is_uploaded_rounded_and_clamped(execute, fal):
    images = strange_images()
    seeds = list(range(1, len(images) + 1))
    await execute(NODE, asked(image=list(images.values()), seed=seeds))
    jobs = {job["input"]["seed"]: job for job in fal.ledger()["jobs"]}
    differing = {
        name: int(np.abs(uploaded(fal, jobs[seed]).astype(int) - bytes_of(image.detach())).max())
        for seed, (name, image) in zip(seeds, images.items(), strict=True)
    }
    assert differing == dict.fromkeys(images, 0)


async def test_execute_outputs_have_the_types_of_the_graph(execute, fal, pack, output_directory):
    output = await execute(NODE, asked(image=[plain(0.2, 0.6, 0.9)]), {"7": {}}, {"nodes": []})
    assert all(isinstance(each, list) and len(each) == 1 for each in output.result[:7])
    frames, path, video, last, fps, count, request_id = (each[0] for each in output.result[:7])
    assert frames.dtype == torch.float32
    assert frames.shape == (8, 64, 96, 3)
    assert 0 <= frames.min() <= frames.max() <= 1
    assert torch.equal(frames, torch.from_numpy(pack.vidu.media.video.decode(Path(path))))
    assert torch.equal(last, frames[-1:])
    assert last.data_ptr() != frames[-1:].data_ptr(), "the clip's memory can go without it"
    assert (fps, count) == (24.0, 8)
    assert [job["request_id"] for job in fal.ledger()["jobs"]] == [request_id]
    assert Path(path).is_relative_to(output_directory / "video")
    assert video.get_dimensions() == (96, 64)
    assert video.get_components().images.shape == frames.shape
    with av.open(path) as container:
        assert json.loads(container.metadata["prompt"]) == {"7": {}}
        assert json.loads(container.metadata["workflow"]) == {"nodes": []}


async def test_execute_color_comes_back_as_it_went(execute, fal):
    """Up as PNG, through H.264, down again; another matrix would be off by 10/255 and more."""
    colors = [(0.8, 0.2, 0.2), (0.2, 0.7, 0.3), (0.2, 0.3, 0.9)]
    output = await execute(NODE, asked(image=[plain(*color) for color in colors]))
    for frames, color in zip(output.result[0], colors, strict=True):
        seen = frames.median(dim=0).values.flatten(0, 1).median(dim=0).values
        assert (seen - torch.tensor(color)).abs().max() < 3 / 255


async def test_execute_with_max_frames_returns_fewer_frames(execute, fal):
    image = [plain(0.5, 0.5, 0.5)]
    whole = await execute(NODE, asked(image=image))
    some = await execute(NODE, asked(image=image, every_nth=[3], max_frames=[2]))
    assert torch.equal(some.result[0][0], whole.result[0][0][::3][:2])
    assert torch.equal(some.result[3][0], whole.result[0][0][-1:])
    assert some.result[4:6] == ([8.0], [2])
    assert some.result[1] == whole.result[1]
    assert fal.ledger()["counts"]["jobs"] == 1


async def test_execute_batch_or_list_makes_a_clip_for_each_image(execute, fal):
    images = torch.cat([plain(0.9, 0.1, 0.1), plain(0.1, 0.1, 0.9)])
    batch = await execute(NODE, asked(image=[images]))
    listed = await execute(NODE, asked(image=list(images.split(1))))
    assert batch.result[1] == listed.result[1]
    red, blue = (frames.mean(dim=(0, 1, 2)) for frames in batch.result[0])
    assert red[0] > red[2] + 0.3
    assert blue[2] > blue[0] + 0.3
    assert fal.ledger()["counts"]["jobs"] == 2


async def test_execute_with_metadata_disabled_writes_none(execute, fal, monkeypatch):
    from comfy.cli_args import args

    monkeypatch.setattr(args, "disable_metadata", True)
    output = await execute(NODE, asked(image=[plain(0.1, 0.1, 0.1)]), {"7": {}}, {"nodes": []})
    with av.open(output.result[1][0]) as container:
        assert not {"prompt", "workflow"} & container.metadata.keys()


async def test_preview_of_a_clip_outside_the_output_folder_plays(
    execute, fal, output_directory, tmp_path
):
    """Saved by a run from a shell; or the output folder has been moved since."""
    import folder_paths

    first = await execute(NODE, asked(image=[plain(0.1, 0.2, 0.3)]))
    (shown,) = first.ui.as_dict()["images"]
    assert (shown["subfolder"], shown["type"]) == ("video", "output")
    folder_paths.set_output_directory(str(tmp_path / "elsewhere"))
    again = await execute(NODE, asked(image=[plain(0.1, 0.2, 0.3)]))
    assert again.result[1] == first.result[1]
    (shown,) = again.ui.as_dict()["images"]
    assert shown["type"] == "temp"
    played = tmp_path / "temp" / shown["subfolder"] / shown["filename"]
    assert filecmp.cmp(played, first.result[1][0], shallow=False)


async def test_preview_name_that_ends_in_a_date_is_no_counter(execute, fal, output_directory):
    """ComfyUI reads the digits after a prefix as a number, and goes on counting from it."""
    (output_directory / "video").mkdir(parents=True)
    (output_directory / "video" / "Vidu_20260615_hero.mp4").touch()
    (path,) = (await execute(NODE, asked(image=[plain(0.5, 0.5, 0.5)], seed=[615]))).result[1]
    assert path.endswith("Vidu_00001.mp4")
