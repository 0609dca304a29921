"""Sound out of clips, and voices for the upload."""

from __future__ import annotations

import io
import math

import av
import numpy as np
import pytest

from vidu.errors import InvalidInputError
from vidu.media.audio import Audio, decode_audio, encode_audio, load_audio


def tone(seconds: float = 3, rate: int = 44100, channels: int = 1) -> Audio:
    wave = np.sin(np.arange(round(seconds * rate)) * (440 * math.tau / rate)) * 0.5
    return Audio(np.repeat(wave[np.newaxis].astype(np.float32), channels, axis=0), rate)


def pitch_hz(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(spectrum.argmax() * rate / len(samples))


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000, 11111])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_encode_audio_any_rate_and_channels_is_an_mp3(rate, channels):
    voice = encode_audio(tone(3, rate, channels))
    assert (voice.media_type, voice.suffix) == ("audio/mpeg", ".mp3")
    assert voice.duration_s == pytest.approx(3)
    with av.open(io.BytesIO(voice.data)) as container:
        assert container.format.name == "mp3"
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
        heard_rate = container.streams.audio[0].sample_rate
    heard = np.concatenate(frames, axis=1)
    assert heard.shape[1] / heard_rate == pytest.approx(3, abs=0.1)
    assert pitch_hz(heard[0], heard_rate) == pytest.approx(440, abs=2)
    assert np.abs(heard).max() == pytest.approx(0.5, abs=0.1)


def test_encode_audio_name_is_that_of_the_samples():
    name = encode_audio(tone()).content_sha256
    assert encode_audio(tone()).content_sha256 == name
    half = Audio(tone().samples.astype(np.float16).astype(np.float32), 44100)
    assert len({name, encode_audio(tone(4)).content_sha256, half.content_sha256()}) == 3
    assert encode_audio(Audio(tone().samples, 48000)).content_sha256 != name


@pytest.mark.parametrize(
    "samples", [np.zeros((1, 0)), np.zeros((0, 9)), np.full((1, 44100), np.nan), np.zeros(9)]
)
def test_encode_audio_without_sound_is_refused(samples):
    with pytest.raises(InvalidInputError):
        encode_audio(Audio(samples.astype(np.float32), 44100))


def test_decode_audio_silent_clip_has_silence_of_its_length(film, noise_frames):
    audio = decode_audio(film(noise_frames(12)), 0.5)
    assert audio.samples.shape == (2, 22050)
    assert audio.samples.dtype == np.float32
    assert not audio.samples.any()


def test_decode_audio_clip_with_sound_has_its_samples(film, noise_frames):
    audio = decode_audio(film(noise_frames(24), audio=True), 1.0)
    assert audio.sample_rate == 44100
    assert audio.samples.shape[0] == 1
    assert audio.duration_s == pytest.approx(1, abs=0.05)
    assert np.abs(audio.samples).max() > 0.5


def test_read_audio_wav_is_named_as_its_samples(tmp_path):
    sound = tone(3, 44100, 2)
    with av.open(str(tmp_path / "voice.wav"), "w") as container:
        stream = container.add_stream("pcm_f32le", 44100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound.samples.T.reshape(1, -1)), format="flt", layout="stereo"
        )
        frame.sample_rate = 44100
        for part in (frame, None):
            container.mux(stream.encode(part))
    voice = load_audio(tmp_path / "voice.wav")
    assert voice.content_sha256 == encode_audio(sound).content_sha256


@pytest.mark.parametrize("content", [None, b"", b"words"])
def test_read_audio_no_sound_is_refused_by_name(content, tmp_path):
    path = tmp_path / "voice.mp3"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"voice\.mp3"):
        load_audio(path)


def test_read_audio_silent_video_is_refused(film, noise_frames):
    with pytest.raises(InvalidInputError, match="no sound"):
        load_audio(film(noise_frames(3)))
