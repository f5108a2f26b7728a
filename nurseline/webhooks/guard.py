"""What stands before every webhook: the signature, the form, and an answer even when something breaks."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import structlog
from flask import Response, request

from nurseline.parts import current_parts
from nurseline.webhooks.forms import BadFormError
from nurseline.webhooks.last_resort import unreachable_document

log = structlog.get_logger(__name__)

View = Callable[..., str]
Fallback = Callable[[], str | None]
XML = "text/xml; charset=utf-8"
EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


def answer(document: str, status: int = 200) -> Response:
    """A TwiML answer."""
    return Response(document, status=status, content_type=XML)


def webhook(fallback: Fallback | None) -> Callable[[View], Callable[..., Response]]:
    """Turn a function that gives TwiML into a view that only the carrier can call.

    403 without a valid signature, 400 for a form that cannot be told apart. If the function breaks,
    ``fallback`` gives the document: a patient never meets an error page. Without a document (status
    reports, opt-outs) the answer is 503, so that the carrier tries again.
    """

    def wrap(view: View) -> Callable[..., Response]:
        @wraps(view)
        def guarded(**path: object) -> Response:
            if not _signed():
                log.warning("webhook.unsigned", path=request.path)
                return answer(EMPTY, 403)
            try:
                return answer(view(**path))
            except BadFormError as error:
                log.warning("webhook.bad_form", path=request.path, field=str(error))
                return answer(EMPTY, 400)
            except Exception as error:
                # only the kind and place: an exception's text may hold numbers or words
                log.error(
                    "webhook.failed", path=request.path, error=type(error).__name__, where=_where(error)
                )
                document = fallback() if fallback else None
                return answer(EMPTY, 503) if document is None else answer(document)

        return guarded

    return wrap


def voice_in_twiml(response: Response) -> Response:
    """Let also what never reached a view of a call be answered in TwiML: too long, no such address."""
    of_a_call = request.path == "/voice" or request.path.startswith("/voice/")
    if of_a_call and response.status_code in {404, 405, 413} and response.mimetype == "text/html":
        response.set_data(unreachable_document())
        response.content_type = XML
    return response


def _signed() -> bool:
    query = request.query_string.decode("ascii", "replace")
    signature = request.headers.get("X-Twilio-Signature", "")
    return current_parts().signature.passes(request.path, query, request.form, signature)


def _where(error: Exception) -> str:
    trace = error.__traceback__
    place = "unknown"
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
