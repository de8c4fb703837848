"""The tools: how each is installed, what it is told, and how its report is read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

from . import specification
from .client import SECRETS, Application
from .environment import checkout, node_with, python_with

SETUPS = Path(__file__).parent / "setups"


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, and the reports that it leaves in the folder of its run."""

    arguments: tuple[str | Path, ...]
    #: It may stop after so many seconds, whatever the limit of the benchmark is.
    seconds: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool of the benchmark."""

    name: str
    #: What it is called in the table, with its version.
    title: Callable[[], str]
    #: The commands of a run, given the application, the folder of the run, and the area of the defect.
    commands: Callable[[Application, Path, str], list[Command]]
    #: What it reports, one line for each finding, without what differs from run to run.
    findings: Callable[[Path], Iterator[str]]
    #: What the table says of it besides.
    note: str
    #: What its user has to write besides the set-up, as a path in this project.
    policy: str = ""


def fixtures(app: Application) -> dict[str, str]:
    """Make what a set-up of stable test data would have, by the API; the ids are known when it starts."""

    def made(path: str, key: str, body: dict[str, str], field: str = "id") -> str:
        return str(app.call("POST", path, key, body).body.get(field, ""))

    return {
        "LEAD_OF_GLOBEX": made("/leads", "globex-write", {"name": "Only for globex"}),
        "LEAD_OF_SANDBOX": made("/leads", "acme-test-write", {"name": "Only for tests"}),
        "CONVERSATION_OF_GLOBEX": made(
            "/chat/messages", "globex-write", {"message": "Only for globex"}, "conversation_id"
        ),
    }


def fill(setup: str, app: Application, folder: Path) -> None:
    """Copy the set-up of a tool to the folder of a run, with the addresses of the application filled in."""
    values = {
        "URL": app.url,
        "PLAIN_URL": app.plain_url,
        "ORIGIN": app.url.removesuffix("/api/v1"),
        "FOLDER": str(folder),
        **{variable(name): secret for name, secret in SECRETS.items()},
        **({} if setup in {"authcontract", "schemathesis"} else fixtures(app)),
    }
    for path in (SETUPS / setup).iterdir():
        text = path.read_text()
        (folder / path.name).write_text(text if path.suffix == ".js" else Template(text).safe_substitute(values))
    (folder / "certificate.pem").write_bytes(app.certificate.read_bytes())
    specification.write(folder)


def variable(key: str) -> str:
    """Return the environment variable that holds a key."""
    return "KEY_" + key.upper().replace("-", "_")


def steady(text: str) -> str:
    """Leave out of a finding what differs from run to run: ids, secrets, numbers of ways and moments."""
    text = re.sub(r"\b(lead|conv|key|webhook|message)_[0-9A-Za-z]+", r"\1_id", text)
    text = re.sub(r"sk_(live|test)_\w+", "sk", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z?", "moment", text)
    return re.sub(r"\s+", " ", text).strip()


def hash_of(folder: Path) -> str:
    """Return a short name for what the files of a folder say."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.iterdir()))).hexdigest()[:12]


def _authcontract_title() -> str:
    return f"authcontract {checkout()[0]}"


def _authcontract_commands(app: Application, folder: Path, area: str) -> list[Command]:
    commit, source = checkout()
    program = python_with(f"authcontract-{commit}", (str(source),)).parent / "authcontract"
    fill("authcontract", app, folder)
    policy = ("--policy", source / "policy" / "synaptiq.yaml", "--spec", source / "specs" / "synaptiq.openapi.yaml")
    runs = [Command((program, "verify", app.url, "--target", "target.yaml", *policy, "--log", "all.ndjson"))]
    if area in {"", "rate limits"}:
        limits = ("--target", "limits.yaml", "--only", "RATE", "--log", "limits.ndjson")
        runs.append(Command((program, "verify", app.url, *limits, *policy), seconds=900))
    return runs


def _authcontract_findings(folder: Path) -> Iterator[str]:
    for log in sorted(folder.glob("*.ndjson")):
        for line in log.read_text().splitlines():
            event = json.loads(line)
            if event["event"] == "finding":
                # A warning comes once, for whichever operation shows it first.
                subject = event["subject"] if event["word"] == "fail" else ""
                yield steady(f"{event['word']} {event['clause']} {subject}: {event['got']}")


AUTHCONTRACT = Tool(
    name="authcontract",
    title=_authcontract_title,
    commands=_authcontract_commands,
    findings=_authcontract_findings,
    policy="policy/synaptiq.yaml",
    note="Two target files, since the limits of the enterprise plan are too large to be used up. The second run, "
    "which looks at limits only and mostly waits, is made for the correct application and the defects of rate "
    "limits. A run that says itself that the target stopped answering is made again.",
)

SCHEMATHESIS = "schemathesis==4.32.5"
#: Together as long as authcontract takes for its first run where the machine has nothing else to do.
SCHEMATHESIS_SECONDS = {"acme-read": 20, "acme-write": 20, "acme-admin": 40}


def _schemathesis_commands(app: Application, folder: Path, area: str) -> list[Command]:
    del area
    program = python_with("schemathesis", (SCHEMATHESIS,)).parent / "st"
    fill("schemathesis", app, folder)
    return [
        Command(
            (
                *(program, "run", "api.json", "--auth-wfc-user", key, "--max-time", str(seconds), "--seed", "1"),
                *("--report", "json", "--report-json-path", f"{key}.report"),
            )
        )
        for key, seconds in SCHEMATHESIS_SECONDS.items()
    ]


def _schemathesis_findings(folder: Path) -> Iterator[str]:
    for report in sorted(folder.glob("*.report")):
        for failure in json.loads(report.read_text())["failures"]:
            for operation in failure["operations"]:
                yield f"{failure['code']} {failure['title']}: {operation}"


SCHEMATHESIS_CLI = Tool(
    name="schemathesis",
    title=lambda: "Schemathesis CLI " + SCHEMATHESIS.partition("==")[2],
    commands=_schemathesis_commands,
    findings=_schemathesis_findings,
    note="One run for each key, all checks and phases, object-level authorization between two organizations; "
    "bounded to 80 seconds, since it goes on as long as it is let.",
)

AUTHZTRACE = "authztrace==0.6.0"


def _authztrace_commands(app: Application, folder: Path, area: str) -> list[Command]:
    del area
    program = python_with("authztrace", (AUTHZTRACE,)).parent / "authztrace"
    fill("authztrace", app, folder)
    return [Command((program, "run", "--include-unsafe", "--strict", "--json", "report", "--no-color"))]


def _authztrace_findings(folder: Path) -> Iterator[str]:
    for result in json.loads((folder / "report").read_text())["results"]:
        if result["outcome"] not in {"pass", "skip"}:
            request = result["request"]
            asked = f"{result['actor']} {request['method']} {request['path_template']} of {result['target_owner']}"
            yield steady(f"{result['outcome']} {asked}: {result['note']}")


AUTHZTRACE_TOOL = Tool(
    name="authztrace",
    title=lambda: "AuthzTrace " + AUTHZTRACE.partition("==")[2],
    commands=_authztrace_commands,
    findings=_authztrace_findings,
    note="A contract written by hand, with every kind of key as an actor and `--include-unsafe`; its warnings and "
    "its set-up errors count as findings too.",
)

GRANTTRACE = "granttrace==2.5.3"


def _granttrace_commands(app: Application, folder: Path, area: str) -> list[Command]:
    del area
    program = python_with("granttrace", (GRANTTRACE,)).parent / "granttrace"
    fill("granttrace", app, folder)
    writes = ("--allow-write-tests", "--write-endpoint", "PATCH /leads/{id}")
    common = (program, "--spec", "api.json", "--target", app.url, "--insecure")
    return [
        Command((*common, "--config", "tenants.json", "--export-json", "tenants.report", *writes)),
        Command((*common, "--config", "scopes.json", "--export-json", "scopes.report")),
    ]


def _granttrace_findings(folder: Path) -> Iterator[str]:
    for report in sorted(folder.glob("*.report")):
        for result in json.loads(report.read_text())["results"]:
            if result["verdict"] not in {"SECURE", "SKIPPED", "INCONCLUSIVE"}:
                yield steady(f"{report.stem} {result['verdict']} {result['endpoint']}: {result['reason']}")


GRANTTRACE_TOOL = Tool(
    name="granttrace",
    title=lambda: "GrantTrace " + GRANTTRACE.partition("==")[2],
    commands=_granttrace_commands,
    findings=_granttrace_findings,
    note="Two configurations written by hand: two organizations, and two scopes of one. Everything that is not "
    "`SECURE`, `INCONCLUSIVE` or `SKIPPED` counts as a finding.",
)

DREDD = "dredd@14.1.0"


FAILED_CASE = re.compile(r'<testcase name="([^"]*)"[^>]*>\s*<failure>(.*?)</failure>', re.DOTALL)


def _dredd_commands(app: Application, folder: Path, area: str) -> list[Command]:
    del area
    program = node_with("dredd", (DREDD,)) / "dredd"
    fill("dredd", app, folder)
    common = (program, "api-3.0.json", app.url, "--hookfiles", "hooks.js", "--loglevel", "error", "--no-color")
    return [Command((*common, "--reporter", "xunit", "--output", "report.xml"), seconds=120)]


def _dredd_findings(folder: Path) -> Iterator[str]:
    for report in sorted(folder.glob("*.xml")):
        for case in re.finditer(
            r'<testcase name="([^"]*)"[^>]*>\s*<failure>(.*?)</failure>', report.read_text(), re.DOTALL
        ):
            message = case[2].partition("Request:")[0].partition("request:")[0]
            yield steady(f"{case[1]}: {message}"[:300])


DREDD_TOOL = Tool(
    name="dredd",
    title=lambda: "Dredd " + DREDD.rpartition("@")[2],
    commands=_dredd_commands,
    findings=_dredd_findings,
    note="The specification put into OpenAPI 3.0, since it reads no newer one, and hooks that choose the key for "
    "each documented status; the operations take turns with the five credentials that are to get a 401.",
)

#: Portman needs tslib and does not say so.
PORTMAN = ("@apideck/portman@1.33.0", "newman@6.2.2", "tslib@2.8.1")


def _portman_title() -> str:
    parts = [package.rpartition("@") for package in PORTMAN[:2]]
    return " + ".join(f"{name.rpartition('/')[2].title()} {version}" for name, _, version in parts)


def _portman_commands(app: Application, folder: Path, area: str) -> list[Command]:
    del area
    programs = node_with("portman", PORTMAN)
    fill("portman", app, folder)
    collection = folder.parent / f"portman-{hash_of(SETUPS / 'portman')}.json"
    make = ("--local", "api.json", "--portmanConfigFile", "portman-config.yaml", "--output", collection)
    run = ("run", collection, "--env-var", f"baseUrl={app.url}", "--ssl-extra-ca-certs", "certificate.pem")
    report = ("--reporters", "json", "--reporter-json-export", "report")
    # A collection is made once and kept, as a team would keep it.
    made = [] if collection.exists() else [Command((programs / "portman", *make), seconds=120)]
    return [*made, Command((programs / "newman", *run, *report), seconds=300)]


def _portman_findings(folder: Path) -> Iterator[str]:
    for failure in json.loads((folder / "report").read_text())["run"]["failures"]:
        yield steady(f"{failure['source']['name']}: {failure['error']['test']}: {failure['error']['message']}"[:300])


PORTMAN_TOOL = Tool(
    name="portman",
    title=_portman_title,
    commands=_portman_commands,
    findings=_portman_findings,
    note="Contract tests of every operation and variations written by hand: five credentials that are to get a 401, "
    "each scope that is to get a 403, and objects of others that are to get a 404.",
)

TOOLS = {
    tool.name: tool
    for tool in (AUTHCONTRACT, SCHEMATHESIS_CLI, AUTHZTRACE_TOOL, GRANTTRACE_TOOL, DREDD_TOOL, PORTMAN_TOOL)
}
