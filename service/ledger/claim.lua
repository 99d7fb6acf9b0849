-- Claims clicks, so that only one process relabels each (FORMATS.md "Siblings").
--
-- KEYS  a hash per click
-- ARGV  1 id of the process, 2 seconds until a hash expires, then a field per key
--
-- Answers for each click 1 when it is this process' now, or was before.
local call, answer = redis.call, {}
for i, key in ipairs(KEYS) do
    local field = ARGV[i + 2]
    call('HSETNX', key, field, ARGV[1])
    call('EXPIRE', key, ARGV[2])
    answer[i] = call('HGET', key, field) == ARGV[1] and 1 or 0
end
return answer
