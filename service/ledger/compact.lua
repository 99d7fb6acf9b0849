-- Replaces the older part of a table or series by its sums (FORMATS.md "Table", "Series").
--
-- KEYS  1 the table; of a block of invoices, 2 how often blocks were changed
-- ARGV  1 SHA-1 of the part that was read, 2 its length, 3 what replaces it
--
-- Answers 1; 0 when that part is no longer what was read, then nothing is changed.
local len = tonumber(ARGV[2])
if redis.sha1hex(redis.call('GETRANGE', KEYS[1], 0, len - 1)) ~= ARGV[1] then
    return 0
end
if KEYS[2] then
    redis.call('SET', KEYS[2], string.format('%d', (redis.call('GET', KEYS[2]) or '0') + 1))
end
redis.call('SET', KEYS[1], ARGV[3] .. redis.call('GETRANGE', KEYS[1], len, -1), 'KEEPTTL')
return 1
