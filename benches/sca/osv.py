"""What OSV records say: aliases as one advisory, and whether a version is affected, by OSV's own algorithm.

The judge between scanners: it shares no code with any of them. SemVer's order is written here, Python's is PyPA's own.
"""
import collections
import functools
import json
import os
import re
import sys
import zipfile

try:
    from packaging.version import InvalidVersion, Version
except ImportError:
    sys.exit("PyPA's `packaging` is the judge of Python's versions: pip install packaging")

ECOSYSTEMS = ("npm", "crates.io", "PyPI", "Go")


def fold(ecosystem, name):
    return re.sub(r"[-_.]+", "-", name).lower() if ecosystem == "PyPI" else name


class Records:
    def __init__(self, folder):
        self.by_package, self.parent, self.withdrawn = collections.defaultdict(list), {}, set()
        for ecosystem in ECOSYSTEMS:
            archive = zipfile.ZipFile(os.path.join(folder, ecosystem, "all.zip"))
            for entry in archive.namelist():
                record = json.loads(archive.read(entry))
                if record.get("withdrawn"):
                    self.withdrawn.add(record["id"])
                    continue
                for alias in record.get("aliases") or []:
                    self.parent[self.group(record["id"])] = self.group(alias)
                for affected in record.get("affected") or []:
                    where = affected.get("package") or {}
                    if where.get("ecosystem") == ecosystem:
                        self.by_package[ecosystem, fold(ecosystem, where["name"])].append((record, affected))

    def group(self, name):
        while self.parent.setdefault(name, name) != name:
            name = self.parent[name]
        return name

    def about(self, ecosystem, name, group):
        return [(r, a) for r, a in self.by_package[ecosystem, fold(ecosystem, name)] if self.group(r["id"]) == group]


def semver(text):
    """A sort key of SemVer 2.0, or None. A leading `v` and Go's `+incompatible` say nothing about the order."""
    match = re.fullmatch(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", text)
    if not match:
        return None
    before = match.group(4)
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in before.split(".")) if before else ()
    return tuple(int(match.group(i) or 0) for i in (1, 2, 3)), (0 if before else 1), parts


def order(ecosystem, text):
    if ecosystem != "PyPI":
        return semver(text)
    try:
        return Version(text)
    except InvalidVersion:
        return None


def affected_by(ecosystem, affected, version):
    """OSV's evaluation: listed, or the last event at or before the version opens a range. None: the order cannot say."""
    asked = order(ecosystem, version)
    listed = affected.get("versions") or []
    if version in listed or (asked is not None and any(order(ecosystem, v) == asked for v in listed)):
        return True
    unknown = False
    for span in affected.get("ranges") or []:
        if span["type"] == "GIT":
            continue
        events = []
        for event in span["events"]:
            (kind, text), = event.items()
            # In a range of type SEMVER, bounds are SemVer; `0` is before everything.
            at = order(ecosystem, text) if text != "0" else "first"
            if at is None or asked is None:
                unknown = True
                break
            events.append((at, kind))
        else:
            less = lambda one, two: one == "first" or (two != "first" and one < two)
            rank = functools.cmp_to_key(lambda x, y: -1 if less(x[0], y[0]) and x[0] != y[0] else (x[0] != y[0]))
            is_in = False
            for at, kind in sorted(events, key=rank):
                at_or_before = at == "first" or at <= asked
                if kind == "introduced" and at_or_before:
                    is_in = True
                elif kind in ("fixed", "limit") and at_or_before:
                    is_in = False
                elif kind == "last_affected" and at != "first" and at < asked:
                    is_in = False
            if is_in:
                return True
    return None if unknown else False
