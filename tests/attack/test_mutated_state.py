"""A state_dir that something has changed between two starts: a broken disk, a restored backup, a hand.

It must start, or refuse in one line that names the place; never crash, hang, count a click that
nobody made or count one twice.  Clicks of files that were left alone must all be counted.
"""
import os
import random
import shutil

import pytest

from faults.counts import read_counts
from faults.trial import flood, mint_links
from harness import tokens
from harness.wait import wait_until

CONFIG = {"redis": {"flush_ms": 20, "timeout_ms": 500}, "ledger": {"segment_bytes": 65536},
          "public": {"workers": 2, "requests_max": 1000000}}


def rewrite(path, change):
    data = bytearray(path.read_bytes())
    if data:
        change(data)
        path.write_bytes(data)


def flip_bits(path, rng):
    def change(data):
        for _ in range(rng.randrange(1, 40)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    rewrite(path, change)


def flip_in_header(path, rng):
    rewrite(path, lambda data: data.__setitem__(at := rng.randrange(min(64, len(data))), data[at] ^ 1 << rng.randrange(8)))


def zero_a_page(path, rng):
    def change(data):
        at = rng.randrange(len(data)) // 4096 * 4096
        data[at:at + 4096] = bytes(len(data[at:at + 4096]))
    rewrite(path, change)


def shuffle_records(path, rng):
    """Records of a segment change places: each is whole, but not where it says it is."""
    def change(data):
        n = len(data) // 64
        for _ in range(20 if n > 0 else 0): # the lock is empty
            a, b = rng.randrange(n) * 64, rng.randrange(n) * 64
            data[a:a + 64], data[b:b + 64] = data[b:b + 64], data[a:a + 64]
    rewrite(path, change)


def cut_off(path, rng):
    os.truncate(path, rng.randrange(path.stat().st_size + 1))


def lengthen(path, rng):
    with open(path, "ab") as file:
        file.write(rng.randbytes(rng.choice([1, 63, 64, 4096, 1 << 20])))


def remove(path, rng):
    path.unlink()


def replace_by_noise(path, rng):
    path.write_bytes(rng.randbytes(rng.randrange(200000)))


def replace_by_another(path, rng):
    others = sorted(p for p in path.parent.iterdir() if p.is_file() and p != path)
    if others:
        shutil.copyfile(rng.choice(others), path)


def copy_beside(path, rng):
    shutil.copyfile(path, path.with_name(rng.choice([path.name + ".bak", "0000ffff", "x" * 200, path.name.upper()])))


def replace_by_folder(path, rng):
    path.unlink()
    path.mkdir(mode=0o700)


def replace_by_fifo(path, rng):
    path.unlink()
    os.mkfifo(path, 0o600)


def replace_by_dangling_link(path, rng):
    path.unlink()
    path.symlink_to("nowhere")


def replace_by_link_to_device(path, rng):
    path.unlink()
    path.symlink_to("/dev/zero")


def take_rights(path, rng):
    path.chmod(0)


def move_the_folder(path, rng):
    names = ["0" * 32, "x", "f" * 32, path.parent.name[::-1]]
    free = [path.parent.with_name(name) for name in names if not path.parent.with_name(name).exists()]
    if path.parent.name != "state":
        path.parent.rename(rng.choice(free))


MUTATIONS = [flip_bits, flip_in_header, zero_a_page, shuffle_records, cut_off, lengthen, remove, replace_by_noise,
             replace_by_another, copy_beside, replace_by_folder, replace_by_fifo, replace_by_dangling_link,
             replace_by_link_to_device, take_rights, move_the_folder]


def files_of(state_dir):
    """Those of the clicks and of the state; not of the private Redis, which is not ours."""
    return sorted(path for path in state_dir.rglob("*") if path.is_file() and not path.is_symlink()
                  and "redis" not in path.relative_to(state_dir).parts)



class Round:
    """One daemon that has clicks of which Redis knows a part, killed, and started on a changed folder."""

    def __init__(self, make_hopcountd, redis, name):
        self.redis = redis
        redis.client().flushall()
        self.daemon = make_hopcountd(redis, CONFIG, name=name)
        self.links = mint_links(self.daemon, 10)
        self.tally = flood(self.daemon.port, self.links, 3000)
        self.daemon.wait_counted(3000, self.links)
        self.daemon.api("POST", "/v1/events", [{"id": f"{name}-{i}", "type": "invoice.paid", "brand": "acme", "object": i,
                                                 "at": "2026-01-01T00:00:00Z"} for i in range(1, 50)], 202)
        self.daemon.shut_down()  # writes what it knows of the state
        self.daemon.start()
        redis.stop()
        self.tally.add(flood(self.daemon.port, self.links, 3000))
        self.daemon.kill()
        redis.cont()

    def start(self):
        """True: it runs and redirects.  False: it has refused, in a line that names the folder."""
        daemon = self.daemon
        daemon.spawn()
        wait_until(lambda: daemon.is_ready() or not daemon.is_running(), 20,
                   lambda: f"it is ready, or ends\n{daemon.stderr_tail()}")
        if daemon.is_running():
            for link in self.links:
                daemon.click(link)
                self.tally.received[link] += 1
            return True
        daemon.assert_no_sanitizer_report()
        assert daemon.wait() == 1, daemon.stderr_tail()
        assert str(daemon.state_dir) in daemon.stderr_tail(3), daemon.stderr_tail()
        return False

    def check(self, least):
        """No link has more clicks than were made; in all there are at least `least`."""
        wait_until(lambda: self.daemon.metrics()["hopcount_clicks_pending"] == 0, 30, "all to be applied")
        counts = read_counts(self.redis.client())
        made = {tokens.link_id(link): n for link, n in self.tally.received.items()}
        for link, n in counts.links.items():
            assert n <= made.get(link, 0), f"link {link}: {n} counted, {made.get(link, 0)} made"
        assert counts.total >= least, f"{counts.total} counted, at least {least} were to be"
        self.daemon.shut_down()


def n_records(path):
    """How many clicks a segment may hold: what it takes with it when it is broken."""
    return max(0, path.stat().st_size // 64 - 1)


def mutate_and_start(make_hopcountd, redis, rng, name, mutations, n_files):
    this = Round(make_hopcountd, redis, name)
    files = files_of(this.daemon.state_dir)
    chosen = rng.sample(files, min(n_files, len(files)))
    lost = 0
    for path in chosen:
        mutation = rng.choice(mutations)
        print(f"{mutation.__name__}: {path.relative_to(this.daemon.state_dir)}")
        lost += (sum(map(n_records, path.parent.iterdir())) if mutation is move_the_folder and path.parent.is_dir()
                 else n_records(path)) if path.exists() else 0
        if path.exists():
            mutation(path, rng)
    if this.start():
        this.check(sum(this.tally.received.values()) - lost)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_start_on_a_changed_folder(make_hopcountd, redis, rng, mutation):
    mutate_and_start(make_hopcountd, redis, rng, "one", [mutation], 2)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(100))
def test_starts_on_folders_changed_in_many_ways(make_hopcountd, redis, seed, number):
    mutate_and_start(make_hopcountd, redis, random.Random(f"{seed}/{number}"), "many", MUTATIONS, 5)
