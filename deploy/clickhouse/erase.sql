-- Takes erased clients out of the table of schema.sql: a record `client.erased` says who, and up to when.  Their clicks stay
-- without link, object and client, so sums and the audit hold.  Run it once a day, and again after a sink was behind: records
-- from before the erasure may come after it.  On a cluster with SET allow_nondeterministic_mutations = 1.
ALTER TABLE hopcount.clicks UPDATE link = 0, object = 0, client = 0
WHERE type != 'client.erased' AND client != 0 AND (log, position) IN
(
    SELECT log, position FROM (SELECT log, position, brand, client, time FROM hopcount.clicks WHERE client != 0) AS clicked
    ALL INNER JOIN (SELECT brand, client, max(time) AS erased_at FROM hopcount.clicks WHERE type = 'client.erased' GROUP BY brand, client) AS erased
    USING (brand, client) WHERE time <= erased_at
);

-- The record itself names the client.  When nothing older can come any more, that goes too.
ALTER TABLE hopcount.clicks UPDATE client = 0 WHERE type = 'client.erased' AND written_at < now() - INTERVAL 90 DAY;
