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


PLAIN_ONLY = {"fire_schedule": {"adopt"}}  # no schedule makes a job of the engine's


def functions(lua: str) -> dict[str, str]:
    """The functions of a part by name, and the rest of it as ``."""
    pattern = r"^(?:local )?function ([\w.]+)\(.*?^end$"
    found = {m[1]: m[0] for m in re.finditer(pattern, lua, re.MULTILINE | re.DOTALL)}
    return {**found, "": re.sub(pattern, "", lua, flags=re.MULTILINE | re.DOTALL)}


def called(lua: str) -> set[str]:
    """What a piece of Lua may call: all of `kinds` where one is looked up."""
    words = set(re.findall(r"(?<![\w.])([a-z_]+)(?=\()", lua))
    words |= {
        f"runs.{name}" for name in re.findall(r"\b(?:runs|engine\(\))\.(\w+)\(", lua)
    }
    return words | ({"kinds.*"} if "kinds[" in lua else set())


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_has_every_function_of_runs_that_it_may_call(name: str) -> None:
    """Those are looked up while it runs: a missing one would fail in its middle."""
    bodies: dict[str, str] = {}
    for part in needs(text(name)):
        bodies |= functions(code(text(f"lib/{part}")))
    bodies |= functions(code(text(name)))
    reached, todo = set[str](), [""]
    while todo:
        at = todo.pop()
        if at not in reached and (at in bodies or at.startswith("runs.")):
            reached.add(at)
            todo += called(bodies.get(at, ""))
        elif at == "kinds.*":
            todo += [one for one in bodies if one.startswith("kinds.")]
    missing = {one.removeprefix("runs.") for one in reached - bodies.keys()}
    assert missing <= PLAIN_ONLY.get(name, set())


@pytest.mark.parametrize("name", [*SCRIPTS, *(f"lib/{part}" for part in PARTS)])
def test_only_commands_of_redis_6_2_are_called(name: str) -> None:
    used = set(re.findall(r"call\('(\w+)'", text(name)))
    used |= set(re.findall(r"send\('(\w+)'", text(name)))
    assert used <= set(ALL_OF_REDIS_6_2.split())


def test_a_script_begins_with_its_parts() -> None:
    whole, digest = source("enqueue")
    assert whole.index("-- core: ") < whole.index("-- accept: ")
    assert whole.index("-- accept: ") < whole.index("-- enqueue: ")
    assert whole.count("return (function()") == whole.count("end)()") == 1
    assert len(digest) == 40


def test_every_part_is_needed_by_a_script() -> None:
    assert {part for name in SCRIPTS for part in needs(text(name))} == set(PARTS)


def test_the_pattern_of_a_namespace_means_only_that_namespace() -> None:
    assert glob(b"{a*[b]?^\\}:") == rb"{a\*\[b\]\?\^\\}:*"
