"""What every route of ours shares: who may call, how errors answer, what happens once.

The superuser check is a dependency of the router, once, not of each handler. Errors answer
`{detail, code, hint}`; a body that does not validate says which field and why.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import wraps
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, Header
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from lnbits.core.models.users import AccessTokenPayload, Account
from lnbits.db import Filter, FilterModel, Filters
from lnbits.decorators import check_super_user, optional_acl_token_payload, parse_filters
from loguru import logger
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import Response

from .. import crud
from ..database_errors import typed
from ..domain.money import INT64_MAX
from ..errors import ApiTokenRefused, BadInput, Disposition, SatMachineError
from ..origin import came_from
from ..services import gates, idempotency
from ..services.doorbell import doorbell

PAGING = ("limit", "offset", "sortby", "direction")
COOKIE = "cookie_access_token"  # what LNbits' own page logs in with
ALWAYS_KNOWN = ("search", "usr", "api-key")  # the last two are LNbits' own, for every route
SHOWN_MAX = 60  # of what was sent, in an answer
KEY_MAX = 255  # the common limit for such keys; ours are kept for ever


class AnsweringRoute(APIRoute):
    """A route whose errors are ours: a sentence, a stable code, the next step."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answering(request: Request) -> Response:
            came_from.set(origin_of(request))
            try:
                answer = await handler(request)
                if any(dependency is changes for dependency in self.dependencies):
                    doorbell.ring()  # other windows of the operator show it, too
                return answer
            except SatMachineError as exc:
                return await told(exc)
            except DBAPIError as exc:
                logger.error(f"event=database_error {exc!s}")
                return await told(typed(exc))
            except RequestValidationError as exc:
                return JSONResponse(validation_answer(exc), status_code=422)
            except (ValueError, AssertionError) as exc:
                # LNbits answers these 400 with their text; in our code they are a bug.
                raise RuntimeError(f"unexpected {type(exc).__name__}") from exc

        return answering


def origin_of(request: Request) -> str:
    """From where a request comes, as the audit trail says it: how they logged in, and from where.

    The address is the one LNbits sees; behind a proxy that is the proxy's, unless uvicorn is told
    to trust its headers.
    """
    way = "page" if COOKIE in request.cookies else "api"
    return f"{way} {request.client.host if request.client else 'unknown'}"


async def told(error: SatMachineError) -> JSONResponse:
    """The answer; a broken invariant stops money work, whoever met it."""
    if error.disposition is Disposition.HALT:
        logger.critical(f"event=invariant_broken code={error.code} {error.message}")
        try:
            await gates.halt(error)
        except SatMachineError as exc:
            logger.critical(f"event=not_stopped reason={exc.message}")
    return JSONResponse(error.answer(), status_code=error.http_status)


def validation_answer(exc: RequestValidationError) -> dict[str, Any]:
    """Which fields are wrong and why; never what was sent."""
    errors = [
        {"field": ".".join(str(x) for x in e["loc"] if x != "body"), "message": str(e["msg"])}
        for e in exc.errors()
    ]
    sentence = "; ".join(
        f"{e['field']}: {e['message']}" if e["field"] else e["message"] for e in errors
    )
    return {
        "detail": sentence,
        "code": BadInput.code,
        "hint": "Correct the named fields; nothing was changed.",
        "errors": errors,
    }


def page_filters(
    model: type[FilterModel], readable: Collection[str] = (), *, paging: bool = True
) -> Callable[..., Filters[Any]]:
    """LNbits' own filter parameters; an unknown or malformed one is refused in our words.

    A filter that is not understood and left out would show a list that is too long and say nothing.
    `readable`: names that the route itself reads, in place of a column's own equality.
    """
    parse = parse_filters(model)

    @wraps(parse)
    def dependency(**given: Any) -> Filters[Any]:
        try:
            filters: Filters[Any] = parse(**given)
        except ValueError as exc:
            raise BadInput(
                "The list cannot be ordered like this", hint="Use one of the documented fields."
            ) from exc
        known = {*readable, *ALWAYS_KNOWN, *(PAGING if paging else ())}
        filters.filters = _column_filters(given["request"], model, known)
        values = [x for f in filters.filters for x in (f.values or {}).values()]
        values += [filters.limit, filters.offset]
        if any(isinstance(x, int) and abs(x) > INT64_MAX for x in values):
            raise BadInput("A number in the query is too large", hint="Use a smaller number.")
        return filters

    return dependency


def _column_filters(
    request: Request, model: type[FilterModel], known: Collection[str]
) -> list[Filter[Any]]:
    query, found = request.query_params, []
    for number, key in enumerate(query.keys()):
        if key in known:
            continue
        try:
            found.append(Filter.parse_query(key, query.getlist(key), model, number))
        except ValueError as exc:
            raise BadInput(
                f"This list has no filter '{key[:SHOWN_MAX]}' with such a value",
                hint="Use the documented filters, with values of their kind.",
            ) from exc
    return found


async def refuse_api_token(
    request: Request,
    token: Annotated[AccessTokenPayload | None, Depends(optional_acl_token_payload)],
) -> None:
    """A scoped API token reads; it changes nothing unless the operator allowed it."""
    if token is None:
        return
    if not (await crud.get_settings()).api_tokens_may_move_money:
        raise ApiTokenRefused("This API token may read, not change anything here")
    came_from.set(f"token of {origin_of(request)}")


async def actor_id(account: Annotated[Account, Depends(check_super_user)]) -> str:
    """The superuser's account id, as the audit trail names them."""
    return str(account.id)


Actor = Annotated[str, Depends(actor_id)]
IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", min_length=1, max_length=KEY_MAX)
]
changes = Depends(refuse_api_token)


async def once(key: str | None, request: Request, run: Callable[[], Awaitable[Any]]) -> Any:
    """Run a request that moves money, once per Idempotency-Key.

    The same key and content get the first answer again; other content is refused (409).
    """
    if key is None:
        return await run()
    content = b"\n".join(
        [request.method.encode(), str(request.url.path).encode(), await request.body()]
    )
    return await idempotency.once(key, sha256(content).hexdigest(), run)
