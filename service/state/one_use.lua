-- Uses a link up, or says who has (FORMATS.md "One use").
--
-- KEYS  1 the server's hash, 2 the link's string, 3 the number of shards that this one is of (without
--       the two the script only looks at the replicas)
-- ARGV  1 the view that wants to use it, 2 milliseconds within which the same view may again,
--       3 seconds until the link has ended, 0 = never, 4 milliseconds that a new server waits,
--       5 the number of shards of whoever sends this: with another one the use may be elsewhere
--
-- Answers {what, replicas that have to confirm it}: 0 used by another view, 1 used by this one now,
-- 2 used by this one before, 3 it can't be said now.
--
-- A use must never be forgotten.  A server that has replicas, or had some in the last ten minutes,
-- may be replaced by one of them; so all that are there, and at least one, must have the use before
-- anyone is let in.  With none there nothing is written.  A server that was another before (run_id)
-- may lack the newest uses: it waits until the processes have told it the events in their logs.
local FORGET_S = 600
local info = redis.call('INFO', 'server', 'replication')
local run = info:match('run_id:(%x+)') or ''
local _, online = info:gsub('slave%d+:[^\r\n]*state=online', '')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local known = redis.call('HMGET', KEYS[1], 'run', 'replicas', 'since')
local replicas, since = online, 0
if known[1] == run then
    replicas, since = math.max(online, tonumber(known[2])), tonumber(known[3])
elseif known[1] then
    since = now
end
if known[1] ~= run or online >= replicas then
    redis.call('HSET', KEYS[1], 'run', run, 'replicas', replicas, 'since', since)
    redis.call('EXPIRE', KEYS[1], FORGET_S)
end
if not KEYS[2] then
    return { 3, 0 }
end

if redis.call('GET', KEYS[3]) ~= ARGV[5] then
    return { 3, 0 }
end
local had = redis.call('GET', KEYS[2])
local view, at
if had then
    view, at = had:match('^(%x+) (%d+)$')
    if view ~= ARGV[1] or now - tonumber(at) >= tonumber(ARGV[2]) then
        return { 0, 0 }
    end
end
if (replicas > 0 and online == 0) or now - since < tonumber(ARGV[4]) then
    return { 3, 0 }
end
if had then
    -- Written again, so that the replicas confirm it to this connection too.
    redis.call('SET', KEYS[2], had, 'KEEPTTL')
    return { 2, online }
end
redis.call('SET', KEYS[2], string.format('%s %.0f', ARGV[1], now))
if ARGV[3] ~= '0' then
    redis.call('EXPIRE', KEYS[2], ARGV[3])
end
return { 1, online }
