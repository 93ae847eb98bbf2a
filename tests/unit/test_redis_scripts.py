"""The Lua scripts are whole: headers, parts, and nothing newer than Redis 6.2."""

import re
from importlib.resources import files

import pytest

from workflows.stores.redis.scripts import glob, source

FOLDER = files("workflows.stores.redis") / "scripts"
SCRIPTS = sorted(f.name[:-4] for f in FOLDER.iterdir() if f.name.endswith(".lua"))
PARTS = sorted(f.name[:-4] for f in (FOLDER / "lib").iterdir())
ALL_OF_REDIS_6_2 = """
DEL EXISTS EXPIRE GET HDEL HEXISTS HGET HGETALL HINCRBY HKEYS HLEN HMGET HSET HSETNX
INCR INCRBY LLEN LRANGE LTRIM PEXPIRE RPUSH SADD SCARD SET SISMEMBER SMEMBERS SREM TIME
UNLINK ZADD ZCARD ZCOUNT ZRANGE ZRANGEBYSCORE ZREM ZREMRANGEBYRANK ZREMRANGEBYSCORE
ZREVRANGE ZSCORE
"""


OWN = (  # a local, a loop variable or a parameter of this name
    r"local[^\n=]*\b{0}\b|for[^\n]*\b{0}\b[^\n]* in|function[^\n(]*\([^)\n]*\b{0}\b"
)


def text(name: str) -> str:
    return (FOLDER / f"{name}.lua").read_text()


def code(lua: str) -> str:
    """Lua without comments and strings."""
    return re.sub(r"--[^\n]*", "", re.sub(r"'[^'\n]*'", "''", lua))


def needs(lua: str) -> list[str]:
    """The parts that a script names, those that only runs need last."""
    lines = re.findall(r"^-- (?:needs|runs): (.+)$", lua, re.MULTILINE)
    return " ".join(lines).split()


def defined(lua: str) -> set[str]:
    """The names that a part offers to what comes after it."""
    names = re.findall(
        r"^local (?:function )?([\w, ]+?)\s*(?:=|\(|$)", lua, re.MULTILINE
    )
    return {name.strip() for line in names for name in line.split(",")}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_what_it_takes_and_returns(name: str) -> None:
    header = text(name).split("\n\n", 1)[0]
    assert header.startswith(f"-- {name}: ")
    assert re.search(r"^-- ARGV +now", header, re.MULTILINE)
    assert re.search(r"^-- Reply +\S", header, re.MULTILINE)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_names_every_part_that_it_uses(name: str) -> None:
    offered = {offer: part for part in PARTS for offer in defined(text(f"lib/{part}"))}
    before: list[str] = []
    for part in [*needs(text(name)), ""]:
        body = code(text(f"lib/{part}" if part else name))
        for word in set(re.findall(r"(?<![\w.:'])([A-Za-z_]\w*)", body)):
            home = offered.get(word, part)
            own = re.search(OWN.format(word), body)
            assert home == part or home in before or own, f"{word} is from {home}"
        before.append(part)


@pytest.mark.parametrize("name", [*SCRIPTS, *(f"lib/{part}" for part in PARTS)])
def test_only_commands_of_redis_6_2_are_called(name: str) -> None:
    used = set(re.findall(r"call\('(\w+)'", text(name)))
    used |= set(re.findall(r"send\('(\w+)'", text(name)))
    assert used <= set(ALL_OF_REDIS_6_2.split())


def test_a_script_begins_with_its_parts() -> None:
    whole, digest = source("enqueue")
    assert whole.index("-- core: ") < whole.index("-- accept: ")
    assert whole.rstrip().endswith("return whole and {} or answers")
    assert len(digest) == 40


def test_every_part_is_needed_by_a_script() -> None:
    assert {part for name in SCRIPTS for part in needs(text(name))} == set(PARTS)


def test_the_pattern_of_a_namespace_means_only_that_namespace() -> None:
    assert glob(b"{a*[b]?^\\}:") == rb"{a\*\[b\]\?\^\\}:*"
