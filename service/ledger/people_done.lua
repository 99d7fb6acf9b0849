-- Takes slots whose people were counted out of the set (FORMATS.md "Waiting people").
--
-- KEYS  1 the number of shards that this one is of, 2 the set of slots, then the key of each slot
-- ARGV  1 the number of shards of whoever sends this, 2 seconds for which what is left is kept, then for
--       each slot its number, how many bytes its key had, the last of them (a record), and what is left of it
--
-- Answers {1}; {0} while the counts are moved to another number of shards.  A slot whose key has changed
-- meanwhile stays: also one that another process has emptied and that holds as many other clicks since.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return { 0 }
end
for i = 3, #KEYS do
    local slot, len, last, rest = ARGV[4 * i - 9], tonumber(ARGV[4 * i - 8]), ARGV[4 * i - 7], ARGV[4 * i - 6]
    -- What it ends with, and the next byte, if there is one now.
    local found = redis.pcall('GETRANGE', KEYS[i], len - #last, len)
    if type(found) == 'table' then -- not ours
        redis.pcall('ZREM', KEYS[2], slot)
    elseif found == last then
        if len > 0 then -- DEL is no command that is needed else
            redis.call('SET', KEYS[i], rest, 'EX', rest == '' and '1' or ARGV[2])
        end
        redis.call('ZREM', KEYS[2], slot)
    end
end
return { 1 }
