-- Applies one batch to one shard, or nothing (FORMATS.md "Batch").
--
-- KEYS  1 the cursor, 2 the hash of what is set aside, then the keys of tables, series and people
--       in the order in which ARGV[4], [5] and [6] need them
-- ARGV  1 from, 2 to (decimal positions), 3 seconds until the cursor expires,
--       4 tables   msgpack [records, ...]                                       a key each
--       5 series   msgpack [n, ttl, field 1, delta 1, ... field n, delta n, ...]  a key per run
--       6 people   msgpack [n, day ttl, month ttl, person 1, ... person n, ...]   two keys per run
--
-- Answers {1, n set aside, the first of them and why, {key, length, ...}}, the last being tables that
-- have grown over another 4 KiB; or {0, cursor}: that isn't `from`, nothing was applied.
--
-- The cursor is the first write, by redis.call: whatever makes Redis refuse writes (OOM, READONLY,
-- MISCONF, NOREPLICAS ...) refuses it, and all is as before.  After it nothing may raise an error,
-- for a script is not rolled back; so everything below is redis.pcall.
local call, try, unpack_all = redis.call, redis.pcall, cmsgpack.unpack

local any = KEYS[2]
local needed = {
    { 'GET', any }, { 'SET', any, '1', 'EX', '1' }, { 'APPEND', any, '' },
    { 'GETRANGE', any, '0', '0' }, { 'HINCRBY', any, 'f', '1' }, { 'EXPIRE', any, '1', 'NX' },
    { 'PFADD', any, 'x' }, { 'PFMERGE', any, any },
}
for _, command in ipairs(needed) do
    if not redis.acl_check_cmd(unpack(command)) then
        return redis.error_reply('NOPERM the Redis user needs the command ' .. command[1] ..
                                 ' on the keys hc:*')
    end
end

local cursor = call('GET', KEYS[1]) or '0'
if cursor ~= ARGV[1] then
    return { 0, cursor }
end
local tables, series, people = unpack_all(ARGV[4]), unpack_all(ARGV[5]), unpack_all(ARGV[6])
call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])

local n_aside, why = 0, ''
local function set_aside(key, n, reply)
    n_aside = n_aside + n
    if why == '' then
        why = key .. ': ' .. (type(reply) == 'table' and reply.err or 'not a table of records')
    end
    try('HINCRBY', KEYS[2], key, n)
end

local k, grown = 2, {}
for i = 1, #tables do
    k = k + 1
    local key, records = KEYS[k], tables[i]
    local len = try('APPEND', key, records)
    if type(len) ~= 'number' then
        set_aside(key, #records / 16, len)
    elseif len % 16 ~= 0 then
        -- Somebody else's string: leave it as it was.
        try('SET', key, try('GETRANGE', key, 0, len - #records - 1), 'KEEPTTL')
        set_aside(key, #records / 16)
    elseif len % 4096 < #records then
        grown[#grown + 1] = key
        grown[#grown + 1] = len
    end
end

local i = 1
while i <= #series do
    k = k + 1
    local key, last, ttl, fresh = KEYS[k], i + 1 + 2 * series[i], series[i + 1], false
    for j = i + 2, last, 2 do
        local sum = try('HINCRBY', key, series[j], series[j + 1])
        if type(sum) ~= 'number' then
            set_aside(key, 1, sum)
        elseif sum == tonumber(series[j + 1]) then
            fresh = true -- maybe the key is, too
        end
    end
    if fresh then
        try('EXPIRE', key, ttl, 'NX')
    end
    i = last + 1
end

-- Adding a client or visitor to both keys costs twice; merging the day into the month costs as much as some
-- hundred of them.
local MERGE_MIN, STEP = 1000, 4000
local function add(key, first, last)
    for j = first, last, STEP do
        local r = try('PFADD', key, unpack(people, j, math.min(last, j + STEP - 1)))
        if type(r) ~= 'number' then
            set_aside(key, 1, r)
            return
        end
    end
end

i = 1
while i <= #people do
    local n, day, month = people[i], KEYS[k + 1], KEYS[k + 2]
    local first, last = i + 3, i + 2 + n
    add(day, first, last)
    local merged = n >= MERGE_MIN and try('PFMERGE', month, day)
    if type(merged) ~= 'table' or merged.err then
        add(month, first, last)
    end
    try('EXPIRE', day, people[i + 1], 'NX')
    try('EXPIRE', month, people[i + 2], 'NX')
    k = k + 2
    i = last + 1
end
return { 1, n_aside, why, grown }
