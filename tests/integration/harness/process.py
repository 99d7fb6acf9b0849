"""A process of our own: started, watched, stopped, killed, by its id and never by its name."""
import os
import pathlib
import signal
import subprocess

from .build import patience

SANITIZER_REPORTS = (
    "ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer",
    "runtime error:", "UndefinedBehaviorSanitizer", "AddressSanitizer:DEADLYSIGNAL",
)


class Process:
    """A child in a process group of its own; its stderr is kept in a file over restarts."""

    def __init__(self, name, directory):
        self.name = name
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.stderr_path = self.directory / f"{name}.stderr"
        self.child = None
        self.stopped = False
        self.groups = []
        self.pass_fds = ()

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def spawn(self, command=None):
        """Starts it; does not wait until it is ready."""
        assert not self.is_running(), f"{self.name} is running"
        with open(self.stderr_path, "ab") as stderr:
            self.child = subprocess.Popen(
                [str(part) for part in command or self.command()],
                stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr,
                env=self.environment(), cwd=self.directory, start_new_session=True,
                pass_fds=self.pass_fds)
        self.groups.append(self.child.pid)
        self.stopped = False
        return self

    @property
    def pid(self):
        return self.child.pid

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def send(self, number):
        assert self.is_running(), f"{self.name} has ended: {self.stderr_tail()}"
        os.kill(self.pid, number)

    def wait(self, seconds=20):
        """The exit code, negative for a signal."""
        try:
            return self.child.wait(patience(seconds))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end: {self.stderr_tail()}") from None

    def kill(self):
        """kill -9."""
        self.send(signal.SIGKILL)
        return self.wait()

    def terminate(self, seconds=30):
        """SIGTERM, and the exit code."""
        self.send(signal.SIGTERM)
        return self.wait(seconds)

    def stop(self):
        """Freezes it (SIGSTOP)."""
        self.send(signal.SIGSTOP)
        self.stopped = True

    def cont(self):
        self.send(signal.SIGCONT)
        self.stopped = False

    def cleanup(self):
        """Ends it, and whatever it has left behind in its process groups."""
        for group in self.groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        if self.child is not None:
            self.child.wait(patience(20))
        self.groups = []

    def stderr(self):
        try:
            return self.stderr_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def stderr_tail(self, n_lines=40):
        return "\n".join(self.stderr().splitlines()[-n_lines:])

    def log_lines(self, at):
        """The log lines of one `at`, for instance "redis.down"."""
        return [line for line in self.stderr().splitlines() if f" at={at} " in f"{line} "]

    def assert_no_sanitizer_report(self):
        text = self.stderr()
        for report in SANITIZER_REPORTS:
            assert report not in text, f"{self.name}: {report}\n{text[-20000:]}"
