-- Claims clicks, so that only one process relabels each of them (FORMATS.md "Siblings").
--
-- KEYS  a hash per click
-- ARGV  1 seconds until a hash expires, then for each key 48 bytes: the click's name and the claim's
--
-- Answers for each click 1 if this claim holds it, from now on or already, else 0.
local call, answer = redis.call, {}
for i, key in ipairs(KEYS) do
    local click, claim = string.sub(ARGV[i + 1], 1, 24), string.sub(ARGV[i + 1], 25)
    call('HSETNX', key, click, claim)
    call('EXPIRE', key, ARGV[1])
    answer[i] = call('HGET', key, click) == claim and 1 or 0
end
return answer
