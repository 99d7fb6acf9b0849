-- Counts people for an hour, its day and its month, or nobody (FORMATS.md "Waiting people").
--
-- KEYS  1 the number of shards that this one is of, 2 the hash of what is set aside, then the keys of
--       each run: of the hour, unless hours of that time are not kept, of the day, of the month
-- ARGV  1 the number of shards of whoever sends this, 2 to 4 seconds for which an hour, a day and a month
--       are kept, 5 people  msgpack [n, number of keys, person 1, ... person n, ...]
--
-- Answers {1, n set aside, the first of them and why}; {0} while the counts are moved to another number
-- of shards.  It may stop in the middle with an error and be sent again: who was added is added only once.
if call('GET', KEYS[1]) ~= ARGV[1] then
    return { 0 }
end
-- Adding somebody to each key costs again; merging one key into the next costs as much as some hundred
-- of them.
local MERGE_MIN, STEP = 1000, 4000
local people = unpack_all(ARGV[5])
local function add(key, first, last)
    for j = first, last, STEP do
        local r = try('PFADD', key, unpack(people, j, math.min(last, j + STEP - 1)))
        if type(r) ~= 'number' then
            if not (r.err:find('WRONGTYPE', 1, true) or r.err:find('INVALIDOBJ', 1, true)) then
                return r
            end
            set_aside(key, last - j + 1, r)
            return nil
        end
    end
end

local i, k = 1, 2
while i <= #people do
    local n, n_keys = people[i], people[i + 1]
    local first, last = i + 2, i + 1 + n
    for j = 1, n_keys do
        local key = KEYS[k + j]
        local merged = j > 1 and n >= MERGE_MIN and try('PFMERGE', key, KEYS[k + j - 1])
        local refused
        if type(merged) ~= 'table' or merged.err then
            refused = add(key, first, last)
        end
        if refused then
            return refused
        end
        call('EXPIRE', key, ARGV[4 - n_keys + j], 'NX')
    end
    i, k = last + 1, k + n_keys
end
return { 1, n_aside, why }
