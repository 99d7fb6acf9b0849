-- Takes slots whose people were counted out of the list (FORMATS.md "Waiting people").
--
-- KEYS  1 the number of shards that this one is of, 2 the list of slots, then the key of each slot
-- ARGV  1 the number of shards of whoever sends this, 2 seconds for which what is left is kept, then for
--       each slot its number (4 bytes), how many bytes its key had, and what is left of it
--
-- Answers {1, how many slots are in the list}; {0} while the counts are moved to another number of
-- shards.  A slot whose key has changed meanwhile stays.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return { 0 }
end
local done = {}
for i = 3, #KEYS do
    local slot, len, rest = ARGV[3 * i - 6], tonumber(ARGV[3 * i - 5]), ARGV[3 * i - 4]
    local now = redis.pcall('GET', KEYS[i])
    if type(now) == 'table' then -- not ours
        done[slot] = true
    elseif #(now or '') == len then
        if now then -- DEL is no command that is needed else
            redis.call('SET', KEYS[i], rest, 'EX', rest == '' and '1' or ARGV[2])
        end
        done[slot] = true
    end
end
local slots, kept = redis.call('GET', KEYS[2]) or '', {}
for at = 1, #slots, 8 do
    if not done[slots:sub(at, at + 3)] then
        kept[#kept + 1] = slots:sub(at, at + 7)
    end
end
redis.call('SET', KEYS[2], table.concat(kept))
return { 1, #kept }
