#!/usr/bin/env python3
"""Writes OSV exports as a trivy-db of version 2 (a bbolt file), so that Trivy is run offline on exactly the advisories that AIVA
gets. Own code, written from the public facts of the two file formats.

One entry a package and CVE, its ranges joined by "or", fixed versions beside them, as Trivy's own builder writes them. OSV's
`affected` is the union of ranges and listed versions: those that no range covers are written too, but for the few that PyPA's own
`packaging` cannot read, since one such makes Trivy pass over the whole advisory.

usage: make_trivy_db.py ADVISORIES CACHE     writes CACHE/db/trivy.db and CACHE/db/metadata.json
"""
import json
import os
import struct
import sys
import zipfile

from osv import affected_by, fold, order

PAGE = 4096
BUCKETS = {"crates.io": "cargo", "Go": "go", "PyPI": "pip", "npm": "npm"}


class Bolt:
    """A bbolt file that is written once, from the leaves up. Pages 0 and 1 are the two metas, 2 is the empty free list."""

    def __init__(self):
        self.pages, self.next = {}, 3

    def page(self, body, flags, count):
        many = max(1, -(-(16 + len(body)) // PAGE))
        number = self.next
        self.next += many
        self.pages[number] = (struct.pack("<QHHI", number, flags, count, many - 1) + body).ljust(many * PAGE, b"\0")
        return number

    @staticmethod
    def leaf(items):
        head, data, start = b"", b"", 16 * len(items)
        for i, (key, value, is_bucket) in enumerate(items):
            head += struct.pack("<IIII", int(is_bucket), start - 16 * i + len(data), len(key), len(value))
            data += key + value
        return head + data

    def tree(self, items):
        level, page, size = [], [], 16
        for item in items:
            need = 16 + len(item[0]) + len(item[1])
            if page and size + need > PAGE:
                level.append((page[0][0], self.page(self.leaf(page), 2, len(page))))
                page, size = [], 16
            page.append(item)
            size += need
        level.append((page[0][0] if page else b"", self.page(self.leaf(page), 2, len(page))))
        while len(level) > 1:
            level = self.branches(level)
        return level[0][1]

    def branches(self, level):
        above, page, size = [], [], 16
        for key, number in level + [(None, None)]:
            if key is None or (len(page) >= 2 and size + 16 + len(key) > PAGE):
                head, data = b"", b""
                for i, (k, n) in enumerate(page):
                    head += struct.pack("<IIQ", 16 * len(page) - 16 * i + len(data), len(k), n)
                    data += k
                above.append((page[0][0], self.page(head + data, 1, len(page))))
                page, size = [], 16
            if key is not None:
                page.append((key, number))
                size += 16 + len(key)
        return above

    def bucket(self, content):
        items = [(k, self.bucket(v), True) if isinstance(v, dict) else (k, v, False) for k, v in sorted(content.items())]
        body = self.leaf(items)
        if not any(item[2] for item in items) and 16 + len(body) <= PAGE // 4:
            return struct.pack("<QQ", 0, 0) + struct.pack("<QHHI", 0, 2, len(items), 0) + body  # inline
        return struct.pack("<QQ", self.tree(items), 0)

    def write(self, path, content):
        root = self.tree([(k, self.bucket(v), True) for k, v in sorted(content.items())])
        self.pages[2] = struct.pack("<QHHI", 2, 0x10, 0, 0).ljust(PAGE, b"\0")
        for number in (0, 1):
            meta = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, PAGE, 0, root, 0, 2, self.next, number)
            fnv = 0xCBF29CE484222325
            for byte in meta:
                fnv = ((fnv ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
            self.pages[number] = (struct.pack("<QHHI", number, 4, 0, 0) + meta + struct.pack("<Q", fnv)).ljust(PAGE, b"\0")
        with open(path, "wb") as file:
            for number in sorted(self.pages):
                file.seek(number * PAGE)
                file.write(self.pages[number])


def ranges(ecosystem, affected):
    """What is affected, and what is not any more, in trivy-db's words."""
    vulnerable, patched = [], []
    for span in affected.get("ranges") or []:
        if span["type"] == "GIT":
            continue
        since = None
        for event in span["events"]:
            if "introduced" in event:
                since = event["introduced"]
            elif "fixed" in event or "last_affected" in event:
                end = f"<{event['fixed']}" if "fixed" in event else f"<={event['last_affected']}"
                vulnerable.append(end if since in (None, "0") else f">={since}, {end}")
                patched += [event["fixed"]] if "fixed" in event else []
                since = None
        if since is not None:
            vulnerable.append(">=0" if since == "0" else f">={since}")
    spans = {"ranges": affected.get("ranges")}
    listed = [v for v in affected.get("versions") or [] if order(ecosystem, v) is not None and not affected_by(ecosystem, spans, v)]
    return vulnerable + [f"={v}" for v in listed], patched


def main(source, cache):
    content = {b"vulnerability": {}, b"data-source": {}}
    for ecosystem, name in BUCKETS.items():
        bucket = f"{name}::OSV {ecosystem}".encode()
        packages = content.setdefault(bucket, {})
        content[b"data-source"][bucket] = json.dumps({"ID": "osv", "Name": f"OSV {ecosystem}", "URL": "https://osv.dev"}).encode()
        archive = zipfile.ZipFile(os.path.join(source, ecosystem, "all.zip"))
        for entry in archive.namelist():
            record = json.loads(archive.read(entry))
            if record.get("withdrawn"):
                continue
            cves = [a for a in record.get("aliases") or [] if a.startswith("CVE-")]
            said = cves[0] if cves else record["id"]
            for affected in record.get("affected") or []:
                if affected["package"]["ecosystem"] != ecosystem:
                    continue
                package = fold(ecosystem, affected["package"]["name"])
                vulnerable, patched = ranges(ecosystem, affected)
                advisories = packages.setdefault(package.encode(), {})
                before = json.loads(advisories.get(said.encode(), b'{"VendorIDs":[],"VulnerableVersions":[],"PatchedVersions":[]}'))
                advisories[said.encode()] = json.dumps({
                    "VendorIDs": before["VendorIDs"] + [record["id"]],
                    "VulnerableVersions": before["VulnerableVersions"] + vulnerable,
                    "PatchedVersions": before["PatchedVersions"] + patched}).encode()
            content[b"vulnerability"][said.encode()] = json.dumps({
                "Title": record.get("summary") or record["id"], "Description": record.get("details") or "", "Severity": "UNKNOWN",
                "References": [r["url"] for r in record.get("references") or []]}).encode()
    os.makedirs(os.path.join(cache, "db"), exist_ok=True)
    Bolt().write(os.path.join(cache, "db", "trivy.db"), content)
    with open(os.path.join(cache, "db", "metadata.json"), "w") as file:
        json.dump({"Version": 2, "NextUpdate": "2099-01-01T00:00:00Z", "UpdatedAt": "2026-01-01T00:00:00Z", "DownloadedAt": "2026-01-01T00:00:00Z"}, file)
    print(sum(len(v) for k, v in content.items() if b"::" in k), "packages,", len(content[b"vulnerability"]), "advisories")


main(*sys.argv[1:])
