-- Adds clicks to the lists of their clients (FORMATS.md "Siblings").
--
-- KEYS  a list per click
-- ARGV  1 seconds until a list expires, then a click per key
--
-- Returns for each key its list, the newest 32 clicks.
local call = redis.call
for i, key in ipairs(KEYS) do
    call('RPUSH', key, ARGV[i + 1])
end
local seen, answer = {}, {}
for _, key in ipairs(KEYS) do
    if not seen[key] then
        seen[key] = true
        call('LTRIM', key, -32, -1)
        call('EXPIRE', key, ARGV[1])
        for _, click in ipairs(call('LRANGE', key, 0, -1)) do
            answer[#answer + 1] = click
        end
    end
end
return answer
