-- What was newly written to the states of a shard (FORMATS.md "State").
--
-- KEYS  1 the stream, 2 the number of shards that this one is of
-- ARGV  1 the id of the last entry that was read, 2 how many entries to answer at most, 3 the number of
--       shards of whoever asks
--
-- Answers nil while the states are spread over another number of shards, for what is here is then not
-- all that there is.  Else {entries ever added, entries there are, id of the last, {{id, {'e', entries}}, ...}}.
if redis.call('GET', KEYS[2]) ~= ARGV[3] then
    return false
end
local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
if info.err then
    if info.err:find('no such key', 1, true) then
        return { 0, 0, '0-0', {} }
    end
    return info
end
local of = {}
for i = 1, #info, 2 do
    of[info[i]] = info[i + 1]
end
return { of['entries-added'], of['length'], of['last-generated-id'],
         redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2]) }
