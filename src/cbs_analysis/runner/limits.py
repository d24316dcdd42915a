"""What a notebook may take of the machine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Seconds for the whole notebook, and bytes of memory that its kernel may write to (None for no limit)."""

    seconds: int = 300
    memory: int | None = 2 * 1024**3
