-- What both scripts of the ledger do: it stands before batch.lua and invoices.lua.
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

