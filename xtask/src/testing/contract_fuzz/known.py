"""Lets the attacker know what exists, so that it breaks into the house instead of only trying doors that are not there.

Hooks of schemathesis (`SCHEMATHESIS_HOOKS`). Once, when it is loaded, it waits for the demo's scans and makes one of each thing
that can be changed: services, exceptions, dead letters. Their ids and bodies that are right become examples of the contract, which
every phase draws from beside what it makes up.
"""

import datetime
import json
import os
import sqlite3
import subprocess
import time
import urllib.request
import uuid

import schemathesis

URL, TOKEN, DATABASE, BINARY = (os.environ[f"AIVA_{name}"] for name in ("URL", "TOKEN", "DATABASE", "BINARY"))
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy between us and this machine
PATIENCE = 120
SOON = (datetime.date.today() + datetime.timedelta(days=30)).isoformat()
NOWHERE = ["http://169.254.169.254/latest", "https://127.0.0.1/", "http://a b/"]  # refused without asking the DNS
ACCEPTANCE = {"owner": "ana@example.com", "reason": "not reachable", "expires": SOON}


def call(method, path, body=None):
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, headers, method=method)
    with OPENER.open(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def items(path):
    return call("GET", path)["items"]


def until(path, fits):
    for _ in range(PATIENCE * 10):
        found = items(path)
        if found and fits(found):
            return found
        time.sleep(0.1)
    raise SystemExit(f"{path} never came to what the attack needs: {found}")


def poison(count):
    """Events that no consumer can read: copies of a sound one with other bytes."""
    with sqlite3.connect(DATABASE, timeout=60) as database:
        for _ in range(count):
            database.execute(
                "INSERT INTO event_outbox (id, kind, source, subject, time, correlation_id, schema_id, traceparent, data)"
                " SELECT ?, kind, source, ?, time, correlation_id, schema_id, traceparent, x'FFFF' FROM event_outbox"
                " WHERE kind = 'aiva.scan.v1.ScanStarted' LIMIT 1",
                (str(uuid.uuid4()), str(uuid.uuid4())),
            )


def document():
    """What CI would upload."""
    command = [BINARY, "scan", "examples/demo", "--format", "json", "--stale", "warn", "--data-dir", os.path.dirname(DATABASE)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE).stdout)


def seed():
    scanned = lambda found: all((one.get("last_scan") or {}).get("state") == "completed" for one in found)
    company = until("/v1/services", scanned)
    poison(6)
    description = {"owners": ["#team"], "source": ["."]}
    made = [{"name": f"attacked-{number}", "description": description} for number in range(4)]
    for body in made:
        call("POST", "/v1/services", body)
    findings = [one["fingerprint"] for one in items("/v1/findings?limit=30")]
    for fingerprint in findings[:4]:
        call("POST", f"/v1/findings/{fingerprint}/accept", ACCEPTANCE)
    services = [one["name"] for one in company[:2]] + [one["name"] for one in made]
    role = {"mode": "enforce", "allow_domains": ["known.example"], "budgets": {"requests": 5}}
    for number in range(3):
        call("PUT", f"/v1/egress/roles/known-{number}", role)
    parameters = {
        "ServicePath": services,
        "ScanPath": [one["id"] for one in items("/v1/scans?limit=3")],
        "FindingPath": findings[:8],
        "ExceptionPath": [one["id"] for one in items("/v1/exceptions")][:6],
        "DeadLetterPath": [one["id"] for one in until("/v1/dead-letters", lambda found: len(found) >= 6)],
        "EgressRolePath": [f"known-{number}" for number in range(3)],
        "DecisionPath": [call("POST", "/v1/egress/decisions", {"url": url})["id"] for url in NOWHERE],
        "IfMatch": ["*"],
        "IfMatchOptional": ["*"],
    }
    bodies = {
        "createService": [{**made[0], "name": f"made-{number}"} for number in range(4)],
        "updateService": [description],
        "startScan": [{"service": name} for name in services],
        "acceptFinding": [ACCEPTANCE],
        "uploadScan": [document()],
        "putEgressRole": [role],
        "decide": [{"url": url} for url in NOWHERE],
        "fetch": [{"url": url, "headers": {"Accept": "text/html"}, "max_bytes": 1000} for url in NOWHERE],
    }
    return parameters, bodies


PARAMETERS, BODIES = seed()


def examples(values):
    return {f"known-{number}": {"value": value} for number, value in enumerate(values)}


@schemathesis.hook
def before_load_schema(_context, raw_schema):
    for name, values in PARAMETERS.items():
        raw_schema["components"]["parameters"][name]["examples"] = examples(values)
    for path in raw_schema["paths"].values():
        for operation in path.values():
            values = BODIES.get(operation.get("operationId")) if isinstance(operation, dict) else None
            if values:
                operation["requestBody"]["content"]["application/json"]["examples"] = examples(values)


ASKS_THE_DNS = ("/v1/egress/decisions", "/v1/egress/fetches")


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """Roles that the attacker has made may let names be looked up, and nothing leaves this machine: they are asked by no name."""
    if case.path in ASKS_THE_DNS and isinstance(case.body, dict) and case.body.get("role") not in (None, "", "default"):
        if isinstance(case.body["role"], str):
            case.body["role"] = "nobody"
