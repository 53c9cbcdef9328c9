"""The result of one run as one versioned JSON file; every report is a view of it."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from harness.core.errors import BadInput
from harness.core.limits import Limits, Tolerances
from harness.core.requirement import Level
from harness.core.verdict import Finding, Judgement
from reports.inert import inert

FORMAT = "unbroken-result"
VERSION = 1


class Outcome(StrEnum):
    """What came of one case."""

    PASSED = "passed"
    FAILED = "failed"  # a MUST is broken
    WARNING = "warning"  # only SHOULDs are broken
    NOT_APPLICABLE = "not applicable"  # a capability is not declared
    COULD_NOT_RUN = "could not run"  # too little evidence: never shown as passed


class RowVerdict(StrEnum):
    """What a whole run says about one requirement."""

    PASS = "pass"
    FAIL = "fail"
    WARN = "warn"
    UNKNOWN = "unknown"
    NOT_JUDGED = "not judged"


class RunVerdict(StrEnum):
    """What a whole run says about the target."""

    CONFORMS = "conforms"
    DOES_NOT_CONFORM = "does not conform"
    COULD_NOT_RUN = "could not run"


class CaseResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One case: `scenario` is "test_cuts.py::test_fin", `title` its first line.

    `could_not_run` are the reasons of the whole case (`CaseJudgement`); `reasons`
    is what a reader is told: those, what was unclear, why it is not applicable.
    `history` is relative to the result file, "" when there is none; `profile` is ""
    where the case came to nothing. `tries` counts how often it was run: the last one
    is told, those before it proved nothing because the harness was late.
    """

    scenario: str
    outcome: Outcome
    title: str = ""
    requirements: tuple[str, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    reasons: tuple[str, ...] = ()
    could_not_run: tuple[str, ...] = ()
    history: str = ""
    duration_s: float = 0.0
    mutant: str = ""
    profile: str = ""
    tries: int = 1

    @property
    def took(self) -> str:
        """How long the last try took, in seconds."""
        again = f", try {self.tries}" if self.tries > 1 else ""
        return f"{self.duration_s:.1f} s{again}"


class SourcedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding and the scenario whose history shows it."""

    scenario: str
    finding: Finding


class RequirementResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One requirement over all cases; `scenarios` are those marked with it.

    `profiles` is what was said of each profile that has it, `verdict` the worst of it.
    """

    id: str
    level: Level
    text: str
    source: str
    verdict: RowVerdict
    exercised: int = 0
    scenarios: tuple[str, ...] = ()
    findings: tuple[SourcedFinding, ...] = ()
    profiles: dict[str, RowVerdict] = {}


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is known by before any case is judged.

    `profiles` are those that were judged, each with its limits. `command` is what a
    reader types to repeat it.
    """

    target: str
    profiles: dict[str, Limits]
    tolerances: Tolerances
    arm: str
    seed: int
    mutant: str = ""
    versions: dict[str, str] = {}
    started_at: str = ""
    duration_s: float = 0.0
    command: str = ""


class RunResult(RunFacts, frozen=True, kw_only=True):
    """One run: what it ran against, every case, every requirement, the verdict.

    `exit_status` is 0 conforms, 1 does not conform, 3 could not run.
    """

    format: str = FORMAT
    version: int = VERSION
    cases: tuple[CaseResult, ...]
    requirements: tuple[RequirementResult, ...]
    verdict: RunVerdict
    exit_status: int


class _Probe(msgspec.Struct):
    """Just enough of a file to say whose it is."""

    format: str = ""
    version: int = 0


_probe = msgspec.json.Decoder(_Probe)
_result = msgspec.json.Decoder(RunResult)


def encode(result: RunResult) -> bytes:
    """The file's bytes: indented, keys in the order of the structs."""
    return msgspec.json.format(_encode(result), indent=1) + b"\n"


def encode_case(case: CaseResult) -> str:
    """One case as text, for the way from a worker to its controller."""
    return _encode(case).decode()


def decode_case(text: str) -> CaseResult:
    """Back from `encode_case`; raises `msgspec.MsgspecError` for anything else."""
    return msgspec.json.decode(text, type=CaseResult)


def _encode(value: msgspec.Struct) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # half a surrogate pair from a target
        return msgspec.json.encode(_encodable(msgspec.to_builtins(value)))


def decode(data: bytes, *, name: str = "result") -> RunResult:
    """Read a result; raises `BadInput` that says what is wrong with it."""
    try:
        probe = _probe.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadInput(f"{name}: no {FORMAT} file: {error}") from error
    if probe.format != FORMAT:
        raise BadInput(
            f"{name}: format {probe.format!r}, expected {FORMAT!r}; give the "
            "result.json that `unbroken run` writes"
        )
    if probe.version != VERSION:
        raise BadInput(
            f"{name}: result version {probe.version}, this unbroken reads version "
            f"{VERSION}; use the release that wrote it"
        )
    try:
        return _result.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadInput(f"{name}: {error}") from error


def save(result: RunResult, path: Path) -> None:
    """Write the file whole or not at all: a reader never sees half a result."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_bytes(encode(result))
    scratch.replace(path)


def load(path: Path) -> RunResult:
    """Read a result file; raises `BadInput` when it cannot be read or is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from error
    return decode(data, name=str(path))


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return inert(value)
    if isinstance(value, dict):
        return {_encodable(key): _encodable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(one) for one in value]
    return value
