-- Moves what was added to tables into them, or changes nothing (FORMATS.md "Table").
--
-- KEYS  1 what was added, then the tables
-- ARGV  1 SHA-1 of the part of it that was read, 2 the length of that part, 3 what is left of it, then for
--       each table: which one was read: its head, or of one without a generation the SHA-1 of all of it, or
--       '': there was none; its length; the table that takes its place, '': it stays
--
-- Answers 1; 0 when a table, or that part, is no longer what was read: then nothing is changed.
local call = redis.call
local HEAD_LEN, SHA_LEN = 16, 40

local function is_as_read(key, which, len)
    if #which == SHA_LEN then
        return redis.sha1hex(call('GET', key) or '') == which
    end
    return call('GETRANGE', key, 0, HEAD_LEN - 1) == which and call('GETRANGE', key, len, len) == ''
end

if redis.sha1hex(call('GETRANGE', KEYS[1], 0, ARGV[2] - 1)) ~= ARGV[1] then
    return 0
end
for i = 2, #KEYS do
    if not is_as_read(KEYS[i], ARGV[3 * i - 2], ARGV[3 * i - 1]) then
        return 0
    end
end
local left = ARGV[3] .. call('GETRANGE', KEYS[1], ARGV[2], -1)
for i = 2, #KEYS do
    if ARGV[3 * i] ~= '' then
        call('SET', KEYS[i], ARGV[3 * i])
    end
end
call('SET', KEYS[1], left)
return 1
