-- Lists the earliest slots in which people wait, from a score on (FORMATS.md "Waiting people").
--
-- KEYS  1 the number of shards that this one is of, 2 the set of slots, 3 the list that older builds keep
--       in its place
-- ARGV  1 the number of shards of whoever sends this, 2 the least score, 3 how many slots at most
--
-- Answers {1, score, ...}, or an error if the set is not ours; {0} while the counts are moved to another
-- number of shards.
local call, try = redis.call, redis.pcall
if call('GET', KEYS[1]) ~= ARGV[1] then
    return { 0 }
end

-- What an older process has listed moves into the set, the newest first, so many entries of 8 bytes at a
-- time.  Every entry changes the score, as every addition by a process of ours does.
local TAKEN = 512
local old = try('GETRANGE', KEYS[3], -8 * TAKEN, -1)
if type(old) == 'string' and old ~= '' and #old % 8 == 0 then
    for at = 1, #old, 8 do
        local slot, bytes = struct.unpack('>I4I4', old, at)
        try('ZADD', KEYS[2], 'NX', slot * 0x200000, slot)
        local listed = try('ZADD', KEYS[2], 'INCR', bytes / 16, slot)
        if type(listed) == 'table' then
            return listed -- the list stays
        end
    end
    local rest = call('GETRANGE', KEYS[3], 0, -8 * TAKEN - 1)
    call('SET', KEYS[3], #rest % 8 == 0 and rest or '') -- one byte if there is nothing before those
end

local listed = try('ZRANGE', KEYS[2], ARGV[2], '+inf', 'BYSCORE', 'LIMIT', '0', ARGV[3], 'WITHSCORES')
if listed.err then
    return listed
end
local answer = { 1 }
for i = 2, #listed, 2 do
    answer[#answer + 1] = tonumber(listed[i])
end
return answer
