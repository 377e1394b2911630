from __future__ import annotations

from pytest_stateless.judge.places import Places
from pytest_stateless.model.finding import Finding
from pytest_stateless.model.observation import Observations, Survivor, Write
from pytest_stateless.model.place import Frame
from pytest_stateless.model.platform import find_profile
from pytest_stateless.model.rule import Severity
from pytest_stateless.session.ledger import Entry, Ledger

LAMBDA = find_profile("aws-lambda")
PLACES = Places(rootdir="/w")


def open_entry(ledger: Ledger, title: str, *, handle_number: int) -> Entry:
    entry = ledger.open(title, LAMBDA, PLACES)
    ledger.seat(entry, handle_number)
    return entry


def write_of(path: str, *, line: int = 15) -> Write:
    frame = Frame(path="/w/shop/app.py", line=line, function="save", is_first_party=True)
    error = f"[Errno 30] Read-only file system: {path!r}"
    operation = f"open({path!r}, 'w')"
    return Write(operation=operation, path=path, outcome="refused", error=error, stack=(frame,))


def process(name: str) -> Survivor:
    return Survivor(
        kind="process", name=name, target="", stack=(), runs_first_party=True, phase="request"
    )


def rules(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.rule for finding in findings]


def test_exchanges_are_numbered_from_one_in_the_order_of_sending() -> None:
    ledger = Ledger()
    entries = [ledger.open(title, LAMBDA, PLACES) for title in ("GET /", "POST /", "GET /")]
    assert ledger.entries == entries
    assert [entry.exchange.number for entry in entries] == [1, 2, 3]
    assert entries[1].exchange.title == entries[1].context.title == "POST /"


def test_instances_are_numbered_from_one_whatever_numbers_the_fleet_gave_them() -> None:
    ledger = Ledger()
    entries = [open_entry(ledger, "GET /", handle_number=number) for number in (70, 12, 70, 99)]
    assert [entry.exchange.instance for entry in entries] == [1, 2, 1, 3]
    assert [entry.context.instance for entry in entries] == [1, 2, 1, 3]
    assert ledger.instance_count == 3


def test_a_write_is_judged_with_what_a_later_request_reads() -> None:
    ledger = Ledger()
    writer = open_entry(ledger, "POST /entries", handle_number=1)
    writer.exchange.observations = Observations(writes=(write_of("/w/entries.json"),))
    assert rules(ledger.findings()) == ["SL101"]
    reader = open_entry(ledger, "GET /entries", handle_number=2)
    reader.exchange.observations = Observations(reads=("/w/entries.json",))
    assert rules(ledger.findings()) == ["SL105"]
    assert rules(writer.exchange.findings) == ["SL105"]
    assert reader.exchange.findings == ()


def test_the_same_fault_in_two_requests_is_one_finding_that_names_both() -> None:
    ledger = Ledger()
    for number in (1, 2):
        entry = open_entry(ledger, "POST /log", handle_number=number)
        entry.exchange.observations = Observations(writes=(write_of("/w/app.log"),))
    (finding,) = ledger.findings()
    assert finding.request == "POST /log (request 1, instance 1)"
    assert "also in POST /log (request 2, instance 2)" in finding.evidence
    assert all(len(entry.exchange.findings) == 1 for entry in ledger.entries)


def test_the_status_that_the_app_answered_stands_in_the_finding() -> None:
    ledger = Ledger()
    entry = open_entry(ledger, "POST /log", handle_number=1)
    entry.exchange.observations = Observations(writes=(write_of("/w/app.log"),))
    entry.exchange.status = 503
    assert "answered 503" in ledger.findings()[0].evidence


def test_findings_that_are_seen_from_outside_come_first() -> None:
    ledger = Ledger()
    entry = open_entry(ledger, "POST /log", handle_number=1)
    entry.exchange.observations = Observations(writes=(write_of("/w/app.log"),))
    entry.limits.append(
        Finding(
            rule="SL502",
            severity=Severity.ERROR,
            message="took too long",
            path="shop/app.py",
            line=3,
            cause="",
            evidence=(),
            fix="",
        )
    )
    assert rules(ledger.findings()) == ["SL502", "SL101"]


def test_asking_for_findings_twice_gives_the_same() -> None:
    ledger = Ledger()
    entry = open_entry(ledger, "POST /log", handle_number=1)
    entry.exchange.observations = Observations(writes=(write_of("/w/app.log"),))
    assert ledger.findings() == ledger.findings() != ()


# processes that had to be killed with an instance


def test_leftovers_belong_to_the_last_request_of_their_instance() -> None:
    ledger = Ledger()
    entries = [open_entry(ledger, "GET /", handle_number=number) for number in (5, 5, 6)]
    ledger.note_leftovers(5, ("sleep 99", "sleep 100"))
    survivors = [entry.exchange.observations.survivors for entry in entries]
    assert survivors == [(), (process("sleep 99"), process("sleep 100")), ()]
    assert set(rules(ledger.findings())) == {"SL301"}


def test_leftovers_are_noted_once() -> None:
    ledger = Ledger()
    entry = open_entry(ledger, "GET /", handle_number=5)
    for _ in range(2):
        ledger.note_leftovers(5, ("sleep 99",))
    assert entry.exchange.observations.survivors == (process("sleep 99"),)


def test_leftovers_that_the_instance_has_told_of_itself_are_not_noted_again() -> None:
    ledger = Ledger()
    entry = open_entry(ledger, "GET /", handle_number=5)
    told = process("/usr/bin/sleep 99")
    entry.exchange.observations = Observations(survivors=(told,), peak_bytes=7)
    ledger.note_leftovers(5, ("sleep 99",))
    assert entry.exchange.observations == Observations(survivors=(told,), peak_bytes=7)


def test_leftovers_stand_beside_what_else_was_seen() -> None:
    ledger = Ledger()
    entry = open_entry(ledger, "GET /", handle_number=5)
    thread = Survivor(
        kind="thread", name="T", target="", stack=(), runs_first_party=True, phase="request"
    )
    entry.exchange.observations = Observations(survivors=(thread,), reads=("/w/a.csv",))
    ledger.note_leftovers(5, ("sleep 99",))
    assert entry.exchange.observations == Observations(
        survivors=(thread, process("sleep 99")), reads=("/w/a.csv",)
    )


def test_leftovers_of_an_instance_that_served_no_request_are_nobody_s() -> None:
    ledger = Ledger()
    entry = open_entry(ledger, "GET /", handle_number=5)
    ledger.note_leftovers(99, ("sleep 99",))
    ledger.note_leftovers(5, ())
    assert entry.exchange.observations == Observations()
    assert ledger.findings() == ()
