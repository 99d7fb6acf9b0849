-- Records that this process is alive, and its status, and agrees on the salt of the day (FORMATS.md
-- "Siblings", "Pods").
--
-- KEYS  1 the sorted set of processes, 2 the salt, 3 and 4 the lines of this hour and of the one before
-- ARGV  1 id of the process, 2 seconds of silence after which a process is gone, 3 a salt, 4 its seconds,
--       5 id of the line, 6 the line, "" = remove it, 7 seconds until lines expire
--
-- Answers {processes alive, the salt that is in use, lines of the hour before, lines of this hour, the
-- time in Unix milliseconds}.
local call = redis.call
local time = call('TIME')
local now = tonumber(time[1])
call('ZADD', KEYS[1], now, ARGV[1])
call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
call('EXPIRE', KEYS[1], 2 * tonumber(ARGV[2]))
call('SET', KEYS[2], ARGV[3], 'NX', 'EX', ARGV[4])
if ARGV[6] ~= '' then
    call('HSET', KEYS[3], ARGV[5], ARGV[6])
    call('EXPIRE', KEYS[3], ARGV[7])
else
    call('HDEL', KEYS[3], ARGV[5])
    call('HDEL', KEYS[4], ARGV[5])
end
return { call('ZCARD', KEYS[1]), call('GET', KEYS[2]), call('HGETALL', KEYS[4]), call('HGETALL', KEYS[3]),
         now * 1000 + math.floor(tonumber(time[2]) / 1000) }
