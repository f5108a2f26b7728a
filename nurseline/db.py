"""The database: one engine per process, explicit sessions, and the column types all rooms share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection, Dialect, Engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from nurseline.crypto import Keyring, UndecryptableError

MIGRATIONS = Path(__file__).parent / "migrations"
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 15
LOCK_SECONDS = 4
IDLE_SECONDS = 60
# What may come of the contents of one row. Anything else, such as a time limit, is not the row's fault.
OF_A_ROW = (ValueError, LookupError, TypeError, AttributeError, SQLAlchemyError)


class Base(DeclarativeBase):
    """Parent of every table's class."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Refuses naive values, always gives UTC back."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value is not None else None


class Unreadable(str):
    """Stands on a page for a text that no key opens. `Encrypted` refuses to store it."""

    __slots__ = ()


UNREADABLE = Unreadable("[cannot be read]")  # in brackets: nobody's own words
_told: ContextVar[Callable[[Exception], None] | None] = ContextVar("_told", default=None)


@contextmanager
def shown(tell: Callable[[Exception], None]) -> Iterator[None]:
    """Around what only shows rows: a text that no key opens is `UNREADABLE` there, and ``tell`` hears so.

    What sends, calls or looks a number up stays outside: there such a text is an error.
    """
    before = _told.set(tell)
    try:
        yield
    finally:
        _told.reset(before)


class Encrypted(TypeDecorator[str]):
    """Text at rest under the engine's keyring. Cannot be searched or sorted by.

    Raises UndecryptableError for what no key opens, but for rows that are `shown`.
    """

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        if isinstance(value, Unreadable):
            raise TypeError("what cannot be read must not take the place of what is stored")
        return None if value is None else _keyring(dialect).encrypt(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        try:
            return None if value is None else _keyring(dialect).decrypt(value)
        except UndecryptableError as error:
            if (tell := _told.get()) is None:
                raise
            tell(error)
            return UNREADABLE


class EncryptedBytes(TypeDecorator[bytes]):
    """Bytes at rest under the engine's keyring, such as a recording."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return None if value is None else _keyring(dialect).encrypt_bytes(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return None if value is None else _keyring(dialect).decrypt_bytes(value)


def _keyring(dialect: Dialect) -> Keyring:
    keyring = getattr(dialect, "nurseline_keyring", None)
    if not isinstance(keyring, Keyring):
        raise TypeError("this engine was not made by Database")
    return keyring


def psycopg_url(url: str) -> str:
    """``postgres://`` and ``postgresql://`` as the psycopg 3 address that SQLAlchemy wants."""
    for prefix in ("postgresql+psycopg://", "postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    raise ValueError("DATABASE_URL must be a postgresql:// address")


class Held:
    """Transactions of one thread, one after another over a connection that is not tested before each.

    After any error the next one gets a new connection.
    """

    def __init__(self, engine: Engine, sessions: sessionmaker[Session]) -> None:
        self._engine = engine
        self._sessions = sessions
        self._connection: Connection | None = None

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Like `Database.begin`."""
        connection, self._connection = self._connection or self._engine.connect(), None
        try:
            with self._sessions(bind=connection) as session, session.begin():
                yield session
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        self._connection = connection

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Database:
    """Engine and sessions of one process. Made lazily: nothing connects before the first use."""

    def __init__(self, url: str, keyring: Keyring, *, pool_size: int = 5) -> None:
        self.url = psycopg_url(url)
        self.keyring = keyring
        self.engine: Engine = sa.create_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=5,
            pool_pre_ping=True,
            hide_parameters=True,  # an error message must not carry numbers or words of patients
            connect_args={
                "connect_timeout": CONNECT_SECONDS,
                "options": f"-c timezone=UTC -c statement_timeout={STATEMENT_SECONDS}s"
                f" -c lock_timeout={LOCK_SECONDS}s"
                # A host that vanishes in a transaction must not keep its locks: a STOP waits for them.
                f" -c idle_in_transaction_session_timeout={IDLE_SECONDS}s"
                " -c tcp_keepalives_idle=20 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
            },
        )
        setattr(self.engine.dialect, "nurseline_keyring", keyring)  # noqa: B010 - not an attribute mypy knows
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A session in one transaction: committed at the end of the block, rolled back on an error."""
        with self._sessions.begin() as session:
            yield session

    def hold(self) -> Held:
        """Transactions one after another over one connection. Close it."""
        return Held(self.engine, self._sessions)

    def session(self) -> Session:
        """A session whose transactions the caller ends."""
        return self._sessions()

    def after_commit(self, tell: Callable[[Session], None]) -> None:
        """Call ``tell`` after each commit, of a savepoint, too. It must neither wait nor raise."""
        sa.event.listen(self._sessions, "after_commit", tell)

    def after_fork(self) -> None:
        """Forget the parent's connections without closing them. Call first thing in a forked child."""
        self.engine.dispose(close=False)


def away(error: DBAPIError) -> bool:
    """Whether the database itself could not be reached, or is going down: the same may work later."""
    state = getattr(error.orig, "sqlstate", None)
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    # Classes of PostgreSQL's error codes: connection, resources, shutdown.
    return state is None or state.startswith(("08", "53", "57P"))


def locked(error: DBAPIError) -> bool:
    """Whether somebody else held for too long what was to be changed: the same may work in a moment."""
    return getattr(error.orig, "sqlstate", None) in {"55P03", "40P01"}  # a lock timed out; a deadlock


def held_up(error: DBAPIError) -> bool:
    """Whether a statement only took too long, most likely behind a lock: `locked`, or its time ran out."""
    return locked(error) or getattr(error.orig, "sqlstate", None) == "57014"


@contextmanager
def apart(tell: Callable[[Exception], None]) -> Iterator[None]:
    """Around what is done for one row of many: if no key opens it, ``tell`` hears so and the others go on.

    The same for whatever else may come of one row. A database that is away is raised.
    """
    try:
        yield
    except OF_A_ROW as error:
        if isinstance(error, DBAPIError) and away(error):
            raise
        tell(error)


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the schema to ``revision``. Safe to run from several hosts at once (advisory lock)."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = make_url(psycopg_url(url))
    command.upgrade(config, revision)
