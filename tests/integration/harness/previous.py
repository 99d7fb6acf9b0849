"""hopcountd of the release before this one, for tests in which both run at one Redis."""
import fcntl
import os
import shutil
import subprocess

import pytest

from .build import ROOT

# What counts as the release before the first tag: the state of the formats that the changelog begins with.
FIRST = "0290c7ae776d43de8f3c7886af62f87b7bfba1d0"


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, text=True, capture_output=True, timeout=60)


def previous_commit():
    """Of the newest tag before HEAD, or FIRST."""
    tag = git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD~1").stdout.strip()
    commit = git("rev-parse", "--verify", "--quiet", f"{tag or FIRST}^{{commit}}").stdout.strip()
    if not commit or git("cat-file", "-e", f"{commit}^{{tree}}").returncode != 0:
        shallow = git("rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        pytest.skip(f"no {tag or FIRST} here to build: " + ("the clone is shallow" if shallow else "git doesn't know it"))
    return commit


def build(commit, folder):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "source").mkdir(parents=True)
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=60)
    subprocess.run(["tar", "-x", "-C", folder / "source"], input=archive.stdout, check=True, timeout=60)
    launcher = ["-DCMAKE_C_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
    environment = {**os.environ, "CCACHE_BASEDIR": str(folder), "CCACHE_NOHASHDIR": "1"}
    for command in (["cmake", "-S", folder / "source", "-B", folder / "build", "-G", "Ninja",
                     "-DCMAKE_BUILD_TYPE=Release", *launcher],
                    ["cmake", "--build", folder / "build", "--target", "hopcountd", "-j", str(os.cpu_count())]):
        done = subprocess.run(command, text=True, capture_output=True, timeout=1200, env=environment)
        assert done.returncode == 0, f"{commit}: {done.stdout[-3000:]}{done.stderr[-3000:]}"


@pytest.fixture(scope="session")
def old_program():
    """A Release build, made once, by whichever worker comes first, and kept in tests/out/."""
    commit = previous_commit()
    folder = ROOT / "tests/out/previous" / commit[:12]
    folder.parent.mkdir(parents=True, exist_ok=True)
    program = folder / "build/hopcountd"
    with open(folder.with_suffix(".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            build(commit, folder)
    print(f"{commit}: {subprocess.run([program, '--version'], text=True, capture_output=True, timeout=20).stdout}")
    return program
