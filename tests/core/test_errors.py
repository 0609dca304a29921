from __future__ import annotations

import pickle
import re
from collections.abc import Iterator

import pytest

import vidu
from vidu import errors
from vidu.errors import ApiStatusError, Charge, ShotsFailedError, ViduError


def descendants(kind: type) -> Iterator[type]:
    yield kind
    for child in kind.__subclasses__():
        yield from descendants(child)


KINDS = list(descendants(ViduError))


def made(kind: type[ViduError]) -> ViduError:
    if kind is ApiStatusError:
        return ApiStatusError("The sea is closed.", status_code=418, retryable=True)
    if kind is ShotsFailedError:
        return ShotsFailedError({2: ViduError("The sea is closed.")}, ["rain", "sea", "sun"])
    return kind("The sea is closed.")


def printed_tree() -> list[tuple[str, str]]:
    """Each class of the tree in the docstring of errors.py with its parent, from top to bottom."""
    branch, edges = ["ViduError"], []
    for indent, name in re.findall(r"^ {4}([ |]*)\+-- (\w+)", errors.__doc__, re.M):
        depth = len(indent) // 4 + 1
        edges.append((branch[depth - 1], name))
        branch[depth:] = [name]
    return edges


def test_errors_docstring_tree_is_the_real_one():
    real = [(kind.__base__.__name__, kind.__name__) for kind in KINDS[1:]]
    assert printed_tree() == real


def test_error_class_has_one_parent():
    assert all(len(kind.__bases__) == 1 for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_error_class_is_exported(kind):
    assert getattr(vidu, kind.__name__) is kind
    assert getattr(vidu, kind.__name__) is kind


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_error_traceback_names_no_path_of_the_users_disk(kind):
    """ComfyUI shows an error with the module of its class."""
    assert kind.__module__ == "vidu"


def test_error_subclass_elsewhere_is_shown_the_same_way():
    class Odd(ViduError):
        """An error of somebody's own provider."""

    assert Odd.__module__ == "vidu"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_error_text_is_what_happened_charge_and_next_step(kind):
    error = made(kind)
    happened, next_step = error.message, error.next_step
    assert "The sea is closed." in happened
    assert str(error) == f"{happened} {error.charge.value} {next_step}"
    assert isinstance(error.charge, Charge)
    assert re.fullmatch(r"[A-Z].*\.", next_step)


@pytest.mark.parametrize("money", Charge)
def test_charge_value_is_a_whole_sentence(money):
    assert re.fullmatch(r"([A-Z]|fal ).*\.", money.value)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_error_charge_is_in_doubt_only_after_the_paid_request(kind):
    before = (
        errors.InvalidInputError,
        errors.DependencyError,
        errors.CredentialError,
        errors.AccountLockedError,
        errors.BudgetExceededError,
        errors.LedgerUnavailableError,
        errors.ServiceError,
    )
    if issubclass(kind, before) or kind is ViduError:
        assert kind.charge is Charge.NOT_SPENT
    else:
        assert kind.charge is not Charge.NOT_SPENT


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_error_pickled_is_equal_again(kind):
    error = made(kind)
    error.request_id = "r-1"
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), back.request_id) == (kind, str(error), "r-1")


def test_error_given_words_take_precedence_over_the_defaults():
    error = errors.ContentPolicyError(
        "Flagged.", "Paint over it.", charge=Charge.CHARGED, request_id="r-1"
    )
    assert str(error) == "Flagged. fal charged for it. Paint over it."
    assert error.request_id == "r-1"


def test_error_of_many_shots_names_each():
    failures = {1: errors.InvalidPromptError("Empty."), 3: errors.CorruptClipError("Truncated.")}
    labels = [f"shot {number} of 4" for number in range(1, 5)]
    text = str(ShotsFailedError(failures, labels))
    assert text.startswith("2 of 4 clips failed.\n")
    assert "\nshot 1 of 4: Empty. Nothing was charged." in text
    assert "\nshot 3 of 4: Truncated. This clip" in text
    assert "What succeeded is saved." in text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_with_charge_returns_a_copy_that_says_it(kind):
    error = made(kind)
    twin = error.with_charge(Charge.MAYBE_SPENT, "r-1")
    assert type(twin) is kind
    assert (twin.charge, twin.request_id) == (Charge.MAYBE_SPENT, "r-1")
    assert (error.charge, error.request_id) == (kind.charge, None)
    assert (twin.message, twin.next_step) == (error.message, error.next_step)
    assert (twin.retryable, twin.status_code) == (error.retryable, error.status_code)


def test_with_charge_keeps_the_request_that_is_named():
    error = ViduError("The sea is closed.", request_id="r-1")
    assert error.with_charge(Charge.SPENT, "r-2").request_id == "r-1"
