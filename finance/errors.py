"""The kinds of failure this software names. No HTTP here: `edge/problems.py` turns a kind into a status.

A case of its own is a subclass beside the function that raises it (`class PaymentAlreadyVoided(Conflict)`);
its wire code is the class name in snake case.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from finance.said import said

_WORD = re.compile(r"[A-Za-z][A-Za-z._-]{0,39}", re.ASCII)


ErrorT = TypeVar("ErrorT", bound=Exception)


def wire_code(kind: type[Exception]) -> str:
    """Return the code a kind of failure has on the wire: PaymentAlreadyVoided is payment_already_voided."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field of a body (`pointer`, RFC 6901) or one query parameter (`parameter`)."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None

    def as_json(self) -> dict[str, str]:
        where = {"parameter": self.parameter} if self.parameter is not None else {"pointer": self.pointer or ""}
        return {**where, "detail": self.detail}


class FinanceError(Exception):
    """The root of every named failure. `extra` members are shown beside the standard ones of a problem.

    `extra_members` names them for the OpenAPI document, with what each says; all are texts.
    """

    detail_default: str = said("The request could not be carried out.")
    extra_members: Mapping[str, str] = {}

    def __init__(
        self, detail: str | None = None, *, errors: Iterable[FieldError] = (), extra: Mapping[str, Any] | None = None
    ) -> None:
        self.detail = detail or self.detail_default
        self.errors = list(errors)
        self.extra = dict(extra or {})
        super().__init__(self.detail)

    @property
    def code(self) -> str:
        return wire_code(type(self))


class Invalid(FinanceError):
    """Understood and refused: a value is not one we can take."""

    detail_default = said("Some values can't be accepted; see errors.")

    @classmethod
    def field(cls, name: str, detail: str) -> "Invalid":
        """Return the refusal of one top-level body field."""
        return cls(said("{name}: {detail}", name=name, detail=detail), errors=[FieldError(detail, pointer=f"/{name}")])

    @classmethod
    def parameter(cls, name: str, detail: str) -> "Invalid":
        """Return the refusal of one query parameter."""
        return cls(said("{name}: {detail}", name=name, detail=detail), errors=[FieldError(detail, parameter=name)])


class NotParseable(FinanceError):
    """Nothing that can be read, or something that two readers could understand differently."""


class RequestTimeout(FinanceError):
    """Announced, and not sent in time."""

    detail_default = said("The whole of the body did not arrive in time. Nothing was stored; send it again.")


class NotFound(FinanceError):
    """No such thing, or none that this tenant may know of."""

    detail_default = said("There is nothing here.")
    # "a payment number such as PAY20260001", where things are asked for by a number; and how all of them look.
    named_like: str = ""
    named_shape: re.Pattern[str] | None = None

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the failure of finding what is asked for by `name`; a word in the place of a number is told so.

        Only plain words are repeated: whatever has a digit may be an account number.
        """
        if cls.named_like and _WORD.fullmatch(name):
            return cls(said("'{name}' is not {named_like}.", name=name, named_like=cls.named_like))
        if cls.named_shape and not cls.named_shape.fullmatch(name):
            return cls(said("This is not {named_like}.", named_like=cls.named_like))
        return cls()


class Conflict(FinanceError):
    """The thing is not in a state in which this can be done."""

    detail_default = said("The current state does not allow this.")


class PreconditionFailed(FinanceError):
    """The thing isn't in a state that the caller asked for (If-Match, If-None-Match)."""

    detail_default = said(
        "This was changed since you read it, and nothing was stored. Read it again; where your "
        "change is still right, send it with the new ETag."
    )


class Unauthenticated(FinanceError):
    """Nobody we know, or no longer (`was_known`: the key was revoked or has ended); who asks isn't told which."""

    detail_default = said("Send a valid API key in the header 'Authorization: Bearer <key>'.")

    def __init__(self, detail: str | None = None, *, was_known: bool = False) -> None:
        super().__init__(detail)
        self.was_known = was_known


class Forbidden(FinanceError):
    """Somebody we know, who may not do this."""

    detail_default = said("This API key's role does not allow this.")


class TooManyRequests(FinanceError):
    """Too often, or too many at once. `retry_after_s` says when another try is worth it."""

    detail_default = said("Too many requests. Wait for the seconds in Retry-After, then send this again.")

    def __init__(self, detail: str | None = None, *, retry_after_s: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Unavailable(FinanceError):
    """Not now. The detail always says whether a retry is safe."""

    detail_default = said("The service can't answer now. Try again shortly.")
    retry_after_s = 1


class TooBusy(Unavailable):
    """More requests wait than can be answered in time. Nothing was stored."""

    detail_default = said("Too many requests are waiting. Nothing was stored; a retry is safe.")


def own(error: ErrorT) -> ErrorT:
    """Return the failure as an instance of one request's own: it is raised there, and gets its traceback."""
    its_own = copy.copy(error)
    its_own.__cause__ = error.__cause__
    return its_own
