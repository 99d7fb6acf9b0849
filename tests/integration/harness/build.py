"""Where the programs are, and what kind of build they are."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("HOPCOUNT_BUILD", ROOT / "build")).resolve()
HOPCOUNTD = BUILD / "hopcountd"
HOPCOUNT = BUILD / "hopcount"


def build_type():
    """Release, Debug, Tsan or Fuzz; "" when the build tree can't say."""
    try:
        cache = (BUILD / "CMakeCache.txt").read_text()
    except OSError:
        return ""
    for line in cache.splitlines():
        if line.startswith("CMAKE_BUILD_TYPE:"):
            return line.split("=", 1)[1]
    return ""


# Sanitizers make everything slower: what a test waits for at most is multiplied by this.
SLOWNESS = {"Debug": 3, "Tsan": 6}.get(build_type(), 1)


def patience(seconds):
    """An upper bound of a wait; never a thing to measure with."""
    return seconds * SLOWNESS
