// Tells when counters change, by server-sent events.

const REOPEN_MS = 5000;

/**
 * Calls `onChange(as_of)` when a count has changed, `onState("live" | "waiting")` when the stream
 * opens or breaks.  A browser reconnects by itself when a connection breaks, but not when the server
 * refuses the stream: then `onRefused()` is called, which finds out why, and the stream is opened
 * anew after a while.  Returns a function that closes it.
 */
export function watch(params, { onChange, onState, onRefused }) {
    let last = null, source = null, reopen = null;

    function take(event) {
        const { today, redis_up: isUp, as_of: asOf, at, pod } = JSON.parse(event.data);
        // Late clicks of an earlier day don’t change `today`, but they change the number applied.
        const text = JSON.stringify([today, pod?.applied]);

        onState(isUp ? "live" : "waiting");
        if (!today)
            return;
        if (last !== null && text !== last)
            onChange(asOf ?? at);
        last = text;
    }

    function open() {
        source = new EventSource(`../v1/live?${new URLSearchParams(params)}`);
        source.addEventListener("counts", take);
        source.addEventListener("error", () => {
            onState("waiting");
            if (source.readyState === EventSource.CLOSED) {
                reopen = setTimeout(open, REOPEN_MS);
                onRefused();
            }
        });
    }

    open();
    return () => {
        clearTimeout(reopen);
        source.close();
    };
}
