"""up, down, status, logs, doctor."""

import json
import re
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from orchestration.cli.console import ServiceProgress, err, machine_or_exit, out, problems_as_sentences, settings
from orchestration.runtime import control
from orchestration.runtime.disk import FULL_BYTES, lack_of_room
from orchestration.runtime.doctor import examine
from orchestration.runtime.layout import open_layout
from orchestration.runtime.machine import load_machine
from orchestration.runtime.status import Section, status_of


def up() -> None:
    """Start everything and return when all of it is healthy.

    Safe to repeat: what runs stays, what died comes back. When something does not become healthy, it is named with the
    end of its log, whatever this call started is stopped again, and the exit status is 1. ctrl-c does the same.

    SOUK_SERVICES=postgres,redis,... starts a part. DATABASE_URL, REDIS_URL and MLFLOW_TRACKING_URI replace a server of
    ours.
    """
    with problems_as_sentences(), ServiceProgress() as progress:
        machine = control.up(settings(), progress)
    chosen = machine.settings.chosen_services
    shop = f"  shop {machine.address('api')}  ·" if not chosen or "api" in chosen else ""
    err.print(f"[green]up[/]{shop}  `souk status` shows {'the rest' if shop else 'what runs'}", highlight=False)


def down() -> None:
    """Stop everything that `souk up` started, and nothing else. Data stays. Safe to repeat.

    Also ends a `souk up` that is still starting, and what a killed supervisor left. The exit status is 0 when nothing
    runs any more.
    """
    with problems_as_sentences(), ServiceProgress() as progress:
        control.down(settings(), progress)
    err.print("[green]down[/]")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Show what runs, where, and how far the lake and the marts have come.

    Exits 0 also when things are down. The addresses in the JSON contain passwords and work as they are in a client.
    lagBytes and lagSeconds say how far the lake is behind Postgres, by Postgres' own log; cdc.tables has the same for
    each table, and cdc is not healthy while one is stopped. cdc.snapshots counts how often every table was copied.
    asOf is the moment of the orders the marts were built from. When refreshes fail, oldSince and why say since when
    the marts are old; withheldKeys names what they leave out because its rows contradict themselves.
    features has the watermark of the feature files, online that of the rows in Redis, which follow within seconds.
    alerts.open names failed runs, failed checks and tables older than their readers' tier allows.
    """
    with problems_as_sentences():
        chosen = settings()
        document = status_of(load_machine(chosen))
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("service", "health", "pid", "where, or why not"):
        table.add_column(title, overflow="fold")
    for name, section in document.items():
        if "healthy" in section:
            well = section["healthy"]
            health = "[green]healthy[/]" if well else "[red]unhealthy[/]" if section["pid"] else "[red]down[/]"
            where = section.get("url") or section.get("dsn") or "" if section["healthy"] else section["detail"]
            table.add_row(name, health, str(section["pid"] or ""), Text(_without_password(str(where))))
    out.print(table)
    for line in (*_data_lines(document), *filter(None, [lack_of_room(open_layout(chosen.home).home, FULL_BYTES)])):
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def _data_lines(document: dict[str, Section]) -> list[str]:
    lake, marts = document["lake"], document["marts"]
    if lake["uri"] is None:
        return ["", "nothing was started here yet: run `souk up`, or set SOUK_HOME to where it was"]
    behind = "unknown" if lake["lagBytes"] is None else f"{lake['lagBytes']:,} bytes, {lake['lagSeconds']} s"
    events = document["behaviour"]
    waiting = f", {events['spoolBytes']:,} bytes wait on disk" if events["spoolBytes"] else ""
    return [
        *(
            "",
            f"lake   {lake['uri']}  "
            + (f"at {lake['lsn']}, behind: {behind}" if lake["lsn"] else "empty: cdc has not run yet"),
        ),
        *_cdc_lines(document["cdc"]),
        f"events {events['uri']}  behind: {_seconds(events['lagSeconds'])}{waiting}",
        f"marts  {marts['path']}  "
        + (f"as of {marts['asOf']}" if marts["asOf"] else "not built yet: `souk pipeline` does")
        + (f", {marts['lagSeconds']} s behind the lake" if marts["lagSeconds"] else ""),
        *([f"       old since {marts['oldSince']}: {marts['why']}"] if marts["why"] else []),
        *(
            [f"       {marts['withheld']} left out, because their rows contradict themselves:"]
            if marts["withheld"]
            else []
        ),
        *(f"         {name}" for name in _listed(marts["withheldKeys"])),
        *_features_lines(document["features"], document["online"]),
        *(f"alert  {alert['subject']} since {alert['at']}: {alert['message']}" for alert in _alerts(document)),
    ]


def _features_lines(files: Section, online: Section) -> list[str]:
    if files["lsn"] is None:
        return []
    if online["lsn"] == files["lsn"]:
        redis = "in Redis too"
    else:
        redis = f"in Redis as of {online['asOf']}" if online["asOf"] else "not in Redis yet"
    return [f"       features as of {files['asOf']}, {redis}"]


def _cdc_lines(cdc: Section) -> list[str]:
    """The slot, and every table that is not exact."""
    lines = []
    slot, stopped, unknown = cdc["slot"], cdc["stoppedTables"], cdc["unknownTables"]
    if isinstance(slot, dict) and slot["confirmedLsn"]:
        state = "in use" if slot["active"] else "not in use"
        held = f"holds back {slot['retainedBytes']:,} bytes of log" if slot["retainedBytes"] is not None else ""
        lines.append(
            f"slot   {slot['name']}  {state}, confirmed {slot['confirmedLsn']}, {held}, snapshots {cdc['snapshots']}"
            + (f"  ! {slot['alert']}" if slot["alert"] else "")
        )
    tables = cdc["tables"] if isinstance(cdc["tables"], dict) else {}
    for name, why in (stopped if isinstance(stopped, dict) else {}).items():
        age = tables.get(name, {}).get("lagSeconds")
        since = f" for {age:,.0f} s" if age is not None else ""
        lines.append(f"stopped{since}: {why}  (once repaired: `souk lake mend {name}`)")
    if isinstance(unknown, list) and unknown:
        lines.append(f"published but in no contract, ignored: {', '.join(map(str, unknown))}")
    return lines


def _seconds(value: object) -> str:
    return "unknown" if value is None else f"{value} s"


def _alerts(document: dict[str, Section]) -> list[dict[str, object]]:
    found = document["alerts"]["open"]
    return found if isinstance(found, list) else []


def _listed(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


def _without_password(address: str) -> str:
    """The address without its password, for people; the JSON holds the full one."""
    return re.sub(r"//([^:/@]*):[^@]+@", r"//\1:***@", address)


def logs(
    service: Annotated[
        str, typer.Argument(help="One service, such as api, cdc or supervisor; all of them when left out.")
    ] = "",
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Keep printing what is written.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="Lines to begin with.")] = 40,
) -> None:
    """Print the end of the logs. Exit status 1 when there is no log of that name; ctrl-c ends --follow."""
    folder = machine_or_exit().layout.logs
    files = [folder / f"{service}.log"] if service else sorted(folder.glob("*.log"))
    if service and not files[0].exists():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.log")))
        err.print(
            f"no log of {service}; there are: {known or 'none yet'}", highlight=False, markup=False, soft_wrap=True
        )
        raise typer.Exit(1)
    offsets = {}
    for file in files:
        offsets[file] = file.stat().st_size
        for line in control.tail(file, lines).splitlines() if lines else ():
            _print_line(file, line, alone=bool(service))
    while follow:
        time.sleep(0.3)
        for file, offset in offsets.items():
            offsets[file] = _print_new(file, offset, alone=bool(service))


def _print_new(file: Path, offset: int, *, alone: bool) -> int:
    """Print whole lines after `offset` bytes; returns the new offset, 0 when the file was replaced."""
    if not file.exists() or file.stat().st_size < offset:
        return 0
    with file.open("rb") as stream:
        stream.seek(offset)
        fresh = stream.read()
    whole = fresh[: fresh.rfind(b"\n") + 1]
    for line in whole.decode("utf-8", errors="replace").splitlines():
        _print_line(file, line, alone=alone)
    return offset + len(whole)


def _print_line(file: Path, line: str, *, alone: bool) -> None:
    typer.echo(line if alone else f"{file.stem:>14} | {line}")


def doctor() -> None:
    """Look at this machine: Python, disk, memory, Postgres, Redis, Java, ports. Says how to mend what is wrong, and
    exits 1 then."""
    chosen = settings()
    with problems_as_sentences():
        machine = load_machine(chosen)
        findings = examine(chosen, machine)
    for finding in findings:
        mark = "[green]ok[/]  " if finding.ok else "[red]mend[/]" if finding.essential else "[yellow]note[/]"
        out.print(f"{mark} [bold]{finding.name:<16}[/] ", end="")
        out.print(finding.detail, markup=False, highlight=False, soft_wrap=True)
    if any(finding.essential and not finding.ok for finding in findings):
        raise typer.Exit(1)
