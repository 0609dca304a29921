"""What can go wrong, as one tree.

::

    ViduError
    +-- InvalidInput                refused here, before anything was sent
    |   +-- InvalidPrompt
    |   +-- InvalidImage
    |   +-- TooManyClips
    |   +-- InvalidSetting
    +-- KeyProblem
    |   +-- MissingKey
    |   +-- MalformedKey
    |   +-- RejectedKey             fal answered 401
    +-- AccountLocked               fal answered 403 "User is locked"
    +-- BudgetExceeded              our own limit, before anything was sent
    +-- LedgerUnavailable           the paid work can not be written down, so none is begun
    +-- ServiceProblem
    |   +-- Unreachable             no answer from fal
    |   +-- RateLimited             fal answered 429
    |   +-- Refused                 any other answer of fal's that is not a success
    |   +-- UploadFailed
    +-- SubmitUnknown               the paid request may or may not have arrived
    +-- QueueTimeout                waited too long for a runner
    +-- GenerationTimeout           waited too long for the clip
    +-- GenerationFailed            fal took the request and ended it with an error
    |   +-- ContentPolicyViolation
    |   +-- ImageRejected
    |   +-- PromptRejected
    |   +-- GenerationCancelled
    +-- ClipUnavailable
    |   +-- UnsafeUrl               an address that is not fetched at all
    |   +-- DownloadFailed
    |   +-- ClipGone                neither on disk nor at fal any more
    +-- CorruptClip                 truncated, foreign or undecodable
    +-- ClipTooLarge                its frames do not fit into memory
    +-- KeepFailed                  the finished clip could not be written to its place
    +-- UnexpectedError             a defect of this pack, or of a library it uses
    +-- ShotsFailed                 some of the shots of one node failed, the others are kept

Every error says three things: what happened, whether money was spent, and what to do next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any


class Money(str, Enum):
    """Whether the failed attempt cost anything, in the words the artist reads."""

    NOT_SPENT = "Nothing was charged."
    SPENT = "This clip is paid for and not lost."
    PENDING = "fal charges once if it finishes, and the clip is not lost."
    CHARGED = "fal charged for it."
    EACH_ITS_OWN = "What succeeded is kept."
    MAYBE_SPENT = "It is not known whether fal charged for this."


class ViduError(Exception):
    """The root of the tree.

    Args:
        happened: What happened, one or two whole sentences.
        next_step: What to do next, a whole sentence.
        money: Whether money was spent; each class has its usual answer.
        request_id: fal's id of the request, when there is one.
    """

    # ComfyUI shows a class with its module, which for a pack is a path of the artist's disk.
    __module__ = "vidu"

    def __init_subclass__(cls) -> None:
        cls.__module__ = "vidu"

    money: Money = Money.NOT_SPENT
    next_step: str = "Run again."

    def __init__(
        self,
        happened: str,
        next_step: str | None = None,
        *,
        money: Money | None = None,
        request_id: str | None = None,
    ) -> None:
        self.happened = happened if happened.endswith((".", "!", "?", "\n")) else f"{happened}."
        self.next_step = next_step or type(self).next_step
        self.money = money or type(self).money
        self.request_id = request_id
        super().__init__(happened, self.next_step)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).__new__, (type(self), *self.args), self.__dict__

    def __str__(self) -> str:
        return f"{self.happened} {self.money.value} {self.next_step}"


class InvalidInput(ViduError):
    """Refused here, before anything was sent."""


class InvalidPrompt(InvalidInput):
    """The prompt is empty or too long."""


class InvalidImage(InvalidInput):
    """The image can not become a first frame: its shape, aspect ratio or file."""


class TooManyClips(InvalidInput):
    """The batch holds more images than the artist allowed."""


class InvalidSetting(InvalidInput):
    """A setting, seed or amplitude outside its range."""


class KeyProblem(ViduError):
    """There is no key that fal accepts."""


class MissingKey(KeyProblem):
    """No key was found in any of the places looked at."""

    next_step = (
        "Set it in ComfyUI under Settings > Vidu, or as the environment variable FAL_KEY before "
        "the start (keys: fal.ai/dashboard/keys)."
    )


class MalformedKey(KeyProblem):
    """What was found can not be a key: wrong characters, or not `id:secret`."""

    next_step = "Copy the key again from fal.ai/dashboard/keys; it looks like id:secret."


class RejectedKey(KeyProblem):
    """fal answered 401."""

    next_step = "Check the key at fal.ai/dashboard/keys, then run again."


class AccountLocked(ViduError):
    """fal answered 403 "User is locked", most often for an exhausted balance."""

    next_step = "Top up at fal.ai/dashboard/billing, then run again."


class BudgetExceeded(ViduError):
    """The daily budget does not cover this clip."""


class LedgerUnavailable(ViduError):
    """The ledger can not be read or written, so no paid request is begun."""


class ServiceProblem(ViduError):
    """fal, or the way to it, failed."""


class Unreachable(ServiceProblem):
    """No answer: connection, TLS, proxy or time-out."""

    next_step = "Check the network (and the proxy, if there is one), then run again."


class RateLimited(ServiceProblem):
    """fal answered 429; `retry_after_s` is how long it asks to wait, when it says so."""

    next_step = "Wait a minute, then run again."
    retry_after_s: float | None = None


class Refused(ServiceProblem):
    """Any other answer of fal's that is not a success."""

    next_step = "Run again in a few minutes; status.fal.ai tells of outages."

    def __init__(self, happened: str, next_step: str | None = None, *, status_code: int) -> None:
        super().__init__(happened, next_step)
        self.status_code = status_code


class UploadFailed(ServiceProblem):
    """The first frame did not reach fal's storage."""

    next_step = "Run again in a few minutes; status.fal.ai tells of outages."


class SubmitUnknown(ViduError):
    """The paid request may or may not have arrived; it is never repeated on its own."""

    money = Money.MAYBE_SPENT


class QueueTimeout(ViduError):
    """The request waited in fal's queue for longer than the limit."""

    money = Money.PENDING
    next_step = "Run the same shot again to go on waiting."


class GenerationTimeout(ViduError):
    """The generation took longer than the limit."""

    money = Money.PENDING
    next_step = "Run the same shot again to go on waiting."


class GenerationFailed(ViduError):
    """fal took the request and ended it with an error."""

    money = Money.MAYBE_SPENT
    next_step = "Run again; if it fails the same way, change the image or the prompt."


class ContentPolicyViolation(GenerationFailed):
    """The image, prompt or clip was flagged by the content checker."""

    next_step = "Change the prompt or the image, then run again."


class ImageRejected(GenerationFailed):
    """The endpoint could not use the image."""

    next_step = "Use another image (PNG, JPEG or WebP, aspect 1:4 to 4:1), then run again."


class PromptRejected(GenerationFailed):
    """The endpoint could not use the prompt."""

    next_step = "Change the prompt, then run again."


class GenerationCancelled(GenerationFailed):
    """The request was cancelled, here or at fal."""

    next_step = "Run again to generate it anew."


class ClipUnavailable(ViduError):
    """The finished clip could not be fetched."""

    money = Money.SPENT
    next_step = "Run the same shot again to fetch it, free."


class UnsafeUrl(ClipUnavailable):
    """The clip's address is not one that is fetched: not https, or a private host."""


class DownloadFailed(ClipUnavailable):
    """The transfer failed again and again."""


class ClipGone(ClipUnavailable):
    """The clip is not on disk, and fal, as far as it can be asked, no longer has it."""


class CorruptClip(ViduError):
    """The file is truncated, foreign or can not be decoded whole."""

    money = Money.SPENT
    next_step = "Run the same shot again to fetch it anew, free."


class ClipTooLarge(ViduError):
    """The decoded frames would not fit into the memory that is free."""

    money = Money.SPENT
    next_step = "Use the video or file_path output, or fewer frames (max_frames, every_nth)."


class KeepFailed(ViduError):
    """The finished clip could not be written to its place."""

    money = Money.SPENT
    next_step = "Free some space or mend the folder, then run the same shot again, free."


class UnexpectedError(ViduError):
    """An exception that no part of the pack expects: a defect of its own or of a library."""

    next_step = "Run the same shot again; if it fails the same way, report it with the log."


class ShotsFailed(ViduError):
    """Some of the shots of one node failed; the others are kept.

    Args:
        failures: The number of each failed shot, from 1, and its error.
        titles: What every shot is called.
    """

    money = Money.EACH_ITS_OWN
    next_step = "Run again: what is kept is free."

    def __init__(self, failures: Mapping[int, ViduError], titles: Sequence[str]) -> None:
        lines = "".join(f"\n{titles[number - 1]}: {error}" for number, error in failures.items())
        super().__init__(f"{len(failures)} of {len(titles)} clips failed.{lines}\n")
        self.failures = failures
