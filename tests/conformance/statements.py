"""All normative statements of both standards, and what proves each: a case, or a reason why there is none."""
import collections
import dataclasses
import pathlib

FILES = {4: "statements_3_1_1.txt", 5: "statements_5_0.txt"}
TITLES = {4: "MQTT 3.1.1", 5: "MQTT 5.0"}


@dataclasses.dataclass(frozen=True)
class Statement:
    number: str
    text: str
    reason: str  # why no case proves it; empty where one has to


def read(version):
    statements = []
    for line in (pathlib.Path(__file__).parent / FILES[version]).read_text().splitlines():
        if line and not line.startswith("#"):
            number, rest = line.split(maxsplit=1)
            text, _, reason = rest.partition(" | ")
            statements.append(Statement(number, text.strip(), reason.strip()))
    return statements


def proofs(cases, version):
    """By the number of a statement: the cases, in the order of the files."""
    found = collections.defaultdict(list)
    for case in cases:
        if case.version == version:
            for number in case.statements:
                found[number].append(f"{case.topic}: {case.name}")
    return found


def table(cases, shown=3):
    """Lines: the number, what it asks, and the cases that prove it (at most `shown` of them) or the reason."""
    lines = []
    for version, title in TITLES.items():
        proved = proofs(cases, version)
        statements = read(version)
        with_case = sum(1 for statement in statements if statement.number in proved)
        with_reason = sum(1 for statement in statements if statement.reason and statement.number not in proved)
        lines.append(f"{title}: {len(statements)} statements, {with_case} proved by cases, "
                     f"{with_reason} with a reason why not")
        for statement in statements:
            names = proved[statement.number]
            what = "; ".join(names[:shown]) + (f"; and {len(names) - shown} more" if len(names) > shown else "")
            what = what or (f"- {statement.reason}" if statement.reason else "NOTHING")
            lines.append(f"  [MQTT-{statement.number}] {statement.text}: {what}")
    return lines + [f"fault: {each}" for each in faults(cases)]


def faults(cases):
    """What is wrong with the tables: statements with neither a case nor a reason, or both; numbers that don't exist."""
    found = []
    for version, title in TITLES.items():
        proved, statements = proofs(cases, version), read(version)
        numbers = [statement.number for statement in statements]
        found += [f"{title}: {number} is there twice" for number in sorted(set(numbers)) if numbers.count(number) > 1]
        found += [f"{title}: {s.number} has neither a case nor a reason" for s in statements
                  if not s.reason and s.number not in proved]
        found += [f"{title}: {s.number} has a case and a reason why it has none" for s in statements
                  if s.reason and s.number in proved]
        found += [f"{title}: {number} is no statement ({names[0]})" for number, names in proved.items()
                  if number not in numbers]
    return found
