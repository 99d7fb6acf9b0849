-- Takes or keeps the lease of the process that looks at pages, and reads what was found last.
--
-- KEYS  1 the lease, then a list of records per page
-- ARGV  1 who asks, 2 milliseconds that the lease lasts
--
-- Answers {1 if the asker has the lease, Redis' clock in milliseconds, the newest record of each page
-- or ''}.
local call = redis.call
local time, holder = call('TIME'), call('GET', KEYS[1])
local held = 0
if not holder or holder == ARGV[1] then
    call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    held = 1
end
local answer = {held, time[1] * 1000 + math.floor(time[2] / 1000)}
for i = 2, #KEYS do
    answer[i + 1] = call('LRANGE', KEYS[i], -1, -1)[1] or ''
end
return answer
