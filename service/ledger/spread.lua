-- Moves lone clicks to series and cells, or changes nothing (FORMATS.md "Lone clicks").
--
-- KEYS  1 the lone clicks, 2 the hash of what is set aside, 3 the number of shards that this one is of,
--       then series and cells in the order in which ARGV[5] and [6] need them
-- ARGV  1 SHA-1 of the part that was read, 2 its length, 3 what replaces it, 4 the number of shards of
--       whoever sends this, 5 series  msgpack [records, ttl, ...]  a key each
--       6 cells   msgpack [bytes, ttl, records, ...]  a key for each text, as in batch.lua
--
-- Answers {1, n set aside, the first of them and why, {key, length, ...}} as batch.lua does; 0 when that
-- part is no longer what was read, or the counts are moved to another number of shards: then nothing is
-- changed.
--
-- The first write is by redis.call: whatever makes Redis refuse writes refuses it, and all is as before.
-- After it nothing may raise an error; so everything below is by redis.pcall.
local len = tonumber(ARGV[2])
if call('GET', KEYS[3]) ~= ARGV[4] or redis.sha1hex(call('GETRANGE', KEYS[1], 0, len - 1)) ~= ARGV[1] then
    return 0
end
local series, cells = unpack_all(ARGV[5]), unpack_all(ARGV[6])
call('SET', KEYS[1], ARGV[3] .. call('GETRANGE', KEYS[1], len, -1), 'KEEPTTL')
local k = 3
for i = 1, #series, 2 do
    k = k + 1
    append_series(KEYS[k], series[i], series[i + 1], 8)
end
for i = 3, #cells do
    k = k + 1
    append_cells(KEYS[k], cells[i], cells[2], cells[1])
end
return { 1, n_aside, why, grown }
