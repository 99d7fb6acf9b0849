-- Takes slots whose people were counted out of the set (FORMATS.md "Waiting people").
--
-- KEYS  1 the number of shards that this one is of, 2 the set of slots, then the key of each slot
-- ARGV  1 the number of shards of whoever sends this, 2 seconds for which what is left is kept, then for
--       each slot its number, how many bytes its key had, and what is left of it
--
-- Answers {1}; {0} while the counts are moved to another number of shards.  A slot whose key has changed
-- meanwhile stays.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return { 0 }
end
for i = 3, #KEYS do
    local slot, len, rest = ARGV[3 * i - 6], tonumber(ARGV[3 * i - 5]), ARGV[3 * i - 4]
    -- The last byte that there was, and the next, if there is one now.
    local last = redis.pcall('GETRANGE', KEYS[i], math.max(len - 1, 0), len)
    if type(last) == 'table' then -- not ours
        redis.pcall('ZREM', KEYS[2], slot)
    elseif #last == math.min(len, 1) then
        if len > 0 then -- DEL is no command that is needed else
            redis.call('SET', KEYS[i], rest, 'EX', rest == '' and '1' or ARGV[2])
        end
        redis.call('ZREM', KEYS[2], slot)
    end
end
return { 1 }
