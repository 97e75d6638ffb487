from __future__ import annotations

import inspect
import re

import pytest

import reactor
from reactor import errors
from reactor.errors import (
    BudgetExceededError,
    ClosedError,
    ConnectError,
    ConnectTimeoutError,
    DeadlineError,
    DeadlockError,
    DrainTimeoutError,
    EncodeError,
    ForkedError,
    FrameTooLongError,
    FramingError,
    HostDownError,
    IdleTimeoutError,
    IncompleteFrameError,
    LimitError,
    MisuseError,
    NameResolutionError,
    OptionError,
    ReactorError,
    ReceiveBufferFullError,
    ReentryError,
    SendBufferFullError,
    SimulationError,
    SimulationTimeoutError,
    UnmodelledError,
    WriteTimeoutError,
    WrongThreadError,
)

CAUGHT_AS: dict[type[Exception], set[type[Exception]]] = {
    MisuseError: {RuntimeError},
    OptionError: {MisuseError, ValueError},
    EncodeError: {MisuseError, ValueError},
    ReentryError: {MisuseError},
    WrongThreadError: {MisuseError},
    ForkedError: {MisuseError},
    ClosedError: {MisuseError},
    SimulationError: {MisuseError},
    UnmodelledError: {SimulationError, NotImplementedError},
    HostDownError: {SimulationError},
    FramingError: {ValueError},
    FrameTooLongError: {FramingError, LimitError},
    IncompleteFrameError: {FramingError, EOFError},
    SendBufferFullError: {LimitError},
    ReceiveBufferFullError: {LimitError},
    BudgetExceededError: {LimitError},
    DeadlineError: {TimeoutError},
    IdleTimeoutError: {DeadlineError},
    WriteTimeoutError: {DeadlineError},
    DrainTimeoutError: {DeadlineError},
    SimulationTimeoutError: {DeadlineError},
    DeadlockError: set(),
    ConnectError: {ConnectionError},
    ConnectTimeoutError: {ConnectError, DeadlineError},
    NameResolutionError: {ConnectError},
    LimitError: set(),
}


@pytest.mark.parametrize("error", CAUGHT_AS)
def test_an_error_can_be_caught_as_what_a_user_would_expect(error: type[Exception]) -> None:
    for base in CAUGHT_AS[error] | {ReactorError}:
        with pytest.raises(base, match="why"):
            raise error("why")


def test_the_four_questions_have_answers_that_do_not_mix() -> None:
    answers = (MisuseError, FramingError, LimitError, DeadlineError)
    for error in CAUGHT_AS:
        given = {answer for answer in answers if issubclass(error, answer)}
        if error in (ConnectError, NameResolutionError, DeadlockError):
            assert not given
        elif error is FrameTooLongError:
            assert given == {FramingError, LimitError}
        else:
            assert len(given) == 1


def test_every_error_is_listed_and_exported() -> None:
    defined = {name for name, thing in vars(errors).items() if inspect.isclass(thing) and issubclass(thing, Exception)}
    assert set(errors.__all__) == defined
    assert {error.__name__ for error in CAUGHT_AS} | {"ReactorError"} == defined
    assert defined <= set(reactor.__all__)


def test_the_tree_in_the_documentation_is_the_tree() -> None:
    assert errors.__doc__ is not None
    path: list[type] = [ReactorError]
    drawn = set()
    for line in errors.__doc__.splitlines():
        found = re.match(r"    ([│├└─ ]+)(\w+Error)(.*)", line)
        if found is None:
            continue
        indent, name, rest = found.groups()
        depth = len(indent) // 4
        error = getattr(errors, name)
        del path[depth:]
        assert path[-1] in error.__bases__, name
        path.append(error)
        also = set(re.findall(r"\w+Error", rest))
        assert also == {base.__name__ for base in error.__bases__ if base is not path[-2]}, name
        drawn.add(error)
    assert drawn == set(CAUGHT_AS)


def test_a_failed_connection_knows_its_address_and_every_attempt() -> None:
    refused, unreachable = ConnectionRefusedError(), OSError("unreachable")
    attempts: list[tuple[object, OSError]] = [(("127.0.0.1", 1), refused), (("::1", 1), unreachable)]
    error = ConnectError("nothing worked", "localhost:1", attempts)
    attempts.clear()
    assert str(error) == "nothing worked"
    assert error.address == "localhost:1"
    assert error.attempts == ((("127.0.0.1", 1), refused), (("::1", 1), unreachable))


def test_a_failed_connection_may_have_no_attempts() -> None:
    error = NameResolutionError("no such name")
    assert error.address == ""
    assert error.attempts == ()
