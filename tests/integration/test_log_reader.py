"""stderr that nobody reads: the service goes on, and says afterwards how many lines are missing."""
import fcntl
import os

from harness.wait import wait_until


def read_all(fd):
    text = b""
    try:
        while part := os.read(fd, 65536):
            text += part
    except BlockingIOError:
        pass
    return text.decode()


def test_a_reader_that_has_stopped_stops_nobody(make_hopcountd, redis, tmp_path):
    fifo = tmp_path / "stderr"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    os.write(reader, b"x" * 4096)
    daemon = make_hopcountd(redis, start=False, wrapper=["sh", "-c", f'exec "$@" 2>"{fifo}"', "sh"])
    daemon.start()
    token = daemon.mint("pay", 1)
    for n in range(1, 4):
        daemon.config_path.write_text("broken: yes\n")
        daemon.reload()
        wait_until(lambda: daemon.metrics()["hopcount_stderr_lines_dropped_total"] > n, 20, "a line is dropped")
        daemon.click(token)
    assert daemon.wait_counted(3, [token]) == {token: 3}
    read_all(reader)
    text = ""

    def is_told():
        nonlocal text
        text += read_all(reader)
        return "at=log.dropped lines=" in text
    wait_until(is_told, 20, "the number of dropped lines is told")
    daemon.shut_down()
    os.close(reader)
