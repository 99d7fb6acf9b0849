// Counters as they change, by server-sent events.

/**
 * Calls `onChange(as_of)` when a count has changed, `onState("live" | "waiting")` when the stream
 * comes or goes; the browser reconnects by itself.  Returns a function that ends it.
 */
export function watch(params, { onChange, onState }) {
    const source = new EventSource(`../v1/live?${new URLSearchParams(params)}`);
    let last = null;

    function take(event) {
        const { applied, today, redis_up: isUp, as_of: asOf } = JSON.parse(event.data);
        const text = JSON.stringify([applied, today]);

        onState(isUp ? "live" : "waiting");
        // What other processes counted shows in the sums of today.
        if (last !== null && text !== last)
            onChange(asOf);
        last = text;
    }

    source.addEventListener("error", () => onState("waiting"));
    source.addEventListener("counts", take);
    return () => source.close();
}
