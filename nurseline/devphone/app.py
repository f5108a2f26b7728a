"""The stand-in as a WSGI application, and the server it runs in."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from nurseline.devphone import control, rest

# These add the paths of calls to the blueprints of `control` and `rest`.
from nurseline.devphone import control_calls as _control_calls  # noqa: F401
from nurseline.devphone import control_runs as _control_runs  # noqa: F401
from nurseline.devphone import rest_calls as _rest_calls  # noqa: F401
from nurseline.devphone.api_port import ApiPort
from nurseline.devphone.errors import RestError
from nurseline.devphone.exchange import Exchange, exchange_of
from nurseline.devphone.server import Server
from nurseline.devphone.settings import HOST

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def create_app(exchange: Exchange) -> Flask:
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 8 * 1024 * 1024
    app.config["MAX_FORM_MEMORY_SIZE"] = 1024 * 1024
    app.extensions["devphone"] = exchange
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.before_request(_only_from_here)
    app.after_request(_guard)
    for blueprint in (rest.blueprint, control.blueprint):
        app.register_blueprint(blueprint)
    app.add_url_rule("/", "page", _page)
    app.add_url_rule("/healthz", "healthz", _healthz)
    app.add_url_rule("/phone/media/<sid>", "media", _media)
    app.register_error_handler(HTTPException, _http_error)
    return app


def _only_from_here() -> tuple[Response, int] | None:
    """Other sites in the same browser may neither read nor press anything (rebinding, forged requests)."""
    try:
        host = urlsplit(f"//{request.host}").hostname
    except ValueError:
        host = None
    if host not in _LOOPBACK:
        return jsonify(error="The phone only answers at a loopback address."), 403
    origin = request.headers.get("Origin")
    if origin is not None and not hmac.compare_digest(origin, f"http://{request.host}"):
        return jsonify(error="The phone does not take requests from other sites."), 403
    if request.headers.get("Sec-Fetch-Site") == "cross-site" and request.path != "/":
        return jsonify(error="The phone does not take requests from other sites."), 403
    return None


def _guard(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _page() -> str:
    exchange = exchange_of_request()
    return render_template(
        "phone.html",
        number=exchange.settings.number,
        handset=control.DEFAULT_HANDSET,
        line=exchange.settings.line_url,
    )


def exchange_of_request() -> Exchange:
    return control.exchange()


def _healthz() -> Response:
    return jsonify(status="ok")


def _media(sid: str) -> Response:
    """Media of a text for the page, which has no account to ask the REST interface with."""
    rows = exchange_of_request().ledger.rows("SELECT content_type, data FROM media WHERE sid = ?", [sid])
    if not rows:
        return Response("There is no such picture.", 404, mimetype="text/plain")
    shown = (
        rows[0]["content_type"]
        if rows[0]["content_type"].startswith("image/")
        else "application/octet-stream"
    )
    return Response(rows[0]["data"], mimetype="application/octet-stream" if "svg" in shown else shown)


def _http_error(error: HTTPException) -> tuple[Response, int]:
    """JSON in the words of whoever is asked."""
    status = error.code or 500
    if request.path.startswith("/2010-04-01"):
        known = {404: rest.not_found(), 405: RestError(20004, "Method not allowed", 405)}
        shown = known.get(status) or RestError(20001 if status < 500 else 20500, error.name, status)
        return jsonify(shown.body()), status
    if status in {404, 405}:
        return jsonify(error=f"{request.method} {request.path} is nothing the phone can do."), status
    return jsonify(error=error.description or error.name), status


def make(exchange: Exchange, port: int) -> Server:
    """A threaded server on loopback; port 0 takes a free one, which the exchange then knows."""
    application = create_app(exchange)
    server = Server(HOST, port, application)
    exchange.port = server.server_port
    if exchange.settings.api_port is not None:
        later = exchange.background.later
        exchange.api_port = ApiPort(HOST, exchange.settings.api_port, application, later)
    return server


__all__ = ["create_app", "exchange_of", "make"]
