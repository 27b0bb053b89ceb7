"""What an operator can turn. The defaults are good habits; experiments show what others cost."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Times in seconds. `cache_timeout` None: somebody forgot it."""

    database: str
    cache: str
    cache_timeout: float | None
    database_timeout: float
    breaker_rest: float
    pool_size: int

    @classmethod
    def from_environment(cls, database: str, cache: str) -> "Settings":
        timeout = os.environ.get("SHOP_CACHE_TIMEOUT", "0.05")
        return cls(
            database=database,
            cache=cache,
            cache_timeout=None if timeout == "none" else float(timeout),
            database_timeout=float(os.environ.get("SHOP_DATABASE_TIMEOUT", "0.8")),
            breaker_rest=float(os.environ.get("SHOP_BREAKER_REST", "0.5")),
            pool_size=int(os.environ.get("SHOP_POOL_SIZE", "16")),
        )
