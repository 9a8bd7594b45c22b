"""List the licences of what showcost needs, and audit the tested versions for known weaknesses.

    python scripts/packages.py

The exit status is 1 for a licence that is not in the list below, and for a package with a known weakness.
The audit needs pypi.org's list of weaknesses; without it, a sentence says so.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

REPOSITORY: Final = Path(__file__).parent.parent
SECONDS: Final = 120
_BEGINNING: Final = 300

LICENCES: Final = {
    "Apache-2.0": r"Apache",
    "MIT": r"\bMIT\b",
    "BSD": r"BSD|0BSD",
    "PSF": r"Python Software Foundation|PSF|CNRI",
    "ISC": r"\bISC\b",
    "MPL-2.0": r"MPL|Mozilla Public License 2",
    "LGPL": r"LGPL|Lesser General Public",
    "Unlicense or public domain": r"Unlicense|Public Domain|CC0",
    "HPND or Zlib": r"HPND|MIT-CMU|Historical Permission|[Zz]lib",
}
"""The licences that a library may have, by regular expressions of how packages write them. Strong copyleft is
not among them: showcost is licensed under Apache-2.0."""


def needed(name: str) -> dict[str, Distribution]:
    """Return the installed packages that a package needs, itself left out, by normal name."""
    found: dict[str, Distribution] = {}
    waiting = [(name, "")]
    seen = set()
    while waiting:
        package, extra = waiting.pop()
        if (package, extra) in seen:
            continue
        seen.add((package, extra))
        try:
            known = distribution(package)
        except PackageNotFoundError:
            # One for another system or version of Python.
            continue
        found[_normal(package)] = known
        for text in known.requires or ():
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                waiting += [(_normal(wanted.name), chosen) for chosen in ("", *wanted.extras)]
    del found[_normal(name)]
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(package: Distribution) -> str | None:
    """Return the name in `LICENCES` of a package's licence; None for another or none."""
    about = package.metadata
    stated = [about["License-Expression"], *(about.get_all("Classifier") or ())]
    texts = [text for text in stated if text and (text == stated[0] or text.startswith("License :: OSI"))]
    # Without either, the first lines of what may be the whole text, or of the file.
    texts = texts or (about["License"] or "").strip().splitlines()[:1]
    files = [file for file in package.files or () if file.name.upper().startswith("LICEN")]
    texts = texts or [file.read_text()[:_BEGINNING] for file in files]
    for text in texts:
        for name, pattern in LICENCES.items():
            if re.search(pattern, text):
                return name
    return None


def list_licences() -> bool:
    """Print the licences of the packages that showcost needs; return whether all are in the list."""
    by_licence = defaultdict(list)
    packages = needed("showcost")
    for name, package in sorted(packages.items()):
        by_licence[licence_of(package)].append(name)
    others = by_licence.pop(None, [])
    for licence, names in sorted(by_licence.items(), key=lambda item: str(item[0])):
        print(f"{licence}: {', '.join(names)}")
    for name in others:
        print(f"{name} has a licence that scripts/packages.py does not list", file=sys.stderr)
    return not others


def audit() -> bool:
    """Audit the tested versions; return whether no weakness is known, or the list could not be had."""
    versions = REPOSITORY / "constraints.txt"
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--requirement",
        str(versions),
        "--no-deps",
        "--disable-pip",
    ]
    command += ["--timeout", "5", "--progress-spinner", "off", "--format", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)  # noqa: S603 -- ours
    except subprocess.TimeoutExpired:
        print("pypi.org does not answer in time: the versions were not audited for known weaknesses")
        return True
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        packages = []
    audited = [package for package in packages if "skip_reason" not in package]
    if not audited:
        print("pypi.org cannot be reached: the versions were not audited for known weaknesses")
        return True
    weak = [package for package in audited if package["vulns"]]
    for package in weak:
        known = ", ".join(weakness["id"] for weakness in package["vulns"])
        print(f"{package['name']} {package['version']}: {known}", file=sys.stderr)
    print(f"{len(audited)} of {len(packages)} versions audited, {len(weak)} with a known weakness")
    return not weak


if __name__ == "__main__":
    has_known_licences = list_licences()
    sys.exit(0 if audit() and has_known_licences else 1)
