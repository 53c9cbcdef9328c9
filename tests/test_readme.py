"""The README's scenario is a scenario: it exercises what it says, in every profile."""

import re
from pathlib import Path

import pytest

from harness.case import Case, run_case
from harness.checkers import judge
from harness.core.codec import load
from harness.core.profile import Profile
from harness.core.target import load_target
from harness.core.verdict import Verdict
from harness.options import find_target
from harness.sim.arm import SimArm
from harness.world import World
from scenarios.requirements import REQUIREMENTS, judges

README = Path(__file__).parents[1] / "README.md"
BOTH = [
    profile
    for profile in Profile
    if profile in REQUIREMENTS["resume/within-log"].profiles
    and profile in REQUIREMENTS["event/no-loss"].profiles
]


@pytest.mark.parametrize("profile", BOTH)
def test_the_scenario_in_ten_lines(tmp_path: Path, profile: Profile) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert len(code.splitlines()) <= 10
    names = {"judges": judges, "World": World}
    exec(code, names)  # it is ours
    (scenario,) = (value for name, value in names.items() if name.startswith("test_"))
    (mark,) = scenario.pytestmark
    arm, path = SimArm(), tmp_path / "history.jsonl"
    case = Case(
        scenario="test_readme.py::readme",
        title="As in the README.",
        requirements=mark.args,
        target=load_target(find_target("reference")),
        profile=profile,
        arm=arm.name,
        seed=0,
    )
    arm.run(run_case(case, scenario, arm=arm, path=path, folder=tmp_path))
    judged = judge(load(path))
    assert not judged.could_not_run
    verdicts = {each.requirement: each.verdict for each in judged.judgements}
    assert {verdicts[slug] for slug in mark.args} == {Verdict.PASS}
