-- Writes what a process has made of facts of the queue, or nothing (FORMATS.md "Queue of facts").
--
-- KEYS  1 how often blocks were changed, 2 the hash of what is set aside, 3 the queue, 4 who takes
--       facts, 5 the payments, then blocks, lists of blocks, sums
-- ARGV  1 how often blocks had been changed when the facts were read, 2 the id after the last fact,
--       3 seconds for which invoices are kept, 4 the same of sums, 5 number of blocks, 6 of lists,
--       7 set aside  msgpack [key, n, ...]
--       8 payments   msgpack [field, n, ...]
--      from 9 on a text for each of the last keys: a block's takes its place, others are appended
--
-- Answers {1, n set aside, the first of them and why, {key, length, ...}, entries that wait, {field,
-- number, ...} of the payments}: the fourth being sums that have grown to twice what they were summed
-- up to.  Or {0}: blocks were changed meanwhile, nothing was written.
--
-- The first write is by redis.call: whatever makes Redis refuse writes refuses it, and all is as
-- before.  After it nothing may raise an error; so everything below is by redis.pcall.
if (call('GET', KEYS[1]) or '0') ~= ARGV[1] then
    return { 0 }
end
call('SET', KEYS[1], string.format('%d', ARGV[1] + 1))

local n_blocks, n_lists, k = tonumber(ARGV[5]), tonumber(ARGV[6]), 5
local function next_text()
    k = k + 1
    return KEYS[k], ARGV[k + 3]
end
for _ = 1, n_blocks do
    local key, block = next_text()
    -- Of an empty one: a key that is about to expire, for DEL is no command that is needed else.
    local reply = try('SET', key, block, 'EX', block == '' and '1' or ARGV[3])
    if reply.err then
        set_aside(key, 1, reply)
    end
end
for _ = 1, n_lists do
    local key, blocks = next_text()
    local last, new = try('GETRANGE', key, -4, -1), {}
    for at = 1, #blocks, 4 do
        local block = blocks:sub(at, at + 3)
        if block ~= last then
            new[#new + 1], last = block, block
        end
    end
    if #new > 0 then
        append(key, table.concat(new), 4)
    end
    try('EXPIRE', key, ARGV[3])
end
while k < #KEYS do
    local key, records = next_text()
    local len = append(key, records, 16)
    if len == #records then
        try('EXPIRE', key, ARGV[4])
    elseif len and len >= 4096 and len % 4096 < #records then
        local head = try('GETRANGE', key, 0, 15)
        local base = type(head) == 'string' and head:sub(3, 3) == '\255' and struct.unpack('>I8', head, 9) or 0
        if len >= 2 * base + 4096 then
            report(key, len)
        end
    end
end
local aside, payments = unpack_all(ARGV[7]), unpack_all(ARGV[8])
for i = 1, #aside, 2 do
    set_aside(aside[i], tonumber(aside[i + 1]))
end
for i = 1, #payments, 2 do
    try('HINCRBY', KEYS[5], payments[i], payments[i + 1])
end
try('XTRIM', KEYS[3], 'MINID', ARGV[2])
local n = try('XLEN', KEYS[3])
n = type(n) == 'number' and n or 0
if n == 0 then
    try('SET', KEYS[4], '', 'PX', '1') -- another may go on
end
payments = try('HGETALL', KEYS[5])
return { 1, n_aside, why, grown, n, payments.err and {} or payments }
