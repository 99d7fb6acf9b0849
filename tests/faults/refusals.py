"""Ways in which a Redis refuses to write: each function makes it so and returns what mends it."""
import pytest
import redis as redis_py

from harness.wait import wait_until


def out_of_memory(redis):
    redis.client().config_set("maxmemory", "1mb")
    return lambda: redis.client().config_set("maxmemory", "0")


def too_few_replicas(redis):
    redis.client().config_set("min-replicas-to-write", "1")
    return lambda: redis.client().config_set("min-replicas-to-write", "0")


def read_only_replica(redis):
    redis.client().replicaof("127.0.0.1", "1")
    return lambda: redis.client().replicaof("NO", "ONE")


def failed_snapshot(redis):
    redis.options["enable-protected-configs"] = "yes"
    redis.restart()
    (redis.directory / "dump-blocked").mkdir()
    (redis.directory / "dump-blocked" / "file").touch()
    client = redis.client()
    client.config_set("dbfilename", "dump-blocked")
    client.config_set("save", "3600 1")
    client.bgsave()
    wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", 10,
               "the snapshot fails")

    def heal():
        client.config_set("dbfilename", "dump.rdb")
        client.config_set("save", "")
        client.bgsave()
        wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "ok", 10,
                   "the snapshot is made")
    return heal


def busy_script(redis):
    client = redis.client(socket_timeout=0.2)
    client.config_set("busy-reply-threshold", "50")
    with pytest.raises(redis_py.RedisError):
        client.eval("while true do end", 0)
    return lambda: redis.client().execute_command("SCRIPT", "KILL")


def wrong_password(redis):
    redis.client().config_set("requirepass", "secret")
    client = redis.client(password="secret")
    client.client_kill_filter(_type="normal", skipme=True)
    return lambda: client.config_set("requirepass", "")


def user_without_permission(redis):
    client = redis.client()
    client.execute_command("ACL", "SETUSER", "default", "-hincrby")
    return lambda: client.execute_command("ACL", "SETUSER", "default", "+@all")


def loading(redis):
    """A restart whose loading takes long."""
    client = redis.client()
    pipeline = client.pipeline(transaction=False)
    for i in range(20000):
        pipeline.set(f"filler:{i}", "x" * 200)
    pipeline.execute()
    redis.options.update({"key-load-delay": "100"})
    redis.kill()
    redis.spawn()
    return lambda: wait_until(redis.answers, 60, "Redis has loaded")


REFUSALS = {
    "oom": out_of_memory, "noreplicas": too_few_replicas, "readonly": read_only_replica,
    "misconf": failed_snapshot, "busy": busy_script, "noauth": wrong_password,
    "noperm": user_without_permission, "loading": loading,
}
