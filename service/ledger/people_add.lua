-- Counts people for a day and its month, or nobody (FORMATS.md "Waiting people").
--
-- KEYS  1 the number of shards that this one is of, 2 the hash of what is set aside, then two keys for
--       each run: of the day, of the month
-- ARGV  1 the number of shards of whoever sends this, 2 seconds for which a day is kept, 3 the same of
--       a month, 4 people  msgpack [n, person 1, ... person n, ...]
--
-- Answers {1, n set aside, the first of them and why}; {0} while the counts are moved to another number
-- of shards.  It may stop in the middle with an error and be sent again: who was added is added only once.
if call('GET', KEYS[1]) ~= ARGV[1] then
    return { 0 }
end
-- Adding somebody to both keys costs twice; merging the day into the month costs as much as some
-- hundred of them.
local MERGE_MIN, STEP = 1000, 4000
local people = unpack_all(ARGV[4])
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
    local n, day, month = people[i], KEYS[k + 1], KEYS[k + 2]
    local first, last = i + 1, i + n
    local refused = add(day, first, last)
    local merged = n >= MERGE_MIN and try('PFMERGE', month, day)
    if type(merged) ~= 'table' or merged.err then
        refused = refused or add(month, first, last)
    end
    if refused then
        return refused
    end
    call('EXPIRE', day, ARGV[2], 'NX')
    call('EXPIRE', month, ARGV[3], 'NX')
    i, k = last + 1, k + 2
end
return { 1, n_aside, why }
