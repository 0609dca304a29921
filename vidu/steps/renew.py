"""The decision whether a shot may be paid for again.

It depends on the newest row of the shot and on what fal says about that row's request:

=========== ============ ============================= ========
state       evidence     and                           decision
=========== ============ ============================= ========
no row                                                 PAY
FAILED                                                 PAY
RESERVED                                               PAY
SUBMITTING  ABSENT       its longest life is over      PAY
SUBMITTING  ABSENT       it may still be under way     WAIT
SUBMITTING  ABSENT       asked with another key        ASK
SUBMITTING  UNCLEAR      it may still be under way     WAIT
SUBMITTING  UNCLEAR      its longest life is over      ASK
SUBMITTING  UNREADABLE                                 ASK
SUBMITTED   ABSENT                                     ASK
SUBMITTED   ENDED                                      ASK
SUBMITTED   UNREADABLE                                 ASK
CANCELLED   CANCELLED                                  PAY
CANCELLED   ABSENT                                     END
CANCELLED   ABSENT       asked with another key        ASK
CANCELLED   ENDED                                      ASK
CANCELLED   UNREADABLE                                 ASK
FINISHED    ABSENT                                     ASK
FINISHED    UNREADABLE                                 ASK
SAVED       ABSENT                                     ASK
SAVED       UNREADABLE                                 ASK
=========== ============ ============================= ========

FAILED      The row has ended for a reason that was told. Running the shot again is the user's word.
RESERVED    The run died before it sent anything.
SUBMITTING  The reply was lost. Only a whole, readable history of the same account that still lacks
            the request after its longest life proves that it never arrived. It may show the
            request when that has ended, so that it is looked for again until then.
SUBMITTED   fal accepted the request, so a clip that nobody has seen may exist and be paid for.
CANCELLED   fal was told to cancel it. fal removes what was queued and forgets it, and may have
            billed what ran: the row ends with that reason, and its amount stays in the sums.
            Running the shot once more is then the user's word. What has ENDED may have a clip.
FINISHED    fal made the clip, and nobody has seen it.
SAVED       The clip was saved once. A drive that is not mounted or a moved folder must cost
            nothing: whatever became of the file, only the user decides to pay again.
"""

from __future__ import annotations

from enum import Enum

from ..models import State


class Evidence(Enum):
    """What fal says about the request of a row that has no clip."""

    ABSENT = "fal's whole history was read and lacks the request, or its clip"
    CANCELLED = "fal confirms that the request was cancelled"
    ENDED = "fal says that the request has ended, and serves no result"
    UNCLEAR = "fal's history has requests that cannot be told from this one"
    UNREADABLE = "fal's history could not be read"


class Decision(Enum):
    """What to do about a shot whose clip is not to be had."""

    PAY = "make a new request"
    WAIT = "look again later"
    END = "end the row and tell the user, whose next run of the shot pays again"
    ASK = "tell the user, who alone may decide to pay again"


def decide(
    state: State | None,
    evidence: Evidence | None = None,
    *,
    same_account: bool = True,
    lifetime_is_over: bool = False,
) -> Decision:
    """Return whether the shot may be paid for again; the table above has each case.

    Args:
        state: The state of the shot's newest row; None when it has none.
        evidence: What fal says; None when the state alone decides.
        same_account: Whether fal was asked with the key of the account that made the request.
        lifetime_is_over: Whether the request could not be under way any more.
    """
    if state in (None, State.FAILED, State.RESERVED):
        return Decision.PAY
    if evidence in (None, Evidence.UNREADABLE, Evidence.ENDED) or not same_account:
        return Decision.ASK
    if state is State.SUBMITTING and not lifetime_is_over:
        return Decision.WAIT
    if evidence is Evidence.UNCLEAR:
        return Decision.ASK
    if state is State.SUBMITTING:
        return Decision.PAY
    if state is not State.CANCELLED:
        return Decision.ASK
    return Decision.PAY if evidence is Evidence.CANCELLED else Decision.END
