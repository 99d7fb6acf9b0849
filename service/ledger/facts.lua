-- Takes facts from the queue of a shard, for one process at a time (FORMATS.md "Queue of facts").
--
-- KEYS  1 the queue, 2 how often blocks were changed, 3 who takes facts, 4 the payments, 5 the number
--       of shards that this one is of
-- ARGV  1 the process, 2 for how many ms it may go on, 3 how many entries, 4 the number of
--       shards of whoever asks: with another one it would look for invoices elsewhere
--
-- Answers {entries that wait, {field, number, ...} of the payments, changes, {{id, {"f", records}}, ...}};
-- without the last two when nothing waits, another process takes them, or the counts are moved.
local n = redis.pcall('XLEN', KEYS[1])
local payments = redis.pcall('HGETALL', KEYS[4])
n = type(n) == 'number' and n or 0 -- what is no stream is not ours
payments = payments.err and {} or payments
local taker = n > 0 and redis.call('GET', KEYS[3])
if n == 0 or redis.call('GET', KEYS[5]) ~= ARGV[4] or (taker and taker ~= '' and taker ~= ARGV[1]) then
    return { n, payments }
end
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
return { n, payments, redis.call('GET', KEYS[2]) or '0', redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[3]) }
