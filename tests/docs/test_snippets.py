"""What README and docs/ show runs as it is shown.

Per page, in order, in an own folder with an own SQLite store:

- a block `python` runs as a script; `python continued` runs after the block before it,
  as one script; `python file=app.py` is also written there first, for later blocks;
- a block `output` is what the block before it prints; `...` stands for any text;
- a block `console run` holds `$ commands` for bash and, below each, what it prints.
  What they leave in the background is killed at the end of the page.

Other blocks (`sh`, `json`, `ini`, plain `console`) are not run.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block: what stands behind the fence, and in it."""

    where: str
    words: tuple[str, ...]
    body: str

    @property
    def language(self) -> str:
        return self.words[0] if self.words else ""

    @property
    def file(self) -> str | None:
        named = [word for word in self.words if word.startswith("file=")]
        return named[0].removeprefix("file=") if named else None


@dataclass
class Folder:
    """Where the blocks of one page run, one after the other."""

    path: Path
    script: str = ""
    printed: str = ""
    ran: list[str] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)  # of the processes it started

    def run(self, block: Block) -> None:
        """Run, write or compare a block, as its language says."""
        if block.language == "python":
            self._run_python(block)
        elif block.language == "output":
            expect(block.body, self.printed, block.where)
        elif block.words[:2] == ("console", "run"):
            for command, output in commands(block.body):
                printed = self._run(["bash", "-c", command], block.where)
                if output:
                    expect(output, printed, block.where)

    def _run_python(self, block: Block) -> None:
        before = self.script if "continued" in block.words else ""
        self.script = f"{before}{block.body}"
        script = self.path / (block.file or f"snippet_{len(self.ran)}.py")
        script.write_text(self.script)
        self.printed = self._run([sys.executable, str(script)], block.where)

    def _run(self, command: list[str], where: str) -> str:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WORKFLOWS_", "REDIS_"))
        }
        environment["WORKFLOWS_STORE"] = f"sqlite:///{self.path}/docs.db"
        environment["PYTHONPATH"] = f"{self.path}:{ROOT}"
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        with subprocess.Popen(
            command,
            cwd=self.path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            self.groups.append(process.pid)
            printed, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, f"{where} failed:\n{printed}{complaint}"
        self.ran.append(where)
        return printed

    def close(self) -> None:
        """Kill what the blocks left in the background."""
        for group in self.groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        where = f"{page.relative_to(ROOT)}:{line}"
        yield Block(where, tuple(match["info"].split()), match["body"])


def commands(body: str) -> Iterator[tuple[str, str]]:
    """Cut a console block into commands and what each prints."""
    for part in re.split(r"^\$ ", body, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def expect(shown: str, printed: str, where: str) -> None:
    pattern = re.escape(shown.strip()).replace(r"\.\.\.", ".*")
    matches = re.fullmatch(pattern, printed.strip(), re.S)
    assert matches, f"{where} shows\n{shown}\nbut it prints\n{printed}"


@pytest.mark.timeout(400)  # some pages start a dozen processes
@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_snippet_of_the_page_runs(page: Path, tmp_path: Path) -> None:
    with closing(Folder(tmp_path)) as folder:
        for block in blocks(page):
            folder.run(block)
    python = [block.where for block in blocks(page) if block.language == "python"]
    assert set(python) <= set(folder.ran)


def test_the_test_notices_a_snippet_that_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="here failed"):
        Folder(tmp_path).run(Block("here", ("python",), "import nothing_like_it"))


def test_the_test_notices_another_output(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.run(Block("here", ("python",), "print('2 jobs')"))
    folder.run(Block("here", ("output",), "... jobs\n"))
    with pytest.raises(AssertionError, match="but it prints"):
        folder.run(Block("here", ("output",), "3 jobs\n"))


def test_what_a_page_leaves_in_the_background_ends_with_it(tmp_path: Path) -> None:
    left = "$ sleep 60 > /dev/null 2>&1 & echo $! > pid\n"
    with closing(Folder(tmp_path)) as folder:
        folder.run(Block("here", ("console", "run"), left))
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, 0)
    until = time.monotonic() + 10
    while time.monotonic() < until and running(pid):
        time.sleep(0.01)
    assert not running(pid)


def running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"
