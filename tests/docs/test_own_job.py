"""A job type of one's own is as short as its page says."""

from tests.docs.test_snippets import ROOT, blocks


def test_a_job_type_of_ones_own_is_30_lines_and_one_registration() -> None:
    first = next(b for b in blocks(ROOT / "docs" / "own-job.md") if b.file)
    assert first.file == "thanks.py"
    lines = [line for line in first.body.splitlines() if line.strip()]
    assert len(lines) <= 30
    assert first.body.count("@huey.job(") == 1
