"""Jars through Maven, in a cache folder."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile


def cache_dir():
    return pathlib.Path(os.environ.get("SLUICE_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "sluice"))


def fetch(name, version, pom, version_property):
    """Returns the folder with the jars that the pom names; fills it first where it is not complete."""
    jars = cache_dir() / f"{name}-{version}"
    if (jars / "complete").exists():
        return jars
    print(f"fetching {name} {version} through Maven into {jars}", file=sys.stderr)
    shutil.rmtree(jars, ignore_errors=True)
    jars.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copy(pom, pathlib.Path(scratch) / "pom.xml")
        result = subprocess.run(
            ["mvn", "-q", "-B", f"-D{version_property}={version}", "dependency:copy-dependencies",
             "-DincludeScope=runtime", f"-DoutputDirectory={jars}"],
            cwd=scratch, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"Maven could not fetch {name}:\n{result.stdout[-3000:]}")
    (jars / "complete").touch()
    return jars
