"""The release before this one: its programs, and its package."""
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


def run(*command, **kwargs):
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True, timeout=1200, **kwargs)
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"


def previous_commit():
    """Of the newest tag before HEAD, or FIRST."""
    tag = git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD~1").stdout.strip()
    commit = git("rev-parse", "--verify", "--quiet", f"{tag or FIRST}^{{commit}}").stdout.strip()
    if not commit or git("cat-file", "-e", f"{commit}^{{tree}}").returncode != 0:
        shallow = git("rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        pytest.skip(f"no {tag or FIRST} here to build: " + ("the clone is shallow" if shallow else "git doesn't know it"))
    return commit


def build_previous(*targets):
    """The build folder of that release, a Release build with these targets.  It is kept in tests/out/;
    whichever process comes first builds it."""
    commit = previous_commit()
    folder = ROOT / "tests/out/previous" / commit[:12]
    folder.parent.mkdir(parents=True, exist_ok=True)
    launcher = ["-DCMAKE_C_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
    environment = {**os.environ, "CCACHE_BASEDIR": str(folder), "CCACHE_NOHASHDIR": "1"}
    with open(folder.with_suffix(".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "build/build.ninja").exists():
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "source").mkdir(parents=True)
            archive = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=60)
            subprocess.run(["tar", "-x", "-C", folder / "source"], input=archive.stdout, check=True, timeout=60)
        run("cmake", "-S", folder / "source", "-B", folder / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
            "-DCMAKE_SKIP_INSTALL_ALL_DEPENDENCY=ON", *launcher, env=environment)
        run("cmake", "--build", folder / "build", "-j", os.cpu_count(), "--target", *targets, env=environment)
    return folder / "build"


@pytest.fixture(scope="session")
def old_program():
    program = build_previous("hopcountd") / "hopcountd"
    print(f"{program}: {subprocess.run([program, '--version'], text=True, capture_output=True, timeout=20).stdout}")
    return program
