"""Two builds of one source, in folders of other names, are the same bytes: programs, list of parts, Debian package."""
import hashlib
import os
import re
import subprocess

import pytest

from harness.build import BUILD, ROOT


def run(*command, **kwargs):
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True, timeout=1200, **kwargs)
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"


def cached(name):
    found = re.search(rf"^{name}:\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.M)
    return found[1] if found else ""


def build_of_a_copy(folder, names):
    """A build of what git knows, as it lies here now, without ccache."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("CMAKE_", "CCACHE_"))}
    environment["CCACHE_DISABLE"] = "1"
    source, tree = (folder / name for name in names)
    source.mkdir(parents=True)
    run("sh", "-c", 'git ls-files -z | tar -c --null -T - | tar -x -C "$1"', "sh", source, cwd=ROOT)
    run("cmake", "-S", source, "-B", tree, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_C_COMPILER={cached('CMAKE_C_COMPILER')}",
        env=environment)
    run("cmake", "--build", tree, "--target", "hopcountd", "hopcount", "third_party", env=environment)
    return tree


def digests(tree, work):
    run("cpack", "-G", "DEB", "--config", tree / "CPackConfig.cmake", "-B", work, cwd=tree,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1795000000"})
    (package,) = work.glob("hopcount_*.deb")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (tree / "hopcountd", tree / "hopcount", tree / "sbom.cdx.json", package)}


@pytest.mark.release
def test_a_build_in_another_folder_is_the_same_bytes(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("not a git clone")
    # ccache may hand out what was compiled elsewhere, with the paths of there.
    first = build_of_a_copy(tmp_path, ("one", "one/build")) if cached("CMAKE_C_COMPILER_LAUNCHER") else BUILD
    second = build_of_a_copy(tmp_path, ("some/sources", "a-build-tree-outside"))
    assert digests(first, tmp_path / "first") == digests(second, tmp_path / "second")
