"""What can be wrong with a request to the stand-in."""

from __future__ import annotations


class BadInput(ValueError):  # noqa: N818 - said to people
    """A request to the phone's own control interface that cannot be carried out; says why in one sentence."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


class RestError(Exception):
    """An error of the REST interface, as Twilio words it: code, message, more_info, status."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

    def body(self) -> dict[str, object]:
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
