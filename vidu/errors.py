"""The errors of the pack, in one tree.

::

    ViduError
    +-- InvalidInputError               refused here, before anything was sent
    |   +-- InvalidPromptError
    |   +-- InvalidImageError
    |   +-- CostLimitError
    |   +-- InvalidSettingError
    |       +-- InvalidProxyError       the proxy of this system cannot be used
    +-- DependencyError                 a package is missing, broken or too old
    +-- CredentialError
    |   +-- MissingKeyError
    |   +-- MalformedKeyError
    |   +-- RejectedKeyError            fal answered 401
    +-- AccountLockedError              fal answered 403 "User is locked"
    +-- BudgetExceededError             our own limit, before anything was sent
    +-- LedgerUnavailableError          the paid work cannot be written down, so none is begun
    |   +-- DatabaseUnreachableError    its server is away, or the way to it
    |   +-- RowChangedError             another process changed the row, so the change is refused
    |   +-- LedgerIncompleteError       rows may be missing, so a shot may have been paid for
    +-- ServiceError
    |   +-- ConnectionFailedError       no response from fal
    |   |   +-- CertificateError        its certificate is not trusted
    |   +-- UnreadableResponseError     a response of fal's that cannot be understood
    |   |   +-- ResponseTooLargeError
    |   +-- RateLimitedError            fal answered 429
    |   +-- ApiStatusError              any other response of fal's that is not a success
    |   +-- UploadError
    +-- SubmissionUnknownError          the paid request may or may not have arrived
    +-- QueueTimeoutError               waited too long for a runner
    +-- GenerationTimeoutError          waited too long for the clip
    +-- GenerationError                 fal took the request and ended it with an error
    |   +-- ContentPolicyError
    |   +-- InputRejectedError
    |   |   +-- ImageRejectedError
    |   |   +-- PromptRejectedError
    |   +-- GenerationCancelledError
    +-- ClipUnavailableError
    |   +-- UnsafeUrlError              an address that is not fetched at all
    |   +-- DownloadError
    |   +-- ClipGoneError               neither on disk nor at fal any more
    +-- CorruptClipError                truncated, foreign or undecodable
    +-- ClipTooLargeError               its frames do not fit into memory
    +-- SaveError                       the finished clip could not be written to its place
    +-- UnexpectedError                 a defect of this pack, or of a library it uses
    +-- ShotsFailedError                some of the shots of one node failed, the others are saved

Every error says three things: what happened, whether money was spent, and what to do next.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

E = TypeVar("E", bound="ViduError")


class Charge(str, Enum):
    """Whether the failed attempt cost anything, in the words the user reads."""

    NOT_SPENT = "Nothing was charged."
    SPENT = "This clip is paid for and not lost."
    PENDING = "fal charges once if it finishes, and the clip is not lost."
    CHARGED = "fal charged for it."
    EACH_ITS_OWN = "What succeeded is saved."
    MAYBE_SPENT = "It is not known whether fal charged for this."


class ViduError(Exception):
    """The root of the tree.

    Args:
        message: What happened, one or two whole sentences.
        next_step: What to do next, a whole sentence.
        charge: Whether money was spent; each class has its usual answer.
        request_id: fal's id of the request, when there is one.
        retryable: Whether the same call may succeed later; each class has its usual answer.
        status_code: The HTTP status with which fal answered, when it is what went wrong.
    """

    # ComfyUI shows a class with its module, which for a pack is a path of the user's disk.
    __module__ = "vidu"

    def __init_subclass__(cls) -> None:
        cls.__module__ = "vidu"

    charge: Charge = Charge.NOT_SPENT
    next_step: str = "Run again."
    retryable: bool = False

    def __init__(
        self,
        message: str,
        next_step: str | None = None,
        *,
        charge: Charge | None = None,
        request_id: str | None = None,
        retryable: bool | None = None,
        status_code: int | None = None,
    ) -> None:
        self.message = message if message.endswith((".", "!", "?", "\n")) else f"{message}."
        self.next_step = next_step or type(self).next_step
        self.charge = charge or type(self).charge
        self.request_id = request_id
        self.retryable = type(self).retryable if retryable is None else retryable
        self.status_code = status_code
        super().__init__(message, self.next_step)

    def with_charge(self: E, charge: Charge, request_id: str | None = None) -> E:
        """Return a copy that says this of the money, and names the request if none is named."""
        copied = copy.copy(self)
        copied.charge = charge
        copied.request_id = self.request_id or request_id
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).__new__, (type(self), *self.args), self.__dict__

    def __str__(self) -> str:
        return f"{self.message} {self.charge.value} {self.next_step}"


class InvalidInputError(ViduError):
    """Refused here, before anything was sent."""


class InvalidPromptError(InvalidInputError):
    """The prompt is empty or too long."""


class InvalidImageError(InvalidInputError):
    """The image cannot become a first frame: its shape, aspect ratio or file."""


class CostLimitError(InvalidInputError):
    """The run would cost more than its own limit allows."""


class InvalidSettingError(InvalidInputError):
    """A setting, seed or amplitude outside its range."""


class InvalidProxyError(InvalidSettingError):
    """The proxy that the environment or the system names cannot be used."""


class DependencyError(ViduError):
    """A package that a clip needs is missing, does not load or is too old."""


class CredentialError(ViduError):
    """There is no key that fal accepts."""


class MissingKeyError(CredentialError):
    """No key was found in any of the places looked at."""

    next_step = (
        "Set it in ComfyUI under Settings > Vidu, or as the environment variable FAL_KEY before "
        "the start (keys: fal.ai/dashboard/keys)."
    )


class MalformedKeyError(CredentialError):
    """What was found cannot be a key: wrong characters, or not `id:secret`."""

    next_step = "Copy the key again from fal.ai/dashboard/keys; it looks like id:secret."


class RejectedKeyError(CredentialError):
    """fal answered 401."""

    next_step = "Check the key at fal.ai/dashboard/keys, then run again."


class AccountLockedError(ViduError):
    """fal answered 403 "User is locked", most often for an exhausted balance."""

    next_step = "Top up at fal.ai/dashboard/billing, then run again."


class BudgetExceededError(ViduError):
    """The daily budget does not cover this clip."""


class LedgerUnavailableError(ViduError):
    """The ledger cannot be read or written, so no paid request is begun."""


class DatabaseUnreachableError(LedgerUnavailableError):
    """The server of the ledger is away, or the way to it."""

    retryable = True


class RowChangedError(LedgerUnavailableError):
    """The ledger refused a change, for its row is in another state."""


class LedgerIncompleteError(LedgerUnavailableError):
    """The ledger lost rows, so a new shot may have been paid for already."""


class ServiceError(ViduError):
    """fal, or the way to it, failed."""


class ConnectionFailedError(ServiceError):
    """No response: connection, TLS, proxy or timeout."""

    next_step = "Check the network (and the proxy, if there is one), then run again."
    retryable = True


class CertificateError(ConnectionFailedError):
    """The server's certificate is not trusted."""

    next_step = (
        "A proxy or virus scanner that inspects connections needs its certificate authority in "
        "this system's list, or SSL_CERT_FILE set to it (a PEM file). Check the clock, too."
    )
    retryable = False


class UnreadableResponseError(ServiceError):
    """fal answered, and the response cannot be understood."""

    next_step = "Run again in a few minutes; status.fal.ai tells of outages."
    retryable = True


class ResponseTooLargeError(UnreadableResponseError):
    """A response is larger than anything that fal sends."""


class RateLimitedError(ServiceError):
    """fal answered 429; `retry_after_s` is how long it asks to wait, when it says so."""

    next_step = "Wait a minute, then run again."
    retryable = True
    retry_after_s: float | None = None


class ApiStatusError(ServiceError):
    """Any other response of fal's that is not a success."""

    next_step = "Run again in a few minutes; status.fal.ai tells of outages."


class UploadError(ServiceError):
    """The first frame did not reach fal's storage."""

    next_step = "Run again in a few minutes; status.fal.ai tells of outages."


class SubmissionUnknownError(ViduError):
    """The paid request may or may not have arrived; it is never repeated on its own."""

    charge = Charge.MAYBE_SPENT


class QueueTimeoutError(ViduError):
    """The request waited in fal's queue for longer than the limit."""

    charge = Charge.PENDING
    next_step = "Run the same shot again to go on waiting."


class GenerationTimeoutError(ViduError):
    """The generation took longer than the limit."""

    charge = Charge.PENDING
    next_step = "Run the same shot again to go on waiting."


class GenerationError(ViduError):
    """fal took the request and ended it with an error."""

    charge = Charge.MAYBE_SPENT
    next_step = "Run again; if it fails the same way, change the image or the prompt."
    refused_input: str = ""
    """The input that fal names, as nodes and manifests call it: `end_image`, `images 2`."""


class ContentPolicyError(GenerationError):
    """The image, prompt or clip was flagged by the content checker."""

    next_step = "Change the prompt or the image, then run again."


class InputRejectedError(GenerationError):
    """The endpoint could not use one of the inputs."""

    next_step = "Change this input, then run again."


class ImageRejectedError(InputRejectedError):
    """The endpoint could not use an image."""

    next_step = "Use another image (PNG, JPEG or WebP, aspect 1:4 to 4:1), then run again."


class PromptRejectedError(InputRejectedError):
    """The endpoint could not use the prompt."""

    next_step = "Change the prompt, then run again."


class GenerationCancelledError(GenerationError):
    """The request was cancelled, here or at fal."""

    next_step = "Run again to generate it."


class ClipUnavailableError(ViduError):
    """The finished clip could not be fetched."""

    charge = Charge.SPENT
    next_step = "Run the same shot again to fetch it, free."


class UnsafeUrlError(ClipUnavailableError):
    """The clip's address is not one that is fetched: not https, or a private host."""


class DownloadError(ClipUnavailableError):
    """The transfer failed again and again."""


class ClipGoneError(ClipUnavailableError):
    """The clip is not on disk, and fal, as far as it can be asked, no longer has it."""


class CorruptClipError(ViduError):
    """The file is truncated, foreign or cannot be decoded whole."""

    charge = Charge.SPENT
    next_step = "Run the same shot again to download it again, free."


class ClipTooLargeError(ViduError):
    """The decoded frames would not fit into the memory that is free."""

    charge = Charge.SPENT
    next_step = "Use the video or file_path output, or fewer frames (max_frames, every_nth)."


class SaveError(ViduError):
    """The finished clip could not be written to its place."""

    charge = Charge.SPENT
    next_step = "Free some space or repair the folder, then run the same shot again, free."


class UnexpectedError(ViduError):
    """An exception that no part of the pack expects: a defect of its own or of a library."""

    charge = Charge.MAYBE_SPENT
    next_step = "Run the same shot again; if it fails the same way, report it with the log."


class ShotsFailedError(ViduError):
    """Some of the shots of one node failed; the others are saved.

    Args:
        failures: The number of each failed shot, from 1, and its error.
        labels: What every shot is called.
    """

    charge = Charge.EACH_ITS_OWN
    next_step = "Run again: what is saved is free."

    def __init__(self, failures: Mapping[int, ViduError], labels: Sequence[str]) -> None:
        lines = "".join(f"\n{labels[number - 1]}: {error}" for number, error in failures.items())
        super().__init__(f"{len(failures)} of {len(labels)} clips failed.{lines}\n")
        self.failures = failures
