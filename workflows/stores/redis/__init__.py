"""The Redis adapter: Redis >= 6.2 or Valkey, one Lua script per operation."""

from workflows.stores.redis.store import RedisStore

__all__ = ["RedisStore"]
