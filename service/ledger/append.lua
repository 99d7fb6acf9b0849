-- What scripts of the ledger have in common: it stands before batch.lua, invoices.lua, people_add.lua and
-- spread.lua.
--
-- KEYS[2] is the hash of what is set aside, by key.
local call, try, unpack_all = redis.call, redis.pcall, cmsgpack.unpack
local n_aside, why = 0, ''
local function set_aside(key, n, reply)
    n_aside = n_aside + n
    if why == '' then
        why = key .. ': ' .. (type(reply) == 'table' and reply.err or 'not a table of records')
    end
    try('HINCRBY', KEYS[2], key, n)
end

-- Keys that have grown, each with its length.
local grown = {}
local function report(key, len)
    grown[#grown + 1] = key
    grown[#grown + 1] = len
end

-- Appends to a string of records of `unit` bytes; answers its length, or nil: was set aside.
local function append(key, records, unit)
    local len = try('APPEND', key, records)
    if type(len) ~= 'number' then
        set_aside(key, #records / unit, len)
    elseif len % unit ~= 0 then
        -- Somebody else's string: leave it as it was.
        try('SET', key, try('GETRANGE', key, 0, len - #records - 1), 'KEEPTTL')
        set_aside(key, #records / unit)
    else
        return len
    end
end


-- What the head of series, cells or lone clicks says they were summed up to.
local function base_len(key)
    local head = try('GETRANGE', key, 0, 7)
    return type(head) == 'string' and head:find('^HC[SX]1') and struct.unpack('>I4', head, 5) or 0
end

-- Appends to a series, to cells or to lone clicks, which expire that many seconds after their first record; reports
-- it with length 0 if it begins here, or with its length if it has grown to twice what it was summed up to.
local function append_series(key, records, seconds, unit)
    local len = append(key, records, unit)
    if len == #records then
        try('EXPIRE', key, seconds, 'NX')
        report(key, 0)
    elseif len and len >= 4096 and len % 4096 < #records and len >= 2 * base_len(key) + 4096 then
        report(key, len)
    end
end

-- Cells that are left out, as they would make a key longer than `len_max`, show in a statistic: series count the click
-- all the same.
local function append_cells(key, records, seconds, len_max)
    local last = len_max - #records
    local beyond = last < 0 or try('GETRANGE', key, last, last)
    if beyond == '' or type(beyond) == 'table' then
        append_series(key, records, seconds, 8)
    end
end
