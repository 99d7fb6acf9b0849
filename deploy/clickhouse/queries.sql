-- Ready queries on the table of schema.sql.

-- 1. The audit: per log nothing is missing and nothing is there twice (of a sink without types, labels, brands, kinds).
SELECT lower(hex(log)) AS log, count() AS n, uniqExact(position) AS different,
       max(position) - min(position) + 1 AS range, n = different AND n = range AS is_whole
FROM hopcount.clicks GROUP BY log ORDER BY is_whole, n DESC;

-- 2. People's clicks by campaign and day, by the label that a click has by now.
SELECT toDate(hour) AS day, campaign, sum(clicks) AS people
FROM hopcount.clicks_by_hour WHERE label = 'human' GROUP BY day, campaign ORDER BY day, campaign;

-- 3. Distinct clients by campaign and variant.
SELECT campaign, variant, uniq(client) AS clients
FROM hopcount.clicks WHERE type = 'click' AND label = 'human' AND client != 0
GROUP BY campaign, variant ORDER BY campaign, variant;

-- 4. From the first click by a person to the payment, per campaign: median in hours, and money.
SELECT campaign, count() AS invoices, median(dateDiff('second', first_click, paid_at)) / 3600 AS median_h,
       sum(paid) AS amount, currency
FROM
(
    SELECT brand, object, min(time) AS first_click, argMin(campaign, time) AS campaign
    FROM hopcount.clicks WHERE type = 'click' AND label = 'human' AND object != 0 GROUP BY brand, object
) AS clicked
INNER JOIN
(
    SELECT brand, object, min(time) AS paid_at, sum(amount) AS paid, any(currency) AS currency
    FROM hopcount.clicks WHERE type = 'invoice.paid' GROUP BY brand, object
) AS paid_invoices USING (brand, object)
WHERE paid_at >= first_click GROUP BY campaign, currency ORDER BY campaign;

-- 5. What machines do, by reason.
SELECT reason, label, count() AS n FROM hopcount.clicks
WHERE type IN ('click', 'relabel') AND label != 'human' GROUP BY reason, label ORDER BY n DESC;
