-- Reads what became of all reports.
--
-- KEYS  1 the hash of deliveries
--
-- Answers {Redis' clock in milliseconds, name, record, name, record, and so on}.
local time = redis.call('TIME')
local answer = redis.call('HGETALL', KEYS[1])
table.insert(answer, 1, time[1] * 1000 + math.floor(time[2] / 1000))
return answer
