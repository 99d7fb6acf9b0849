-- Puts one record of a delivery in the place of another, if that is still there: of all processes
-- that want to send a report one gets to.
--
-- KEYS  1 the hash of deliveries
-- ARGV  1 the delivery, 2 its record as it was read, '' if there was none, 3 the new one,
--       4 seconds until the hash expires
--
-- Answers 1, or 0: there is another record, and nothing was changed.
local call = redis.call
if (call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then
    return 0
end
call('HSET', KEYS[1], ARGV[1], ARGV[3])
call('EXPIRE', KEYS[1], ARGV[4])
return 1
