#!/usr/bin/env python3
"""Lists where two scanners disagree, and who is right by a third judge.

A finding is a (file, package, version, advisory). Advisories that name each other as aliases are one: what one tool reports as
CVE-X and another as GHSA-Y is the same finding. Each difference is judged anew from the OSV records, by OSV's own algorithm over
version orders that are written here (SemVer 2.0) or are the reference's (PyPA's `packaging`), so that neither tool is its own
witness. Differences are then counted by kind; DIFFERENCES.md holds the verdict on each kind.

usage: compare.py ADVISORIES OURS.json PEER.json ROOT [--list]
       ROOT is the folder that both scanned; PEER.json is what Trivy or osv-scanner wrote as JSON.
       --list prints each difference: side, file, package, version, advisory, kind, what the records say.
"""
import collections
import json
import os
import re
import sys

from osv import Records, affected_by, fold, order


def ours(document, records):
    for f in document["findings"]:
        if f["kind"] in ("vulnerability", "malicious", "notice", "unmaintained", "unsound", "informational"):
            yield (f["path"], f["ecosystem"], f["name"], f["version"]), {records.group(i) for i in [f["id"], *f.get("aliases", [])]}


TRIVY_TYPES = {"npm": "npm", "yarn": "npm", "pnpm": "npm", "bun": "npm", "cargo": "crates.io", "gomod": "Go", "pip": "PyPI", "pipenv": "PyPI", "poetry": "PyPI", "uv": "PyPI", "pylock": "PyPI"}


def trivy(document, records):
    for result in document.get("Results") or []:
        ecosystem = TRIVY_TYPES.get(result.get("Type"))
        for f in result.get("Vulnerabilities") or []:
            name = f["PkgName"]
            yield (result["Target"], ecosystem, name, f["InstalledVersion"]), {records.group(i) for i in [f["VulnerabilityID"], *f.get("VendorIDs", [])]}


def osv_scanner(document, records, root):
    for result in document.get("results") or []:
        path = os.path.relpath(result["source"]["path"], os.path.abspath(root))
        for entry in result.get("packages") or []:
            package = entry["package"]
            for f in entry.get("vulnerabilities") or []:
                yield (path, package["ecosystem"], package["name"], package["version"]), {records.group(i) for i in [f["id"], *f.get("aliases", [])]}


def pairs(rows, records):
    """Every (place, advisory), names and versions folded to one spelling."""
    found = set()
    for (path, ecosystem, name, version), groups in rows:
        if ecosystem == "Go":
            version = version.removeprefix("v")
            path = re.sub(r"go\.sum$", "go.mod", path)  # tools differ in which of the two they name for what only go.sum has
        found |= {(path, ecosystem, fold(ecosystem, name), version, group) for group in groups}
    return found


def fixes(affected):
    return [e["fixed"] for r in affected.get("ranges") or [] for e in r["events"] if "fixed" in e]


def kind_of(pair, about, records):
    """What is special about a difference: the first of these that is true."""
    path, ecosystem, name, version, group = pair
    if not about:
        return "the records hold nothing on this package under this id"
    events = [e for _, a in about for r in a.get("ranges") or [] if r["type"] != "GIT" for e in r["events"]]
    bounds = [v for e in events for v in e.values() if v != "0"]
    listed = [v for _, a in about for v in a.get("versions") or []]
    if ecosystem == "Go" and name in ("stdlib", "toolchain"):
        return "Go's standard library at the version of the go line"
    if any((a.get("database_specific") or {}).get("informational") for _, a in about):
        return "informational (unmaintained, notice or unsound)"
    if any(fixed == version for _, a in about for fixed in fixes(a)):
        return "the version in which one of the advisory's ranges ends"
    if order(ecosystem, version) is None:
        return "a version that its ecosystem cannot order"
    if any(order(ecosystem, b) is None for b in bounds):
        return "a bound that its ecosystem cannot order"
    if ecosystem == "Go" and re.search(r"-(0\.)?\d{14}-[0-9a-f]{12}", version):
        return "Go pseudo-version"
    if name != name.lower():
        return "capital letters in the name"
    if ecosystem == "PyPI" and version not in listed and any(order(ecosystem, v) == order(ecosystem, version) for v in listed):
        return "another spelling of a listed version"
    if ecosystem == "PyPI" and order(ecosystem, version).is_prerelease or ecosystem != "PyPI" and "-" in version:
        return "pre-release"
    if ecosystem == "PyPI" and "+" in version:
        return "local version"
    if events and listed and not any(affected_by(ecosystem, {"ranges": a.get("ranges")}, version) for _, a in about):
        return "listed, outside of every range"
    types = [[r["type"] for r in a.get("ranges") or []] for _, a in about]
    if any(some[:1] == ["GIT"] and len(some) > 1 for some in types):
        return "a GIT range stands before the range of versions"
    if len(about) > 1 or any(len(a.get("ranges") or []) > 1 for _, a in about):
        return "several ranges or records of one advisory"
    return "plain"


def main(args):
    lists = "--list" in args
    folder, ours_at, peer_at, root = [a for a in args if a != "--list"]
    records = Records(folder)
    with open(ours_at) as file:
        left = pairs(ours(json.load(file), records), records)
    with open(peer_at) as file:
        document = json.load(file)
    peer = "osv-scanner" if "results" in document else "trivy"
    right = pairs(trivy(document, records) if peer == "trivy" else osv_scanner(document, records, root), records)
    print(f"{len(left)} of aiva, {len(right)} of {peer}, {len(left & right)} the same; only aiva {len(left - right)}, only {peer} {len(right - left)}")
    counts = collections.Counter()
    for side, some in (("aiva", left - right), (peer, right - left)):
        for pair in sorted(some, key=str):
            path, ecosystem, name, version, group = pair
            about = records.about(ecosystem, name, group)
            says = [affected_by(ecosystem, a, version) for _, a in about]
            word = "affected" if True in says else "not decidable" if None in says else "not affected"
            kind = kind_of(pair, about, records)
            counts[side, ecosystem, kind, word] += 1
            if lists:
                print(f"only {side}\t{path}\t{name}\t{version}\t{group}\t{kind}\t{word}")
    for (side, ecosystem, kind, word), many in sorted(counts.items()):
        print(f"only {side:12} {ecosystem:10} {many:6}  {kind}: {word} by the records")


main(sys.argv[1:])
