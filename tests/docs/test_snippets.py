"""What README and docs/ show runs as it is shown.

Per page, in order, in an own folder with an own SQLite store:

- a block `python` runs as a script; `python continued` runs after the block before it,
  as one script; `python file=app.py` is also written there first, for later blocks;
- a block `output` is what the block before it prints; `...` stands for any text;
- a block `console run` holds `$ commands` for bash and, below each, what it prints.

Other blocks (`sh`, `json`, `ini`, plain `console`) are not run.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
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
        done = subprocess.run(
            command,
            cwd=self.path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{where} failed:\n{done.stdout}{done.stderr}"
        self.ran.append(where)
        return done.stdout


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


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_snippet_of_the_page_runs(page: Path, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
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
