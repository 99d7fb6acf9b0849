// Tells when counters change, by server-sent events.

/**
 * Calls `onChange(as_of)` when a count has changed, `onState("live" | "waiting")` when the stream
 * opens or breaks; the browser reconnects by itself.  Returns a function that closes it.
 */
export function watch(params, { onChange, onState }) {
    const source = new EventSource(`../v1/live?${new URLSearchParams(params)}`);
    let last = null;

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

    source.addEventListener("error", () => onState("waiting"));
    source.addEventListener("counts", take);
    return () => source.close();
}
