-- A day's people by the hour as a string of records, and HyperLogLogs made of it (FORMATS.md "People by the
-- hour"): it stands before people_add.lua and people_count.lua.
--
-- A record is 4 bytes: the hour * 2^20 + a register of the HyperLogLog * 2^6 + the rank that it gets there.
local HOUR, REGISTERS = 1048576, 16384
-- Magic, encoding, 3 zeros, the cached count: the highest bit says that it has to be made anew.
local DENSE, SPARSE = 'HYLL\0\0\0\0\0\0\0\0\0\0\0\128', 'HYLL\1\0\0\0\0\0\0\0\0\0\0\128'
local char, floor = string.char, math.floor

-- Appends the records of the hours `from` to `to - 1` to a list, modulo `unit`.  What can't be a record is left out.
local function take_records(text, from, to, unit, list)
    for at = 1, #text - 3, 4 do
        local n = struct.unpack('>I4', text, at)
        local rank = n % 64
        if n >= from * HOUR and n < to * HOUR and rank > 0 and rank <= 51 then
            list[#list + 1] = n % unit
        end
    end
end

-- A HyperLogLog of which each register has 6 bits, the first one the lowest.
local function dense_hll(list, first, last)
    local ranks, out = {}, { DENSE }
    for i = first, last do
        ranks[floor(list[i] % HOUR / 64)] = list[i] % 64
    end
    for i = 0, REGISTERS - 1, 4 do
        local n = (ranks[i] or 0) + (ranks[i + 1] or 0) * 64 + (ranks[i + 2] or 0) * 4096 + (ranks[i + 3] or 0) * 262144
        out[#out + 1] = char(n % 256, floor(n / 256) % 256, floor(n / 65536))
    end
    return table.concat(out)
end

-- A run of registers that are 0.
local function zeros(n)
    if n <= 64 then
        return char(n - 1)
    end
    return char(64 + floor((n - 1) / 256), (n - 1) % 256)
end

-- The HyperLogLog of a part of a sorted list, which is of one hour.  Of equal registers the last record has the
-- highest rank.
local function make_hll(list, first, last)
    local out, at = { SPARSE }, 0
    for i = first, last do
        local register, rank = floor(list[i] % HOUR / 64), list[i] % 64
        if rank > 32 then
            -- The sparse form has no such ranks: one of 2^32 people has one.
            return dense_hll(list, first, last)
        end
        if i == last or floor(list[i + 1] % HOUR / 64) ~= register then
            if register > at then
                out[#out + 1] = zeros(register - at)
            end
            out[#out + 1] = char(124 + 4 * rank) -- 128 + 4 * (rank - 1): one register
            at = register + 1
        end
    end
    if at < REGISTERS then
        out[#out + 1] = zeros(REGISTERS - at)
    end
    return table.concat(out)
end
