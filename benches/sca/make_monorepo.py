#!/usr/bin/env python3
"""Makes a monorepo of lockfiles: the same bytes for the same arguments, whatever the Python.

What it keeps of real repositories: nine formats in the proportions of a company that writes JavaScript, Rust, Go and Python;
projects of very different sizes (log-normal); packages shared between projects, some in nearly all of them; scoped names; two
versions of one name in a tree; edges between packages, development and optional ones among them; addresses, hashes, engines and
funding beside each entry. About one entry in thirty is a package and a version that some advisory names, the rest are made up.

Project N is the same at every scale: a monorepo of 800 is the first part of one of 3,200.

usage: make_monorepo.py ADVISORIES OUT [--lockfiles 800] [--seed 1]
       ADVISORIES holds <ecosystem>/all.zip as OSV exports them, for npm, crates.io, PyPI and Go
"""
import argparse
import hashlib
import json
import os
import random
import re
import zipfile

# How many of a hundred lockfiles are of a format, and how many packages the middle one holds.
MIX = [
    ("package-lock.json", 17, 580),
    ("package-lock.v2.json", 4, 580),
    ("yarn.lock", 8, 472),
    ("yarn.berry.lock", 3, 472),
    ("pnpm-lock.yaml", 9, 472),
    ("Cargo.lock", 18, 250),
    ("go.mod", 16, 55),
    ("requirements.txt", 14, 38),
    ("poetry.lock", 6, 60),
    ("uv.lock", 4, 60),
    ("Pipfile.lock", 1, 45),
]
HIT = 0.033  # of the entries


def vulnerable(folder, ecosystem):
    """Names with versions that an advisory mentions, the release before a fix among them where it can be told."""
    names = {}
    archive = zipfile.ZipFile(os.path.join(folder, ecosystem, "all.zip"))
    for entry in sorted(archive.namelist()):
        record = json.loads(archive.read(entry))
        if record.get("withdrawn"):
            continue
        for affected in record.get("affected") or []:
            package = affected.get("package") or {}
            if package.get("ecosystem") != ecosystem:
                continue
            known = names.setdefault(package["name"], set())
            known.update((affected.get("versions") or [])[-3:])
            for span in affected.get("ranges") or []:
                if span["type"] != "GIT":
                    known.update(v for event in span["events"] for v in event.values() if v != "0")
    return {name: sorted(v) for name, v in sorted(names.items()) if v}


SYLLABLES = ["ab", "ba", "cor", "dex", "el", "fo", "gra", "hy", "in", "jo", "ka", "lo", "mi", "no", "ox", "pra", "qui", "ro", "sta", "ti", "un", "vo", "wex", "ya", "zo"]


def invented(rnd, style):
    """A name that no registry is likely to have: three syllables and a number in words."""
    base = "".join(rnd.choice(SYLLABLES) for _ in range(3)) + rnd.choice(["", "-core", "-utils", "-plugin", "-types"])
    if style == "npm" and rnd.random() < 0.28:
        return f"@{rnd.choice(SYLLABLES)}{rnd.choice(SYLLABLES)}/{base}"
    if style == "Go":
        return f"example.{rnd.choice(['com', 'org', 'dev'])}/{rnd.choice(SYLLABLES)}{rnd.choice(SYLLABLES)}/{base}"
    return base


def version(rnd):
    return f"{min(int(rnd.expovariate(0.45)), 40)}.{min(int(rnd.expovariate(0.15)), 60)}.{min(int(rnd.expovariate(0.25)), 40)}"


def go_version(name, v):
    """What the go command accepts: v0 and v1, a /vN or gopkg.in .vN path of that major, or +incompatible."""
    v = v.removeprefix("v")
    v += ".0" * (2 - v.split("-")[0].count("."))
    major = v.split(".")[0]
    path_major = re.search(r"(?:/v|^gopkg\.in/.*\.v)(\d+)$", name)
    if path_major:
        return f"{path_major.group(1)}.{v.split('.', 1)[1]}".split("+")[0]
    if name.startswith("gopkg.in/"):
        return None
    return v if major in ("0", "1") else v.split("+")[0] + "+incompatible"


class Pool:
    """The packages of one ecosystem: those that advisories name, and the invented ones, the first of them far more popular."""

    def __init__(self, ecosystem, known, seed):
        rnd = random.Random(f"{seed} pool {ecosystem}")
        self.known, self.names = known, list(known)
        count = {"npm": 30000, "crates.io": 6000, "PyPI": 4000, "Go": 3000}[ecosystem]
        made = {}
        while len(made) < count:
            made[invented(rnd, ecosystem)] = [version(rnd) for _ in range(rnd.choice([1, 2, 3, 4, 6]))]
        self.made = list(made.items())

    def pick(self, rnd):
        if rnd.random() < HIT:
            name = rnd.choice(self.names)
            return name, rnd.choice(self.known[name]) if rnd.random() < 0.7 else version(rnd)
        name, versions = self.made[int(len(self.made) * rnd.random() ** 2.2)]
        return name, rnd.choice(versions)

    def draw(self, rnd, count):
        chosen = {}
        while len(chosen) < count:
            name, at = self.pick(rnd)
            chosen.setdefault(name, at)
        return sorted(chosen.items())


def edges(rnd, count):
    """For each of `count` packages the places of those it needs: always later ones of a hidden order, so that no name loops."""
    order = list(range(count))
    rnd.shuffle(order)
    needs = {}
    for place, at in enumerate(order):
        left = count - place - 1
        many = min(left, int(rnd.expovariate(0.55)))
        needs[at] = sorted({order[place + 1 + int(left * rnd.random() ** 1.5)] for _ in range(many)}) if left else []
    needed = {other for list_ in needs.values() for other in list_}
    return needs, [at for at in range(count) if at not in needed]


def sha512(rnd):
    import base64
    return "sha512-" + base64.b64encode(rnd.randbytes(64)).decode()


def tarball(name, v):
    return f"https://registry.npmjs.org/{name}/-/{name.split('/')[-1]}-{v}.tgz"


LICENCES = ["MIT"] * 8 + ["ISC", "Apache-2.0", "BSD-3-Clause"]


def npm_semver(pool):
    """Advisories of npm name a few versions that npm itself would refuse."""
    pattern = re.compile(r"^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$")
    kept = {name: [v for v in versions if pattern.match(v)] for name, versions in pool.items()}
    return {name: v for name, v in kept.items() if v and re.match(r"^(@[a-z0-9._-]+/)?[A-Za-z0-9._-]+$", name)}


def package_lock(rnd, pool, count, project, two):
    rows = pool.draw(rnd, count)
    needs, roots = edges(rnd, len(rows))
    packages = {"": {"name": project, "version": "1.0.0", "license": "UNLICENSED", "dependencies": {}, "devDependencies": {}}}
    old = {}
    dev_roots = set(roots[len(roots) * 2 // 3:])
    for root in roots:
        kind = "devDependencies" if root in dev_roots else "dependencies"
        packages[""][kind][rows[root][0]] = "^" + rows[root][1]
    runtime, stack = set(), [r for r in roots if r not in dev_roots]
    while stack:
        at = stack.pop()
        if at not in runtime:
            runtime.add(at)
            stack.extend(needs[at])
    nested = []
    for at, (name, v) in enumerate(rows):
        entry = {"version": v, "resolved": tarball(name, v), "integrity": sha512(rnd)}
        if at not in runtime:
            entry["dev"] = True
        entry["license"] = rnd.choice(LICENCES)
        if needs[at]:
            entry["dependencies"] = {rows[other][0]: "^" + rows[other][1] for other in needs[at]}
        if rnd.random() < 0.6:
            entry["engines"] = {"node": rnd.choice([">=6", ">=10", ">= 0.4", ">=14.17"])}
        if rnd.random() < 0.2:
            entry["funding"] = {"url": f"https://example.com/sponsors/{at}"}
        if rnd.random() < 0.05:
            entry["bin"] = {name.split("/")[-1]: "bin/cli.js"}
        packages[f"node_modules/{name}"] = entry
        if needs[at] and rnd.random() < 0.07:  # a second version of what it needs, below it
            other = rows[needs[at][0]][0]
            second = version(rnd)
            packages[f"node_modules/{name}/node_modules/{other}"] = {
                "version": second, "resolved": tarball(other, second), "integrity": sha512(rnd), "license": "MIT",
                **({"dev": True} if at not in runtime else {})}
            nested.append((name, other, second))
    document = {"name": project, "version": "1.0.0", "lockfileVersion": 2 if two else 3, "requires": True, "packages": packages}
    if two:  # format 2 says everything twice
        for path, entry in packages.items():
            if path and "/node_modules/" not in path:
                old[path.removeprefix("node_modules/")] = {
                    **{k: entry[k] for k in ("version", "resolved", "integrity", "dev") if k in entry},
                    **({"requires": entry["dependencies"]} if "dependencies" in entry else {})}
        for name, other, second in nested:
            old[name].setdefault("dependencies", {})[other] = {
                "version": second, "resolved": tarball(other, second), "integrity": packages[f"node_modules/{name}/node_modules/{other}"]["integrity"],
                **({"dev": True} if old[name].get("dev") else {})}
        document["dependencies"] = old
    manifest = {k: packages[""][k] for k in ("name", "version", "dependencies", "devDependencies")}
    return json.dumps(document, indent=2) + "\n", manifest


def quoted(name):
    return f'"{name}"' if name.startswith("@") else name


def manifest_of(project, rows, roots):
    cut = len(roots) * 2 // 3
    ranges = lambda some: {rows[at][0]: "^" + rows[at][1] for at in some}
    return {"name": project, "version": "1.0.0", "dependencies": ranges(roots[:cut]), "devDependencies": ranges(roots[cut:])}


def yarn(rnd, pool, count, project):
    rows = pool.draw(rnd, count)
    needs, roots = edges(rnd, len(rows))
    out = ["# THIS IS AN AUTOGENERATED FILE. DO NOT EDIT THIS FILE DIRECTLY.\n# yarn lockfile v1\n\n"]
    for at, (name, v) in enumerate(rows):
        key = f"{name}@^{v}"
        out.append(f'\n{quoted(key) if not name.startswith("@") else chr(34) + key + chr(34)}:\n  version "{v}"\n'
                   f'  resolved "https://registry.yarnpkg.com/{name}/-/{name.split("/")[-1]}-{v}.tgz#{rnd.getrandbits(160):040x}"\n  integrity {sha512(rnd)}\n')
        if needs[at]:
            out.append("  dependencies:\n" + "".join(f'    {quoted(rows[o][0])} "^{rows[o][1]}"\n' for o in needs[at]))
    return "".join(out), manifest_of(project, rows, roots)


def berry(rnd, pool, count, project):
    rows = pool.draw(rnd, count)
    needs, roots = edges(rnd, len(rows))
    head = ["# This file is generated by running \"yarn install\" inside your project.\n# Manual changes might be lost - proceed with caution!\n\n__metadata:\n  version: 8\n  cacheKey: 10c0\n"]
    body = {}
    asked = lambda some: "".join(f'    {quoted(rows[o][0])}: "npm:^{rows[o][1]}"\n' for o in some)
    for at, (name, v) in enumerate(rows):
        deps = "  dependencies:\n" + asked(needs[at]) if needs[at] else ""
        body[name] = (f'\n"{name}@npm:^{v}":\n  version: {v}\n  resolution: "{name}@npm:{v}"\n{deps}  checksum: 10c0/{rnd.getrandbits(512):0128x}\n  languageName: node\n  linkType: hard\n')
    body[project] = f'\n"{project}@workspace:.":\n  version: 0.0.0-use.local\n  resolution: "{project}@workspace:."\n  dependencies:\n{asked(roots)}  languageName: unknown\n  linkType: soft\n'
    return "".join(head + [body[name] for name in sorted(body)]), manifest_of(project, rows, roots)


def pnpm(rnd, pool, count, project):
    rows = pool.draw(rnd, count)
    needs, roots = edges(rnd, len(rows))
    key = lambda name, v: f"'{name}@{v}'" if name.startswith("@") else f"{name}@{v}"
    q = lambda name: f"'{name}'" if name.startswith("@") else name
    cut = len(roots) * 2 // 3
    out = ["lockfileVersion: '9.0'\n\nsettings:\n  autoInstallPeers: true\n  excludeLinksFromLockfile: false\n\nimporters:\n\n  .:\n"]
    for title, some in (("dependencies", roots[:cut]), ("devDependencies", roots[cut:])):
        if some:
            out.append(f"    {title}:\n" + "".join(f"      {q(rows[o][0])}:\n        specifier: ^{rows[o][1]}\n        version: {rows[o][1]}\n" for o in some))
    out.append("\npackages:\n")
    for name, v in rows:
        engines = "    engines: {node: '>=10'}\n" if rnd.random() < 0.6 else ""
        out.append(f"\n  {key(name, v)}:\n    resolution: {{integrity: {sha512(rnd)}}}\n{engines}")
    out.append("\nsnapshots:\n")
    for at, (name, v) in enumerate(rows):
        if needs[at]:
            out.append(f"\n  {key(name, v)}:\n    dependencies:\n" + "".join(f"      {q(rows[o][0])}: {rows[o][1]}\n" for o in needs[at]))
        else:
            out.append(f"\n  {key(name, v)}: {{}}\n")
    return "".join(out), manifest_of(project, rows, roots)


def cargo(rnd, pool, count, project):
    rows = pool.draw(rnd, count)
    needs, roots = edges(rnd, len(rows))
    entries = {project: f'\n[[package]]\nname = "{project}"\nversion = "0.1.0"\ndependencies = [\n' + "".join(f' "{n}",\n' for n in sorted(rows[o][0] for o in roots)) + "]\n"}
    for at, (name, v) in enumerate(rows):
        deps = "dependencies = [\n" + "".join(f' "{rows[o][0]}",\n' for o in needs[at]) + "]\n" if needs[at] else ""
        entries[name] = (f'\n[[package]]\nname = "{name}"\nversion = "{v}"\nsource = "registry+https://github.com/rust-lang/crates.io-index"\n'
                         f'checksum = "{rnd.getrandbits(256):064x}"\n{deps}')
    return "# This file is automatically @generated by Cargo.\n# It is not intended for manual editing.\nversion = 4\n" + "".join(entries[n] for n in sorted(entries))


def go_mod(rnd, pool, count, project):
    rows = [(n, go_version(n, v)) for n, v in pool.draw(rnd, count)]
    rows = [(n, v) for n, v in rows if v]
    line = lambda n, v: f"\t{n} v{v}"
    cut = max(1, len(rows) // 4)
    direct = {n for n, _ in rnd.sample(rows, cut)}
    return (f"module example.com/{project}\n\ngo 1.24.0\n\nrequire (\n" + "".join(line(n, v) + "\n" for n, v in rows if n in direct)
            + ")\n\nrequire (\n" + "".join(line(n, v) + " // indirect\n" for n, v in rows if n not in direct) + ")\n")


def requirements(rnd, pool, count, project):
    rows = pool.draw(rnd, count)
    hashes = rnd.random() < 0.3
    out = []
    for name, v in rows:
        tail = "".join(f" \\\n    --hash=sha256:{rnd.getrandbits(256):064x}" for _ in range(rnd.randint(1, 4))) if hashes else ""
        out.append(f"{name}=={v}{tail}\n")
    return "".join(out)


def files(rnd, name, v, many):
    stem = name.replace("-", "_")
    return [f'{{file = "{stem}-{v}-py3-none-any{i}.whl", hash = "sha256:{rnd.getrandbits(256):064x}"}}' for i in range(many)]


def poetry(rnd, pool, count, project):
    rows = pool.draw(rnd, count)
    needs, roots = edges(rnd, len(rows))
    out = ["# This file is automatically @generated by Poetry 2.1.3 and should not be changed by hand.\n"]
    for at, (name, v) in enumerate(rows):
        listed = "".join(f"    {f},\n" for f in files(rnd, name, v, rnd.randint(2, 8)))
        deps = "\n[package.dependencies]\n" + "".join(f'{toml_key(rows[o][0])} = ">={rows[o][1]}"\n' for o in needs[at]) if needs[at] else ""
        out.append(f'\n[[package]]\nname = "{name}"\nversion = "{v}"\ndescription = "A part of {project}"\noptional = false\npython-versions = ">=3.8"\ngroups = ["main"]\nfiles = [\n{listed}]\n{deps}')
    out.append(f'\n[metadata]\nlock-version = "2.1"\npython-versions = ">=3.9"\ncontent-hash = "{rnd.getrandbits(256):064x}"\n')
    manifest = f'[project]\nname = "{project}"\nversion = "0.1.0"\nrequires-python = ">=3.9"\ndependencies = [\n' + "".join(f'    "{rows[o][0]}>={rows[o][1]}",\n' for o in roots) + "]\n\n[tool.poetry]\npackage-mode = false\n"
    return "".join(out), manifest


def toml_key(name):
    return name if re.match(r"^[A-Za-z0-9_-]+$", name) else f'"{name}"'


def uv(rnd, pool, count, project):
    rows = pool.draw(rnd, count)
    needs, roots = edges(rnd, len(rows))
    list_ = lambda some: "".join(f'    {{ name = "{rows[o][0]}" }},\n' for o in some)
    entries = {project: f'\n[[package]]\nname = "{project}"\nversion = "0.1.0"\nsource = {{ virtual = "." }}\ndependencies = [\n{list_(roots)}]\n'}
    for at, (name, v) in enumerate(rows):
        deps = f"dependencies = [\n{list_(needs[at])}]\n" if needs[at] else ""
        wheels = "".join(f'    {{ url = "https://files.pythonhosted.org/packages/{i}/{name}-{v}-py3-none-any{i}.whl", hash = "sha256:{rnd.getrandbits(256):064x}", size = {rnd.randint(4000, 900000)} }},\n' for i in range(rnd.randint(1, 6)))
        entries[name] = f'\n[[package]]\nname = "{name}"\nversion = "{v}"\nsource = {{ registry = "https://pypi.org/simple" }}\n{deps}wheels = [\n{wheels}]\n'
    return 'version = 1\nrevision = 2\nrequires-python = ">=3.9"\n' + "".join(entries[n] for n in sorted(entries))


def pipfile(rnd, pool, count, project):
    rows = pool.draw(rnd, count)
    entry = lambda v: {"hashes": [f"sha256:{rnd.getrandbits(256):064x}" for _ in range(rnd.randint(2, 6))], "markers": "python_version >= '3.8'", "version": f"=={v}"}
    cut = len(rows) * 4 // 5
    document = {"_meta": {"hash": {"sha256": f"{rnd.getrandbits(256):064x}"}, "pipfile-spec": 6, "requires": {"python_version": "3.11"},
                          "sources": [{"name": "pypi", "url": "https://pypi.org/simple", "verify_ssl": True}]},
                "default": {n: entry(v) for n, v in rows[:cut]}, "develop": {n: entry(v) for n, v in rows[cut:]}}
    return json.dumps(document, indent=4) + "\n"


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("advisories")
    args.add_argument("out")
    args.add_argument("--lockfiles", type=int, default=800)
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()

    python_name = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")
    known = {e: vulnerable(args.advisories, e) for e in ("npm", "crates.io", "PyPI", "Go")}
    known["npm"] = npm_semver(known["npm"])
    known["Go"] = {n: v for n, v in known["Go"].items() if n not in ("stdlib", "toolchain") and "." in n.split("/")[0]}
    known["PyPI"] = {re.sub(r"[-_.]+", "-", n).lower(): v for n, v in known["PyPI"].items() if python_name.match(n)}
    pools = {e: Pool(e, names, args.seed) for e, names in known.items()}
    deck = [(name, middle) for name, share, middle in MIX for _ in range(share)]
    count = total = size = 0
    digest = hashlib.sha256()
    for number in range(args.lockfiles):
        rnd = random.Random(f"{args.seed} project {number}")
        if number % len(deck) == 0:
            hand = deck[:]
            random.Random(f"{args.seed} deck {number // len(deck)}").shuffle(hand)
        kind, middle = hand[number % len(deck)]
        packages = max(3, min(int(middle * rnd.lognormvariate(0, 0.55)), 6 * middle))
        project = f"project-{number:05d}"
        folder = os.path.join(args.out, f"team-{number // 25:04d}", project)
        os.makedirs(folder, exist_ok=True)
        manifest = None
        if kind.startswith("package-lock"):
            text, manifest = package_lock(rnd, pools["npm"], packages, project, two="v2" in kind)
            kind = "package-lock.json"
        elif kind == "yarn.lock":
            text, manifest = yarn(rnd, pools["npm"], packages, project)
        elif kind == "yarn.berry.lock":
            text, manifest = berry(rnd, pools["npm"], packages, project)
            kind = "yarn.lock"
        elif kind == "pnpm-lock.yaml":
            text, manifest = pnpm(rnd, pools["npm"], packages, project)
        elif kind == "Cargo.lock":
            text = cargo(rnd, pools["crates.io"], packages, project)
        elif kind == "go.mod":
            text = go_mod(rnd, pools["Go"], packages, project)
        elif kind == "requirements.txt":
            text = requirements(rnd, pools["PyPI"], packages, project)
        elif kind == "poetry.lock":
            text, manifest = poetry(rnd, pools["PyPI"], packages, project)
        elif kind == "uv.lock":
            text = uv(rnd, pools["PyPI"], packages, project)
        else:
            text = pipfile(rnd, pools["PyPI"], packages, project)
        beside = {kind: text}
        if isinstance(manifest, dict):
            beside["package.json"] = json.dumps(manifest, indent=2) + "\n"
        elif manifest:
            beside["pyproject.toml"] = manifest
        for name, body in beside.items():
            with open(os.path.join(folder, name), "w", newline="\n") as file:
                file.write(body)
        data = text.encode()
        digest.update(data)
        count, total, size = count + 1, total + packages, size + len(data)
    print(f"{count} lockfiles, about {total} packages, {size / 1e6:.1f} MB, sha256 {digest.hexdigest()[:16]}")


if __name__ == "__main__":
    main()
