"""The mutants stay in step with the adapters that they change."""

import pytest

from tests.mutants.__main__ import MUTANTS, ROOT
from tests.mutants.mutant import Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.adapter} {m.name}")
def test_a_mutant_changes_one_place_of_its_adapter(mutant: Mutant) -> None:
    text = (ROOT / mutant.path).read_text()
    assert text.count(mutant.old) == 1
    assert mutant.new != mutant.old


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.adapter} {m.name}")
def test_a_mutant_names_the_module_that_should_catch_it(mutant: Mutant) -> None:
    assert (ROOT / "tests" / "contract" / f"test_{mutant.module}.py").is_file()


def test_mutants_have_names_of_their_own_and_both_adapters_have_many() -> None:
    names = [(mutant.adapter, mutant.name) for mutant in MUTANTS]
    assert len(names) == len(set(names))
    for adapter in ("sqlite", "redis"):
        assert sum(1 for kind, _ in names if kind == adapter) >= 20
