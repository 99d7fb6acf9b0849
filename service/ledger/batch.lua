-- Applies one batch to one shard, or nothing (FORMATS.md "Batch").
--
-- KEYS  1 the cursor, 2 the hash of what is set aside, 3 the queue of facts, 4 the number of shards
--       that this one is of, 5 the set of slots in which people wait, then the keys of what is added to tables, cells, series,
--       people, events and uses in the order in which ARGV[4], [13], [5] to [7] and [9] need them
-- ARGV  1 from, 2 to (decimal positions), 3 seconds until the cursor expires,
--       4 tables   how many texts of records                                    a key each
--       5 series   msgpack [records, ttl, ...]                                  a key each
--       6 people   msgpack [slot, ...]             a text of records, and a key each
--       7 events   msgpack [entries of state, facts, ...]   two keys each, its own and that of its
--                                  table; 40 bytes behind the entries, if any, are kept in a stream
--       8 seconds for which an event is known
--       9 uses     msgpack [now, use, ...]           two keys each, its own and that of its table;
--                                                    behind those of events and uses those of the
--                                                    streams of states, of what is told and of links
--                                                    that are used up
--      10 seconds for which uses are kept
--      11 facts    how many texts of records     an entry of the queue each
--      12 the number of shards of whoever sends this
--      13 cells    msgpack [bytes, ttl, records, ...]     a key each, behind those of tables; what
--                                                         would make one longer is left out
--         from 14 on the texts of tables, people and facts, in this order: Lua hashes each byte of a
--         string that it makes, so that records within MessagePack would cost twice
--
-- Answers {1, n set aside, the first of them and why, {key, length, ...}, entries of the queue}: the
-- fourth being what was added to tables, and tables of states, that have grown over another 4 KiB, series and lone clicks that have grown to twice
-- what they were summed up to, and, with length 0, those that begin here.  Or {0, cursor}: that isn't `from`,
-- nothing was applied.
--
-- The cursor is the first write, by redis.call: whatever makes Redis refuse writes (OOM, READONLY,
-- MISCONF, NOREPLICAS ...) refuses it, and all is as before.  After it nothing may raise an error,
-- for a script is not rolled back; so everything below is redis.pcall.
local any = KEYS[2]
local needed = {
    { 'GET', any }, { 'SET', any, '1', 'EX', '1' }, { 'APPEND', any, '' },
    { 'GETRANGE', any, '0', '0' }, { 'HINCRBY', any, 'f', '1' }, { 'EXPIRE', any, '1', 'NX' },
    { 'PFADD', any, 'x' }, { 'PFMERGE', any, any }, { 'MGET', any }, { 'XADD', any, '*', 'e', '' }, { 'HGETALL', any },
    { 'XLEN', any }, { 'XRANGE', any, '-', '+' }, { 'XTRIM', any, 'MINID', '0' },
    { 'ZADD', any, '0', 'x' }, { 'ZRANGE', any, '0', '0' }, { 'ZREM', any, 'x' },
}
for _, command in ipairs(needed) do
    if not redis.acl_check_cmd(unpack(command)) then
        return redis.error_reply('NOPERM the Redis user needs the command ' .. command[1] ..
                                 ' on the keys hc:*')
    end
end

-- While the counts are moved to another number of shards, and ever after, they are none of the
-- sender's business; where no number was written there are no counts yet.
local n_shards = call('GET', KEYS[4])
if n_shards and n_shards ~= ARGV[12] then
    return redis.error_reply('SHARDS this one is of ' .. n_shards .. ', not of ' .. ARGV[12])
end
local cursor = call('GET', KEYS[1]) or '0'
if cursor ~= ARGV[1] then
    return { 0, cursor }
end
local n_tables, series, slots = tonumber(ARGV[4]), unpack_all(ARGV[5]), unpack_all(ARGV[6])
local events, uses, n_facts = unpack_all(ARGV[7]), unpack_all(ARGV[9]), tonumber(ARGV[11])
local cells = unpack_all(ARGV[13])

call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
if not n_shards then -- Redis was emptied under our connection
    try('SET', KEYS[4], ARGV[12])
end

local k, text = 5, 13
for _ = 1, n_tables do
    k, text = k + 1, text + 1
    local len = append(KEYS[k], ARGV[text], 16)
    if len and len % 4096 < #ARGV[text] then
        report(KEYS[k], len)
    end
end

for i = 3, #cells do
    k = k + 1
    append_cells(KEYS[k], cells[i], cells[2], cells[1])
end

for i = 1, #series, 2 do
    k = k + 1
    -- Lone clicks have the letter `a`.
    append_series(KEYS[k], series[i], series[i + 1], KEYS[k]:find(':a:', 20, true) and 12 or 8)
end

-- People are counted when it is sure that they are people (people.c).
for i = 1, #slots do
    k, text = k + 1, text + 1
    local len = append(KEYS[k], ARGV[text], 16)
    if len then
        try('EXPIRE', KEYS[k], ARGV[3])
        local added = try('ZADD', KEYS[5], slots[i] * 0x200000 + len / 16 % 0x200000, slots[i])
        if type(added) == 'table' then
            set_aside(KEYS[5], 1, added)
        end
    end
end

-- A repetition of an event is passed over; what is new goes to the stream too, for all pods.
local news = {}
local function tell(table_key, entries)
    local len = append(table_key, entries, 16)
    if len then
        news[#news + 1] = entries
    end
    if len and len % 4096 < #entries then
        report(table_key, len)
    end
end
local KEPT_LEN, kept = 40, {}
local facts_of_events = {}
for j = 1, #events, 2 do
    local event, key, entries = KEYS[k + 1], KEYS[k + 2], events[j]
    k = k + 2
    local known = try('SET', event, key:sub(-3), 'NX', 'EX', ARGV[8])
    if type(known) == 'table' and known.err then
        set_aside(event, 1, known)
    elseif known then
        local len = #entries % 16 == 0 and #entries or #entries - KEPT_LEN
        if len > 0 then
            tell(key, entries:sub(1, len))
        end
        if len < #entries then
            kept[#kept + 1] = entries:sub(len + 1)
        end
        facts_of_events[#facts_of_events + 1] = events[j + 1]
    end
end

-- How often people have used links that may be used so often only.  All pods are told when the limit
-- is reached or was: a click that turns out to be a scanner's gives its use back.  Of two entries the
-- later holds; so that clocks can't turn them round, the serial, 1/32 s since 2024, only grows.
for j = 2, #uses do
    local key, table_key = KEYS[k + 1], KEYS[k + 2]
    k = k + 2
    local old = try('GET', key) or '0 0'
    local n, serial = tostring(old):match('^(%-?%d+) (%d+)$')
    if n then
        local change, limit = struct.unpack('>i4I4', uses[j], 9)
        local was, is = tonumber(n), tonumber(n) + change
        serial = math.max(uses[1] * 32, tonumber(serial) + 1)
        try('SET', key, string.format('%d %d', is, serial), 'EX', ARGV[10])
        if was >= limit or is >= limit then
            local what = math.min(math.max(is, 0), 0xffffff)
            tell(table_key, uses[j]:sub(1, 8) .. struct.pack('>I4I4',
                 0x90000000 + math.floor(serial / 256), serial % 256 * 0x1000000 + what))
        end
    else
        set_aside(key, 1, old)
    end
end
if #news > 0 then
    local added = try('XADD', KEYS[k + 1], 'MAXLEN', '~', '65536', '*', 'e', table.concat(news))
    if type(added) == 'table' then
        set_aside(KEYS[k + 1], #news, added)
    end
end
-- Uses have a stream of their own: there may be so many that they would push out what the billing
-- system has not fetched yet.  A timeline reads all of it, so it is short.
local LINK_USED = 14
for j = 1, #kept do
    local is_use = kept[j]:byte(1) == LINK_USED
    local stream = is_use and KEYS[k + 3] or KEYS[k + 2]
    local max_len = is_use and math.ceil(20000 / ARGV[12]) or 100000
    local added = try('XADD', stream, 'MAXLEN', '~', max_len, '*', 'e', kept[j])
    if type(added) == 'table' then
        set_aside(stream, 1, added)
    end
    try('EXPIRE', stream, ARGV[8])
end

local function queue(facts)
    local added = facts ~= '' and try('XADD', KEYS[3], '*', 'f', facts)
    if type(added) == 'table' then
        set_aside(KEYS[3], 1, added)
    end
end
for _ = 1, n_facts do
    text = text + 1
    queue(ARGV[text])
end
queue(table.concat(facts_of_events))
local n_queued = try('XLEN', KEYS[3])
return { 1, n_aside, why, grown, type(n_queued) == 'number' and n_queued or 0 }
