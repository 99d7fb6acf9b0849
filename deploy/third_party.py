#!/usr/bin/python3
"""deploy/third_party.py - what the programs are made of besides our own code, as two files.

    third_party.py --version V --modules FOLDER --program FILE… --notices FILE --sbom FILE

The notices hold the licence text of everything whose content is copied into the programs: the npm
packages of FOLDER's lock file and Chart.js.  The SBOM (CycloneDX 1.5, JSON) lists these, and the
libraries that each program is linked with, with their Debian packages where dpkg knows them.  The same
inputs give the same bytes.
"""
import argparse
import base64
import functools
import json
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.parse
import uuid

CHART_FOLDERS = [pathlib.Path("/usr/share/javascript/chart.js")]
DOC = pathlib.Path("/usr/share/doc")
BUILD_TOOLS = {"js-yaml", "argparse"}  # read a list when the programs are built; nothing of them is copied
TEXT_NAMES = re.compile(r"(licen[cs]e|copying|notice)(\.(md|txt))?$", re.I)


def run(*command):
    """What a command prints; "" when it fails or isn't there."""
    if not shutil.which(command[0]):
        return ""
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


def embedded_packages(modules):
    """(name, version, licence, hash, texts) of each npm package that the build reads lists from."""
    folder = modules / "node_modules" if (modules / "node_modules").is_dir() else modules
    lock = json.loads((folder / ".package-lock.json").read_text())
    for path, entry in sorted(lock["packages"].items()):
        if path.removeprefix("node_modules/") in BUILD_TOOLS:
            continue
        package = folder / path.removeprefix("node_modules/")
        about = json.loads((package / "package.json").read_text())
        texts = [(file.name, file.read_text(errors="replace").strip())
                 for file in sorted(package.iterdir()) if file.is_file() and TEXT_NAMES.match(file.name)]
        licence = about.get("license") or entry.get("license")
        if not licence and any("Apache License, Version 2.0" in text for _, text in texts):
            licence = "Apache-2.0"
        yield about["name"], entry["version"], licence, entry.get("integrity", ""), texts


def npm_component(name, version, licence, integrity):
    # npm writes the @ of a scope as %40 in package URLs.
    purl = f"pkg:npm/{urllib.parse.quote(name, safe='/')}@{version}"
    component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
                 "licenses": [{"expression": licence} if " " in licence else {"license": {"id": licence}}]}
    if integrity.startswith("sha512-"):
        content = base64.b64decode(integrity.removeprefix("sha512-")).hex()
        component["hashes"] = [{"alg": "SHA-512", "content": content}]
    return component


def debian_component(package, distribution):
    name, version, architecture = package
    purl = f"pkg:deb/{distribution}/{name}@{urllib.parse.quote(version, safe='.~')}?arch={architecture}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def linked_libraries(program):
    """{name of a library that `program` is linked with: its path}."""
    wanted = re.findall(r"\(NEEDED\).*\[(.*?)\]", run("readelf", "-d", program))
    paths = dict(re.findall(r"^\s*(\S+) => (/\S+)", run("ldd", program), re.M))
    return {name: paths.get(name, "") for name in wanted}


@functools.cache
def owner(path):
    """(package, version, architecture) of Debian's package that holds the file, or None."""
    for candidate in (path, path.replace("/usr/", "/", 1), "/usr" + path, str(pathlib.Path(path).resolve())):
        found = run("dpkg-query", "-S", candidate).split(":")[0].strip()
        if found:
            fields = run("dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\n", found)
            return tuple(fields.splitlines()[0].split("\t"))
    return None


def distribution():
    text = pathlib.Path("/etc/os-release").read_text()
    match = re.search(r"^ID=\"?([a-z]+)", text, re.M)
    return match[1] if match else "debian"


def chart_package():
    return owner(str(next(path for folder in CHART_FOLDERS for path in folder.glob("[Cc]hart.min.js"))))


def write_notices(path, packages, chart):
    parts = ["The programs of hopcount hold content of these packages, under the licences that follow.\n"]
    for name, version, licence, _, texts in packages:
        parts.append(f"{'=' * 78}\n{name} {version} ({licence})\n{'=' * 78}\n")
        if not texts or not licence:
            sys.exit(f"third_party: {name} has no licence text, or none that is known")
        parts += [f"{text}\n" for _, text in texts]
    if chart:
        text = (DOC / chart[0] / "copyright").read_text(errors="replace").strip()
        parts.append(f"{'=' * 78}\nChart.js, as in Debian's {chart[0]} {chart[1]}\n{'=' * 78}\n\n{text}\n")
    apache = pathlib.Path("/usr/share/common-licenses/Apache-2.0")
    if any(package[2] == "Apache-2.0" for package in packages) and apache.exists():
        parts.append(f"{'=' * 78}\nThe Apache License 2.0, which some of them refer to\n{'=' * 78}\n\n{apache.read_text()}")
    path.write_text("\n".join(parts))


def write_sbom(path, version, packages, chart, programs):
    where = distribution()
    components = [npm_component(*package[:4]) for package in packages]
    libraries = {}
    for program in programs:
        libraries.update(linked_libraries(program))
    owners = set(filter(None, [owner(found) if found else None for found in libraries.values()] + [chart]))
    components += [debian_component(package, where) for package in sorted(owners)]
    components += [{"type": "library", "bom-ref": name, "name": name} for name, found in sorted(libraries.items())
                   if not found or not owner(found)]
    own = {"type": "application", "bom-ref": f"pkg:generic/hopcount@{version}", "name": "hopcount",
           "version": version, "purl": f"pkg:generic/hopcount@{version}",
           "licenses": [{"license": {"id": "MIT"}}]}
    bom = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": {"component": own},
           "components": components,
           "dependencies": [{"ref": own["bom-ref"], "dependsOn": [each["bom-ref"] for each in components]}]}
    name = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bom, sort_keys=True))
    path.write_text(json.dumps({**bom, "serialNumber": f"urn:uuid:{name}"}, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    parser.add_argument("--modules", required=True, type=pathlib.Path)
    parser.add_argument("--program", required=True, nargs="+")
    parser.add_argument("--notices", required=True, type=pathlib.Path)
    parser.add_argument("--sbom", required=True, type=pathlib.Path)
    options = parser.parse_args()
    packages, chart = list(embedded_packages(options.modules)), chart_package()
    write_notices(options.notices, packages, chart)
    write_sbom(options.sbom, options.version, packages, chart, options.program)


if __name__ == "__main__":
    main()
