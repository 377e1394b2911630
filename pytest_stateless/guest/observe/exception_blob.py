"""Exceptions as bytes, to be raised again in the test's process.

A blob holds the exception itself, pickled with its traceback, if it survives pickling, and in
any case a description in plain values. From the description comes a stand-in: a class of the
same name and module, derived from the nearest builtin class, that says the same. The stand-in is
also taken where the exception's module is not loaded by the receiver: nothing there can name the
class then, and importing it would run the app's code in the wrong process.
"""

from __future__ import annotations

import builtins
import io
import pickle
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

_MAX_CHAIN = 10


def pickle_exception(error: BaseException) -> bytes:
    """Encode an exception.

    Args:
        error: The exception with its traceback, causes and notes.

    Returns:
        The blob.
    """
    return pickle.dumps({"pickled": _pickled(error), "described": _described(error, _MAX_CHAIN)})


def unpickle_exception(blob: bytes) -> BaseException:
    """Decode an exception.

    Args:
        blob: What `pickle_exception` made.

    Returns:
        The exception, or its stand-in, with its traceback.
    """
    content = pickle.loads(blob)  # noqa: S301 (both ends are ours)
    if content["pickled"]:
        try:
            loaded = _LoadedOnly(io.BytesIO(content["pickled"])).load()
        except Exception:  # noqa: BLE001 (a __setstate__ of the app's may do anything)
            loaded = None
        if isinstance(loaded, BaseException):
            return loaded
    return _stand_in(content["described"])


class _LoadedOnly(pickle.Unpickler):  # noqa: S301 (both ends are ours)
    """Finds classes in modules that are loaded, in the standard library and in tblib."""

    def find_class(self, module_name: str, global_name: str) -> Any:  # noqa: ANN401 (as typed there)
        """Find a class, importing no one else's module.

        Args:
            module_name: Where it is defined.
            global_name: Its name there.

        Returns:
            The class.

        Raises:
            UnpicklingError: Its module is not loaded.
        """
        top = module_name.partition(".")[0]
        if module_name not in sys.modules and top not in {*sys.stdlib_module_names, "tblib"}:
            raise pickle.UnpicklingError(f"{module_name} is not loaded")
        return super().find_class(module_name, global_name)


def _pickled(error: BaseException) -> bytes:
    """Pickle an exception, and prove that it comes out again as it went in."""
    from tblib import pickling_support  # noqa: PLC0415 (only where exceptions travel)

    try:
        pickling_support.install(error)
        blob = pickle.dumps(error)
        again = pickle.loads(blob)  # noqa: S301 (our own bytes)
        is_faithful = type(again) is type(error) and str(again) == str(error)
    except Exception:  # noqa: BLE001 (a __reduce__ of the app's may do anything)
        return b""
    return blob if is_faithful else b""


def _described(error: BaseException | None, depth: int) -> dict[str, Any] | None:
    if error is None or depth == 0:
        return None
    kind = type(error)
    return {
        "name": kind.__name__,
        "qualname": kind.__qualname__,
        "module": kind.__module__,
        "bases": [base.__name__ for base in kind.__mro__ if base.__module__ == "builtins"],
        "text": _text_of(error),
        "notes": [str(note) for note in getattr(error, "__notes__", ())],
        "traceback": _traceback_of(error.__traceback__),
        "cause": _described(error.__cause__, depth - 1),
        "context": _described(error.__context__, depth - 1),
        "is_suppressed": error.__suppress_context__,
    }


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001 (a __str__ of the app's may do anything)
        return f"<str() raised {type(failure).__name__}>"


def _traceback_of(traceback: TracebackType | None) -> dict[str, Any] | None:
    if traceback is None:
        return None
    import tblib  # noqa: PLC0415 (only where exceptions travel)

    described: dict[str, Any] = tblib.Traceback(traceback).as_dict()
    return described


def _stand_in(described: dict[str, Any]) -> BaseException:
    text = described["text"]
    names = {
        "__module__": described["module"],
        "__qualname__": described["qualname"],
        "__doc__": "A stand-in for an exception of an instance that could not be pickled.",
        "__str__": lambda _self: text,
    }
    base = _base_of(described["bases"])
    kind: type[BaseException] = type(described["name"], (base,), names)
    error = kind.__new__(kind, text)
    error.args = (text,)
    for note in described["notes"]:
        error.add_note(note)
    if described["cause"]:
        error.__cause__ = _stand_in(described["cause"])
    if described["context"]:
        error.__context__ = _stand_in(described["context"])
    error.__suppress_context__ = described["is_suppressed"]
    if described["traceback"]:
        import tblib  # noqa: PLC0415 (only where exceptions travel)

        error.__traceback__ = tblib.Traceback.from_dict(described["traceback"]).as_traceback()
    return error


def _base_of(names: list[str]) -> type[BaseException]:
    """Choose the nearest builtin class; a group needs its members, so it is none."""
    for name in names:
        base: object = getattr(builtins, name, None)
        if not isinstance(base, type) or not issubclass(base, BaseException):
            continue
        if not issubclass(base, BaseExceptionGroup):
            return base
    return Exception
