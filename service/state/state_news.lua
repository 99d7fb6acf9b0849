-- What was newly written to the states of a shard (FORMATS.md "State").
--
-- KEYS  1 the stream
-- ARGV  1 the id of the last entry that was read, 2 how many entries to answer at most
--
-- Answers {entries ever added, entries there are, id of the last, {{id, {'e', entries}}, ...}}.
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
