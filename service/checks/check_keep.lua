-- Keeps what was found at a page, if the lease is still that of the process that looked.
--
-- KEYS  1 the lease, 2 the list of records of the page
-- ARGV  1 who asks, 2 the record, 3 how many records are kept, 4 seconds until the list expires
--
-- Answers 1, or 0: another process looks now, and nothing was kept.
local call = redis.call
if call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end
call('RPUSH', KEYS[2], ARGV[2])
call('LTRIM', KEYS[2], -ARGV[3], -1)
call('EXPIRE', KEYS[2], ARGV[4])
return 1
