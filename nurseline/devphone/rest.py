"""The REST interface under /2010-04-01, as twilio-python calls it."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, current_app, g, jsonify, make_response, request

from nurseline.devphone import rest_messages, rest_shapes
from nurseline.devphone.errors import RestError
from nurseline.devphone.exchange import Exchange, exchange_of
from nurseline.devphone.faults import Fate, Kind
from nurseline.devphone.message_store import Message
from nurseline.devphone.rest_shapes import MOST_PER_PAGE
from nurseline.devphone.server import HANG_UP

blueprint = Blueprint("rest", __name__, url_prefix="/2010-04-01/Accounts/<account>")


_ALWAYS = (
    ("Twilio-Concurrent-Requests", "1"),
    ("Twilio-Request-Duration", "0.010"),
    ("X-Shenanigans", "none"),
    ("X-API-Domain", "api.twilio.com"),
    ("X-Home-Region", "us1"),
)


def exchange() -> Exchange:
    return exchange_of(current_app)


def account() -> str:
    """The one account there is; requests for another do not come this far."""
    return exchange().settings.account_sid


@blueprint.url_value_preprocessor
def _take_account(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    g.account = (values or {}).pop("account", None)


@blueprint.before_request
def _authenticate() -> None:
    """Basic auth with the account and its token; another account is not found."""
    g.began = time.perf_counter()
    settings = exchange().settings
    given = request.authorization
    user, password = (given.username or "", given.password or "") if given else ("", "")
    if not (
        hmac.compare_digest(user.encode(), settings.account_sid.encode())
        and hmac.compare_digest(password.encode(), settings.auth_token.encode())
    ):
        raise RestError(20003, "Authenticate", 401)
    if g.account != settings.account_sid:
        raise not_found()


@blueprint.errorhandler(RestError)
def _rest_error(error: RestError) -> Response:
    response = make_response(jsonify(error.body()), error.status)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return response


@blueprint.after_request
def _headers(response: Response) -> Response:
    response.headers.add("Twilio-Request-Id", "RQ" + secrets.token_hex(16))
    response.headers.extend(_ALWAYS)
    latency = exchange().faults.plan.latency
    if latency and "began" in g:
        time.sleep(max(0.0, latency - (time.perf_counter() - g.began)))
    return response


def not_found() -> RestError:
    return RestError(20404, f"The requested resource {request.path} was not found", 404)


def create(kind: Kind, accept: Callable[[Fate], Response]) -> Response:
    """A create as the client sees it: refused, accepted, or accepted without the client learning of it."""
    fate = exchange().faults.of_create(kind, request.form)
    if fate.refused == "reset":
        request.environ[HANG_UP](reset=True)
        return Response(status=204)
    if fate.refused is not None:
        raise fate.refused
    response = accept(fate)
    api_port = exchange().api_port
    if fate.away and api_port is not None:
        # Beside this request, whose own answer is still to be given.
        exchange().background.soon(lambda: api_port.leave(fate.away))
    if fate.seconds:
        time.sleep(fate.seconds)
    if fate.after == "error":
        raise RestError(20500, "An internal server error has occurred", fate.error_status)
    if fate.after == "drop":
        request.environ[HANG_UP](reset=False)
    return response


def paging(arguments: Mapping[str, str]) -> tuple[int, int, int | None]:
    """(page, size, sequence number below which the page starts).

    Raises:
        RestError: for values that are none.
    """
    try:
        number, size = int(arguments.get("Page", "0")), int(arguments.get("PageSize", "50"))
    except ValueError:
        raise RestError(20001, "Page and PageSize must be numbers") from None
    if number > 10**9:
        raise RestError(20001, "Page is too large")
    if size > MOST_PER_PAGE:
        raise RestError(20007, "Page size too large")
    if number < 0 or size < 1:
        raise RestError(20001, "Page and PageSize must be positive")
    token = arguments.get("PageToken")
    if not token:
        return number, size, None
    if not re.fullmatch(r"PA[0-9]{1,15}", token, re.ASCII):
        raise RestError(21481, "Invalid PageToken")
    return number, size, int(token[2:])


def listing(
    name: str, render: Callable[[Any], dict[str, Any]], found: list[Any], number: int, size: int
) -> Response:
    """Renders one page out of `size + 1` rows, newest first."""
    filters = [(k, v) for k, v in request.args.items() if k not in {"Page", "PageSize", "PageToken"}]
    more = len(found) > size
    shown = found[:size]
    token = f"PA{shown[-1].seq}" if more else None
    items = [render(row) for row in shown]
    return jsonify(rest_shapes.page(request.path, name, items, filters, number, size, token, number > 0))


@blueprint.post("/Messages.json")
def create_message() -> Response:
    return create("message", _accept_message)


def _accept_message(fate: Fate) -> Response:
    here = exchange()
    media = [url for url in request.form.getlist("MediaUrl") if url]
    message = rest_messages.create(request.form, media, here.texting, here.settings.number, fate.list_lag)
    if fate.early:
        here.texting.hurry(message)
    return make_response(jsonify(rest_shapes.message(message, account(), created=True)), 201)


@blueprint.get("/Messages.json")
def list_messages() -> Response:
    number, size, below = paging(request.args)
    where, values = rest_messages.conditions(request.args)
    if below is not None:
        where.append("seq < ?")
        values.append(below)
    found = exchange().texting.store.select(where, values, "seq DESC", size + 1)
    return listing("messages", lambda row: rest_shapes.message(row, account()), found, number, size)


def _message(sid: str) -> Message:
    found = exchange().texting.store.get(sid)
    if found is None:
        raise not_found()
    return found


@blueprint.get("/Messages/<sid>.json")
def fetch_message(sid: str) -> Response:
    return jsonify(rest_shapes.message(_message(sid), account()))


@blueprint.post("/Messages/<sid>.json")
def update_message(sid: str) -> Response:
    changed = rest_messages.update(request.form, _message(sid), exchange().texting)
    return jsonify(rest_shapes.message(changed, account()))


@blueprint.delete("/Messages/<sid>.json")
def delete_message(sid: str) -> Response:
    exchange().texting.store.remove(_message(sid).sid)
    return Response(status=204)


@blueprint.get("/Messages/<sid>/Media.json")
def list_media(sid: str) -> Response:
    rows = exchange().texting.store.media(_message(sid).sid)
    items = [rest_shapes.media(row, account()) for row in rows]
    return jsonify(rest_shapes.page(request.path, "media_list", items, [], 0, 50, None, False))


@blueprint.get("/Messages/<parent>/Media/<sid>.json")
def fetch_media(parent: str, sid: str) -> Response:
    return jsonify(rest_shapes.media(_media(parent, sid), account()))


@blueprint.get("/Messages/<parent>/Media/<sid>")
def media_file(parent: str, sid: str) -> Response:
    row = _media(parent, sid)
    return Response(row["data"], mimetype=row["content_type"])


def _media(parent: str, sid: str) -> Any:
    for row in exchange().texting.store.media(_message(parent).sid):
        if row["sid"] == sid:
            return row
    raise not_found()
