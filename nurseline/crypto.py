"""Fields at rest: encryption with rotating keys, and a keyed hash for looking a number up.

The hash key is derived from the *last* key of the list, so that adding a new first key (rotation)
does not make stored hashes unfindable. Drop an old key only after re-encrypting what it wrote.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

KEY_BYTES = 32


class BadKeyError(ValueError):
    """A key is missing or is not 32 bytes of URL-safe base64."""


class UndecryptableError(ValueError):
    """A stored field was written with a key that is no longer in NURSELINE_KEYS."""


def new_key() -> str:
    """A fresh random key in the form that NURSELINE_KEYS takes."""
    return Fernet.generate_key().decode()


def _raw(key: str) -> bytes:
    try:
        raw = base64.b64decode(key.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadKeyError("a key is not base64") from error
    if len(raw) != KEY_BYTES:
        raise BadKeyError(f"a key has {len(raw)} bytes, {KEY_BYTES} are needed")
    return raw


class Keyring:
    """Encrypts with the first key, decrypts with any, hashes with one derived from the last."""

    def __init__(self, keys: Sequence[str]) -> None:
        """``keys``: base64 of 32 bytes each, newest first. Raises BadKeyError if none or malformed."""
        if not keys:
            raise BadKeyError("NURSELINE_KEYS holds no key")
        raw = [_raw(key) for key in keys]
        self._box = MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in raw])
        self._hash_key = hmac.new(raw[-1], b"nurseline number look-up", hashlib.sha256).digest()

    def encrypt(self, text: str) -> bytes:
        """Ciphertext of ``text`` (authenticated, time-stamped)."""
        return self.encrypt_bytes(text.encode("utf-8", "surrogatepass"))

    def decrypt(self, token: bytes) -> str:
        """The text again. Raises UndecryptableError if no key fits."""
        return self.decrypt_bytes(token).decode("utf-8", "surrogatepass")

    def encrypt_bytes(self, plain: bytes) -> bytes:
        """Ciphertext of bytes, such as a recording."""
        return self._box.encrypt(plain)

    def decrypt_bytes(self, token: bytes) -> bytes:
        """The bytes again. Raises UndecryptableError if no key fits."""
        try:
            return self._box.decrypt(bytes(token))
        except InvalidToken as error:
            raise UndecryptableError("a stored field fits none of the keys in NURSELINE_KEYS") from error

    def number_hash(self, e164: str) -> str:
        """A stable keyed hash of a phone number: 64 hex digits, useless without the key."""
        return hmac.new(self._hash_key, e164.encode(), hashlib.sha256).hexdigest()
