-- Says that this process is alive, and agrees on the salt of the day (FORMATS.md "Siblings").
--
-- KEYS  1 the sorted set of processes, 2 the salt
-- ARGV  1 id of the process, 2 seconds after which one counts as gone, 3 a salt, 4 its seconds
--
-- Answers {processes alive, the salt that is in use}.
local call = redis.call
local now = tonumber(call('TIME')[1])
call('ZADD', KEYS[1], now, ARGV[1])
call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
call('EXPIRE', KEYS[1], 2 * tonumber(ARGV[2]))
call('SET', KEYS[2], ARGV[3], 'NX', 'EX', ARGV[4])
return { call('ZCARD', KEYS[1]), call('GET', KEYS[2]) }
