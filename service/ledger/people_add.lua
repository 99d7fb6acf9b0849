-- Counts people for an hour, its day and its month, or nobody (FORMATS.md "Waiting people").
--
-- KEYS  1 the number of shards that this one is of, 2 the hash of what is set aside, 3 a key that is used for a
--       moment, then the keys of each run: the string of a day's hours, unless hours of that time are not kept,
--       HyperLogLogs of the day and of the month
-- ARGV  1 the number of shards of whoever sends this, 2 to 4 seconds for which an hour, a day and a month
--       are kept, 5 how many bytes of records a day's string may have
--       6 people  msgpack [n, number of keys, hour of the day, records, person 1, ... person n, ...]; no records:
--       they are more than the string may have
--
-- Answers {1, n set aside, the first of them and why}; {0} while the counts are moved to another number
-- of shards.  It may stop in the middle with an error and be sent again: who was added is added only once.
if call('GET', KEYS[1]) ~= ARGV[1] then
    return { 0 }
end
-- Adding somebody to each key costs again; merging one key into the next costs as much as some hundred
-- of them.
local MERGE_MIN, STEP = 1000, 4000
local MARK = 'H' -- in place of a day's string that has become HyperLogLogs; no record begins with it
local people = unpack_all(ARGV[6])

-- Sets people aside whose key is not ours.  Answers any other reason for which Redis refused them: then all that
-- is sent has to be sent again.
local function refuse(key, n, reply)
    if not (reply.err:find('WRONGTYPE', 1, true) or reply.err:find('INVALIDOBJ', 1, true)) then
        return reply
    end
    set_aside(key, n, reply)
end

local function add(key, first, last)
    for j = first, last, STEP do
        local r = try('PFADD', key, unpack(people, j, math.min(last, j + STEP - 1)))
        if type(r) ~= 'number' then
            return refuse(key, last - j + 1, r)
        end
    end
end

local function hour_key(day, hour)
    return day:gsub('h:', ':', 1) .. string.format('%02d', hour)
end

-- Adds part of a sorted list to the HyperLogLog of an hour.
local function merge_hour(key, list, first, last)
    local hll = make_hll(list, first, last)
    local r = try('SET', key, hll, 'EX', ARGV[2], 'NX')
    if r == false then
        r = try('SET', KEYS[3], hll, 'EX', 1)
        r = r.err and r or try('PFMERGE', key, KEYS[3])
        try('EXPIRE', KEYS[3], 0)
    end
    return r.err and refuse(key, last - first + 1, r)
end

-- Turns a day's string into HyperLogLogs of its hours.  The string goes last: if Redis refuses anything before, it
-- is done again, and merging somebody again changes nothing.
local function split_day(day, text)
    local list, first = {}, 1
    take_records(text, 0, 24, 24 * HOUR, list)
    table.sort(list)
    for i = 1, #list do
        local hour = floor(list[i] / HOUR)
        if i == #list or floor(list[i + 1] / HOUR) ~= hour then
            local refused = merge_hour(hour_key(day, hour), list, first, i)
            if refused then
                return refused
            end
            first = i + 1
        end
    end
    local r = #text > 0 and try('SET', day, MARK, 'KEEPTTL') or try('SET', day, MARK, 'EX', ARGV[2])
    return r.err and r
end

-- Adds records to a day's string, which is never longer than it may be, and always expires, whatever Redis refuses.
-- Answers whether their people are still to be added to the hour's HyperLogLog; and what Redis refused.
local function add_records(day, records, n)
    local text = try('GET', day) or ''
    if type(text) == 'table' then
        return false, refuse(day, n, text)
    elseif text == MARK then
        return true
    elseif #text % 4 ~= 0 then
        return false, set_aside(day, n)
    elseif records == '' or #text + #records > tonumber(ARGV[5]) then
        return true, split_day(day, text)
    end
    local r
    if text == '' then
        r = try('SET', day, records, 'EX', ARGV[2])
    else
        r = try('APPEND', day, records)
    end
    return false, type(r) == 'table' and r.err and refuse(day, n, r)
end

local i, k = 1, 3
while i <= #people do
    local n, n_keys, hour, records = unpack(people, i, i + 3)
    local first, last, previous = i + 4, i + 3 + n, nil
    for j = 1, n_keys do
        local key, is_to_add, refused = KEYS[k + j], true, nil
        if n_keys == 3 and j == 1 then
            is_to_add, refused = add_records(key, records, n)
            key = is_to_add and hour_key(key, hour)
        end
        if is_to_add and not refused then
            local merged = previous and n >= MERGE_MIN and try('PFMERGE', key, previous)
            if type(merged) ~= 'table' or merged.err then
                refused = add(key, first, last)
            end
            previous = key
        end
        if refused then
            return refused
        end
        if is_to_add then
            call('EXPIRE', key, ARGV[4 - n_keys + j], 'NX')
        end
    end
    i, k = last + 1, k + n_keys
end
return { 1, n_aside, why }
