"""Files that staff hand in: larger than a form may be, and never on a disk before they are encrypted."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, Any, TypeVar

from flask import Flask, Request, current_app, request

View = TypeVar("View", bound=Callable[..., Any])
WITH_FORM = 2  # a request may be so many times its file: what is too large is then told in words


class MemoryRequest(Request):
    """A request whose files stay in memory. A view's own limit keeps them small."""

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002 - Werkzeug names the arguments
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
        content_length: int | None = None,  # noqa: ARG002
    ) -> IO[bytes]:
        return io.BytesIO()


def takes_file(most_bytes: int) -> Callable[[View], View]:
    """Mark a view that takes a file of up to ``most_bytes``."""

    def mark(view: View) -> View:
        view.most_bytes = most_bytes  # type: ignore[attr-defined]
        return view

    return mark


def install(app: Flask) -> None:
    """Let the marked views of ``app`` take what they are marked for."""
    app.request_class = MemoryRequest
    app.before_request(_raise_limit)


def _raise_limit() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    most = getattr(view, "most_bytes", None)
    if most is not None:
        request.max_content_length = most * WITH_FORM
        request.max_form_memory_size = most * WITH_FORM  # counts what is read of a file, too
