-- The table of a sink of type clickhouse, for ClickHouse 22.2 and newer: clickhouse-client --multiquery < schema.sql
--
-- On a cluster: ReplicatedMergeTree in place of MergeTree, with replicated_deduplication_window in
-- place of the setting below; the rest stays as it is.

CREATE DATABASE IF NOT EXISTS hopcount;

CREATE TABLE IF NOT EXISTS hopcount.clicks
(
    log FixedString(16),                 -- log and position name a record for ever
    position UInt64,
    written_at DateTime('UTC'),          -- one for each range, so that a range is in one partition
    type LowCardinality(String),         -- click, relabel, omitted, invoice.paid …
    time DateTime64(3, 'UTC'),
    brand LowCardinality(String),
    kind LowCardinality(String),
    link UInt64,                         -- lower(hex(link)) is how the API writes it
    object UInt64,                       -- 0 = none, here and below
    client UInt64,
    campaign UInt16,
    channel LowCardinality(String),
    variant LowCardinality(String),
    label LowCardinality(String),
    reason LowCardinality(String),
    old_label LowCardinality(String),
    old_reason LowCardinality(String),
    country LowCardinality(String),
    device LowCardinality(String),
    browser LowCardinality(String),
    system LowCardinality(String),
    referrer LowCardinality(String),
    value UInt32,
    amount Int64,                        -- minor units of the currency
    currency LowCardinality(String),
    INDEX of_log log TYPE bloom_filter GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(written_at)
ORDER BY (brand, toStartOfHour(time), log, position)
TTL written_at + INTERVAL 2 YEAR
SETTINGS non_replicated_deduplication_window = 1000;

-- Clicks by the label that they have by now: a relabelling takes one from the old and gives it to the new.
-- A range that comes twice is passed over here by a window of its own: newer versions hand it to the views
-- although the table above has passed over it.
CREATE TABLE IF NOT EXISTS hopcount.clicks_by_hour
(
    brand LowCardinality(String),
    campaign UInt16,
    kind LowCardinality(String),
    channel LowCardinality(String),
    variant LowCardinality(String),
    label LowCardinality(String),
    hour DateTime('UTC'),
    clicks Int64
)
ENGINE = SummingMergeTree(clicks)
PARTITION BY toYYYYMM(hour)
ORDER BY (brand, campaign, kind, channel, variant, label, hour)
TTL hour + INTERVAL 5 YEAR
SETTINGS non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS hopcount.clicks_to_hour TO hopcount.clicks_by_hour AS
SELECT brand, campaign, kind, channel, variant, label, toStartOfHour(toDateTime(time, 'UTC')) AS hour, toInt64(count()) AS clicks
FROM hopcount.clicks WHERE type IN ('click', 'relabel')
GROUP BY brand, campaign, kind, channel, variant, label, hour;

CREATE MATERIALIZED VIEW IF NOT EXISTS hopcount.relabels_to_hour TO hopcount.clicks_by_hour AS
SELECT brand, campaign, kind, channel, variant, old_label AS label, toStartOfHour(toDateTime(time, 'UTC')) AS hour, -toInt64(count()) AS clicks
FROM hopcount.clicks WHERE type = 'relabel'
GROUP BY brand, campaign, kind, channel, variant, old_label, hour;
