"""Who does the heavy steps of the work: this process, or others. Shaped like an executor of concurrent.futures."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, Protocol, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Engine(Protocol):
    """Does steps. A step is a coroutine function of a module, so that it can be named on another machine.

    Its first argument is what it works with (`Ingest` or `Packaging`): whoever does the step has one of its own. All
    other arguments, and the result, are plain values.
    """

    def submit(
        self, step: Callable[Given, Coroutine[Any, Any, Result]], /, *args: Given.args, **kwargs: Given.kwargs
    ) -> Awaitable[Result]:
        """What the step returns or raises. Cancelling the wait cancels the step."""
        ...


class InProcess:
    """`--engine local`: the caller's own process and loop."""

    def submit(
        self, step: Callable[Given, Coroutine[Any, Any, Result]], /, *args: Given.args, **kwargs: Given.kwargs
    ) -> Awaitable[Result]:
        """The step itself, done when it is awaited."""
        return step(*args, **kwargs)
