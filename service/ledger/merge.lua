-- Moves what was added to tables into them, or changes nothing (FORMATS.md "Table").
--
-- KEYS  1 what was added, 2 the number of shards that this one is of, then the tables
-- ARGV  1 SHA-1 of the part of what was added that was read, 2 the length of that part, 3 what is left of it,
--       4 the number of shards of whoever sends this, then for each table: which one was read: its head, or of
--       one without a generation the SHA-1 of all of it, or '': there was none; its length; the table that takes
--       its place, '': it stays
--
-- Answers 1; 0 when a table, or that part, is no longer what was read, or the counts are moved to another number
-- of shards, which copies one key after the other: then nothing is changed.
local call = redis.call
local HEAD_LEN, SHA_LEN = 16, 40

local function is_as_read(key, which, len)
    if #which == SHA_LEN then
        return redis.sha1hex(call('GET', key) or '') == which
    end
    return call('GETRANGE', key, 0, HEAD_LEN - 1) == which and call('GETRANGE', key, len, len) == ''
end

if call('GET', KEYS[2]) ~= ARGV[4] or redis.sha1hex(call('GETRANGE', KEYS[1], 0, ARGV[2] - 1)) ~= ARGV[1] then
    return 0
end
for i = 3, #KEYS do
    if not is_as_read(KEYS[i], ARGV[3 * i - 4], ARGV[3 * i - 3]) then
        return 0
    end
end
local left = ARGV[3] .. call('GETRANGE', KEYS[1], ARGV[2], -1)
for i = 3, #KEYS do
    if ARGV[3 * i - 2] ~= '' then
        call('SET', KEYS[i], ARGV[3 * i - 2])
    end
end
call('SET', KEYS[1], left)
return 1
