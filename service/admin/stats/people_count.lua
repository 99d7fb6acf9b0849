-- Counts the people of some hours: those of days' strings together with HyperLogLogs (FORMATS.md "People by the
-- hour").
--
-- KEYS  1 a key that is used for a moment, then the strings of days, then at least one HyperLogLog
-- ARGV  of each string the first hour that is wanted, 0 ... 23, and the one behind the last
--
-- Answers how many they are; -1: Redis refuses to write, so that it can't count strings.
local list, n_days = {}, #ARGV / 2
for i = 1, n_days do
    local text = redis.call('GET', KEYS[1 + i])
    if text then
        take_records(text, tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i]), HOUR, list)
    end
end
if #list == 0 then
    return redis.call('PFCOUNT', unpack(KEYS, 2 + n_days))
end
table.sort(list)
-- It is gone before anybody else can see it: no replica or append-only file needs it.
redis.set_repl(redis.REPL_NONE)
if redis.pcall('SET', KEYS[1], make_hll(list, 1, #list), 'EX', 1).err then
    return -1
end
local n = redis.pcall('PFCOUNT', KEYS[1], unpack(KEYS, 2 + n_days))
redis.pcall('EXPIRE', KEYS[1], 0)
return n
