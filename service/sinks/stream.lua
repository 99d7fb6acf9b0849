-- Adds a range of a log's records to a stream, once (FORMATS.md "Redis stream").
--
-- KEYS  1 the stream, 2 the cursor of the log
-- ARGV  1 from, 2 to (decimal positions), 3 most entries of the stream, 4 the log's id, 5 seconds until
--       the cursor expires, then position, record, position, record ...
--
-- Answers {1}; or {0, cursor}, '' where there is none: that isn't `from`, nothing was added.
--
-- What makes Redis refuse writes refuses the first of them, and nothing is changed.
local call = redis.call
local cursor = call('GET', KEYS[2]) or ''
if cursor ~= ARGV[1] and not (cursor == '' and ARGV[1] == '0') then
    return { 0, cursor }
end
for i = 6, #ARGV, 2 do
    call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'log', ARGV[4], 'position', ARGV[i], 'record', ARGV[i + 1])
end
call('SET', KEYS[2], ARGV[2], 'EX', ARGV[5])
return { 1 }
