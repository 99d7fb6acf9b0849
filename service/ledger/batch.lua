-- Applies one batch to one shard, or nothing (FORMATS.md "Batch").
--
-- KEYS  1 the cursor, 2 the hash of what is set aside, then the keys of tables, series, people,
--       events and invoices in the order in which ARGV[4] to [7] and [9] need them
-- ARGV  1 from, 2 to (decimal positions), 3 seconds until the cursor expires,
--       4 tables   msgpack [records, ...]                                       a key each
--       5 series   msgpack [records, ttl, ...]                                  a key each
--       6 people   msgpack [n, day ttl, month ttl, person 1, ... person n, ...]   two keys per run
--       7 events   msgpack [entries of state, facts, ...]   two keys each, its own and that of its
--                                  table, and with facts that of the block of its invoice; 40 bytes
--                                  behind the entries, if any, are told
--       8 seconds for which an event is known
--       9 uses     msgpack [now, use, ...]           two keys each, its own and that of its table;
--                                                    behind those of events and uses those of the
--                                                    streams of states and of what is told
--      10 seconds for which uses are kept
--      11 invoices msgpack [how many keys there are before those of events, seconds after which a
--                           click earns no payment, seconds for which invoices are kept, the same of
--                           sums, 1 = payments are asked for, facts, ...]   a key each, of a block
--
-- Answers {1, n set aside, the first of them and why, {key, length, ...}, {field, number, ...}}: the
-- fourth being tables that have grown over another 4 KiB, series that have grown to twice what they
-- were summed up to, and, with length 0, series that begin here; the last the payments so far, when
-- they changed or were asked for.  Or {0, cursor}: that isn't `from`, nothing was applied.
--
-- The cursor is the first write, by redis.call: whatever makes Redis refuse writes (OOM, READONLY,
-- MISCONF, NOREPLICAS ...) refuses it, and all is as before.  After it nothing may raise an error,
-- for a script is not rolled back; so everything below is redis.pcall.
local call, try, unpack_all = redis.call, redis.pcall, cmsgpack.unpack

local any = KEYS[2]
local needed = {
    { 'GET', any }, { 'SET', any, '1', 'EX', '1' }, { 'APPEND', any, '' },
    { 'GETRANGE', any, '0', '0' }, { 'HINCRBY', any, 'f', '1' }, { 'EXPIRE', any, '1', 'NX' },
    { 'PFADD', any, 'x' }, { 'PFMERGE', any, any }, { 'XADD', any, '*', 'e', '' }, { 'HGETALL', any },
}
for _, command in ipairs(needed) do
    if not redis.acl_check_cmd(unpack(command)) then
        return redis.error_reply('NOPERM the Redis user needs the command ' .. command[1] ..
                                 ' on the keys hc:*')
    end
end

local cursor = call('GET', KEYS[1]) or '0'
if cursor ~= ARGV[1] then
    return { 0, cursor }
end
local tables, series, people = unpack_all(ARGV[4]), unpack_all(ARGV[5]), unpack_all(ARGV[6])
local events, uses, invoices = unpack_all(ARGV[7]), unpack_all(ARGV[9]), unpack_all(ARGV[11])

-- Invoices (FORMATS.md "Invoices", "Funnel").  What is to be written is worked out first: the keys of
-- sums are those of the days on which mails were sent, so they can't be declared, and reading each of
-- them here makes a cluster that is moving the slot refuse the batch while nothing has changed.
local byte, sub, floor, join = string.byte, string.sub, math.floor, table.concat
local pack, unpack_one = struct.pack, struct.unpack
local CLIENT, SENT, CLICK, MONEY, MAILS = 1, 2, 3, 4, 5
local FACT_LEN = { 5, 7, 11, 15, 11 }
local PAID, PARTLY_PAID, UNPAID, REFUNDED, CREDITED = 1, 2, 3, 5, 6
local RANK = { 2, 1, 0, 0, 4, 3 } -- of an event among those of one second
local N_SENT, N_CLICKED, N_PAID, AMOUNT, CLICK_DELAY, PAY_DELAY = 1, 2, 3, 4, 5, 6
local N_OUTCOME, OUTCOME_AMOUNT = 16, 32
local OUTCOMES = { [0] = 'credited', 'no_click', 'before_click', 'too_late', 'opted_out', 'replaced',
                   'taken_back' }
local EARNS, NO_CLICK, BEFORE_CLICK, TOO_LATE, OPTED_OUT, REPLACED, TAKEN_BACK = 0, 1, 2, 3, 4, 5, 6
local CLICKS_MAX, SENT_MAX, MONEY_MAX = 16, 32, 64 -- facts kept of an invoice
local window_s, block_ttl, series_ttl = invoices[2], invoices[3], invoices[4]
local prefix = KEYS[1]:match('^.-}:')
local planned = { blocks = {}, order = {}, series = {}, lists = {}, payments = {}, aside = {} }

-- Reads a key.  One of another type than ours is a matter of set_aside(); any other error must come
-- up here, before anything was written.
local function look_at(...)
    local reply = try(...)
    if type(reply) == 'table' and reply.err and reply.err:sub(1, 9) ~= 'WRONGTYPE' then
        error(reply.err)
    end
    return reply
end

local function count_payment(field, n)
    planned.payments[field] = (planned.payments[field] or 0) + n
end

-- The year, month and day of an hour since 2024-01-01T00:00Z, as "YYYYMMDD" (Hinnant's algorithm).
local dates = {}
local function date_of(hour)
    local days = floor(hour / 24)
    local text = dates[days]
    if not text then
        local z = days + 19723 + 719468
        local era = floor(z / 146097)
        local doe = z - era * 146097
        local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
        local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
        local mp = floor((5 * doy + 2) / 153)
        local month = mp < 10 and mp + 3 or mp - 9
        text = string.format('%04d%02d%02d', yoe + era * 400 + (month <= 2 and 1 or 0), month,
                             doy - floor((153 * mp + 2) / 5) + 1)
        dates[days] = text
    end
    return text
end

-- A time span's step, as funnel_delay() of proto/funnel.c.
local function delay_of(s)
    local m, e = math.frexp(math.max(s, 0) + 2)
    return math.min((e - 2) * 2 + floor(m * 4) - 2, 63)
end

-- Cells are sums to add to: by hour, campaign, metric, kind, route (variant, channel) and value.
local function add(cells, hour, campaign, metric, kind, route, value, n)
    local cell = pack('>I4HBHI3', hour, campaign, metric, kind * 2048 + route * 32, value)
    cells[cell] = (cells[cell] or 0) + n
end

-- Once by no kind in particular, and once by its own: an invoice of which two kinds of links were
-- clicked is one invoice.
local function add_once(cells, seen, click, metric, delay_metric, delay)
    local hour, step = floor(click.issued / 60), delay_of(delay)
    local kind, name = 0, click.campaign * 16
    for _ = 1, 2 do
        if not seen[name] then
            seen[name] = true
            add(cells, hour, click.campaign, metric, kind, click.route, 0, 1)
            add(cells, hour, click.campaign, delay_metric, kind, click.route, step, 1)
        end
        kind, name = click.kind, name + click.kind
    end
end

-- The order of clicks is that of their facts where times are equal.
local function by_time(a, b)
    if a.time ~= b.time then
        return a.time < b.time
    elseif a.campaign ~= b.campaign then
        return a.campaign < b.campaign
    elseif a.kind ~= b.kind then
        return a.kind < b.kind
    elseif a.route ~= b.route then
        return a.route < b.route
    end
    return a.issued < b.issued
end

local function by_event(a, b)
    if a.time ~= b.time then
        return a.time < b.time
    elseif RANK[a.event] ~= RANK[b.event] then
        return RANK[a.event] < RANK[b.event]
    elseif a.currency ~= b.currency then
        return a.currency < b.currency
    end
    return a.amount < b.amount
end

-- Takes back what a refund or credit note says, the latest payment first.  Without an amount, or of
-- a payment without one, all of it.
local function take_back(live, event, settle)
    local left = event.amount
    for i = #live, 1, -1 do
        local payment = live[i]
        if event.currency == 0 or payment.currency == 0 then
            settle(payment, TAKEN_BACK)
            table.remove(live, i)
            if event.currency ~= 0 then
                return
            end
        elseif payment.currency == event.currency then
            local part = math.min(left, payment.amount - payment.taken)
            payment.taken = payment.taken + part
            left = left - part
            if payment.taken == payment.amount then
                settle(payment, TAKEN_BACK)
                table.remove(live, i)
            end
            if left == 0 then
                return
            end
        end
    end
end

-- The click that earns the payment, or nil and why there is none.
local function find_earner(clicks, payment)
    local last
    for _, click in ipairs(clicks) do
        if click.time <= payment.time then
            last = click
        end
    end
    if payment.opted_out then
        return nil, OPTED_OUT
    elseif not last then
        return nil, #clicks == 0 and NO_CLICK or BEFORE_CLICK
    elseif payment.time - last.time > window_s then
        return nil, TOO_LATE
    end
    return last, EARNS
end

local function weigh_money(cells, clicks, money)
    local live, seen = {}, {}
    local function settle(payment, outcome)
        local hour = floor(payment.time / 3600)
        local rest = payment.amount - payment.taken
        if outcome == TAKEN_BACK then
            payment.taken, rest = payment.amount, 0
        end
        add(cells, hour, 0, N_OUTCOME + outcome, 0, 0, 0, 1)
        if payment.taken > 0 then
            add(cells, hour, 0, OUTCOME_AMOUNT + TAKEN_BACK, 0, 0, payment.currency, payment.taken)
        end
        if rest > 0 then
            add(cells, hour, 0, OUTCOME_AMOUNT + outcome, 0, 0, payment.currency, rest)
        end
        return rest
    end
    table.sort(money, by_event)
    for _, event in ipairs(money) do
        if event.event == UNPAID then
            event.currency = 0
            take_back(live, event, settle)
        elseif event.event == REFUNDED or event.event == CREDITED then
            take_back(live, event, settle)
        else
            for i = #live, 1, -1 do
                if event.event == PAID and live[i].event == PAID then
                    settle(live[i], REPLACED)
                    table.remove(live, i)
                end
            end
            event.taken = 0
            live[#live + 1] = event
        end
    end
    for _, payment in ipairs(live) do
        local click, outcome = find_earner(clicks, payment)
        local rest = settle(payment, outcome)
        if click then
            add_once(cells, seen, click, N_PAID, PAY_DELAY, payment.time - click.time)
            if rest > 0 then
                add(cells, floor(click.issued / 60), click.campaign, AMOUNT, click.kind, click.route,
                    payment.currency, rest)
            end
        end
    end
end

-- What an invoice adds to the sums.
local function weigh(facts)
    local cells, clicks, money, seen = {}, {}, {}, {}
    for _, fact in ipairs(facts) do
        local what = floor(byte(fact) / 16)
        if what == CLICK then
            local tag, campaign, route, issued, time = unpack_one('>BHBI3I4', fact)
            if route < 128 then
                clicks[#clicks + 1] = { kind = tag % 16, campaign = campaign, route = route,
                                        issued = issued, time = time }
            end
        elseif what == MONEY then
            local tag, time, currency, amount = unpack_one('>BI4I3I7', fact)
            money[#money + 1] = { event = tag % 8, opted_out = tag % 16 >= 8, time = time,
                                  currency = currency, amount = amount }
        end
    end
    if #clicks > 1 then
        table.sort(clicks, by_time)
    end
    for _, click in ipairs(clicks) do
        add_once(cells, seen, click, N_CLICKED, CLICK_DELAY, click.time - click.issued * 60)
    end
    if #money > 0 then
        weigh_money(cells, clicks, money)
    end
    return cells
end

-- Makes room for another click: of three of one link the middle one goes, else the oldest.
local function drop_click(facts, places)
    local count, victim = {}, places[1]
    for _, at in ipairs(places) do
        local link = sub(facts[at], 1, 7)
        count[link] = count[link] or {}
        table.insert(count[link], at)
        if #count[link] == 3 then
            victim = count[link][2]
            break
        end
    end
    table.remove(facts, victim)
end

-- Where the facts of that kind are.
local function places_of(facts, what)
    local places = {}
    for at, fact in ipairs(facts) do
        if floor(byte(fact) / 16) == what then
            places[#places + 1] = at
        end
    end
    return places
end

-- Blocks are listed, for whoever looks for invoices.
local function list_block(key, block)
    planned.lists[key] = planned.lists[key] or {}
    table.insert(planned.lists[key], block.number)
end

-- The campaign and month of a mail or link; the block is listed under them once for each invoice.
local function note_mailed(block, facts, campaign, minute)
    local month = sub(date_of(floor(minute / 60)), 1, 6)
    for _, fact in ipairs(facts) do
        local what = floor(byte(fact) / 16)
        if what == SENT or what == CLICK then
            local other, _, at = unpack_one('>HBI3', fact, 2)
            if other == campaign and sub(date_of(floor(at / 60)), 1, 6) == month then
                return
            end
        end
    end
    local key = prefix .. 'fi:' .. block.brand .. ':' .. campaign .. ':' .. month
    list_block(key, block)
end

-- What an invoice adds to the sums is worked out before its first change, if that changes it.
local nothing = {}
local function expect_change(invoice)
    if not invoice.before then
        local only = #invoice.facts < 2 and (invoice.facts[1] or '')
        invoice.before = (only == '' or (only and byte(only) == CLIENT * 16)) and nothing or
                         weigh(invoice.facts)
    end
end

-- A click that is neither the first of its campaign and kind, nor on an invoice of which money is
-- known, changes no sum.
local function is_another(facts, kind, campaign, time)
    local found = false
    for _, other in ipairs(facts) do
        local tag, its_campaign, route, _, its_time = 0, 0, 0, 0, 0
        local what = floor(byte(other) / 16)
        if what == MONEY then
            return false
        elseif what == CLICK then
            tag, its_campaign, route, _, its_time = unpack_one('>BHBI3I4', other)
            found = found or (route < 128 and tag % 16 == kind and its_campaign == campaign and
                              its_time < time)
        end
    end
    return found
end

local function add_click(block, invoice, fact)
    local facts = invoice.facts
    local tag, campaign, route, issued, time = unpack_one('>BHBI3I4', fact)
    local opposite = sub(fact, 1, 3) .. string.char((route + 128) % 256) .. sub(fact, 5)
    for at, other in ipairs(facts) do
        if other == opposite then
            expect_change(invoice)
            table.remove(facts, at)
            return
        end
    end
    if route < 128 then
        note_mailed(block, facts, campaign, issued)
        if not is_another(facts, tag % 16, campaign, time) then
            expect_change(invoice)
        end
    end
    facts[#facts + 1] = fact
    if #facts > CLICKS_MAX then
        local places = places_of(facts, CLICK)
        if #places > CLICKS_MAX then
            expect_change(invoice)
            drop_click(facts, places)
        end
    end
end

local function add_mails(block, invoice, fact)
    local _, campaign, route, minute, n = unpack_one('>BHBI3I4', fact)
    add(planned.cells, floor(minute / 60), campaign, N_SENT, 0, route, 0, n)
    if invoice then
        note_mailed(block, invoice.facts, campaign, minute)
        table.insert(invoice.facts, string.char(SENT * 16) .. sub(fact, 2, 7))
        local places = places_of(invoice.facts, SENT)
        if #places > SENT_MAX then
            table.remove(invoice.facts, places[1])
        end
    end
end

local function add_money(block, invoice, fact)
    local facts, event = invoice.facts, byte(fact) % 8
    if #places_of(facts, MONEY) >= MONEY_MAX then
        planned.aside[#planned.aside + 1] = block.key
        return
    end
    if event == PAID or event == PARTLY_PAID then
        count_payment('in', 1)
    end
    expect_change(invoice)
    facts[#facts + 1] = fact
end

local function split(text)
    local facts, at = {}, 1
    while at <= #text do
        local len = FACT_LEN[floor(byte(text, at) / 16)]
        if not len or at + len - 1 > #text then
            return nil
        end
        facts[#facts + 1] = sub(text, at, at + len - 1)
        at = at + len
    end
    return facts
end

-- Where an invoice is in a block, and the length of its facts; nil: it is not there, and -1 as well:
-- the block is not of this format.
local function find_invoice(text, number)
    local at, last = 1, #text
    while at <= last do
        local its_number, high, low = byte(text, at, at + 2)
        local len = low and high * 256 + low
        if not len or at + 2 + len > last then
            return nil, -1
        elseif its_number == number then
            return at, len
        end
        at = at + 3 + len
    end
end

-- Reads a block of invoices; false: it is not of this format.
local function load_block(key)
    local block = planned.blocks[key]
    if block == nil then
        local text = look_at('GET', key)
        block = { key = key, brand = key:match(':f:(%x+):'), text = text or '', invoices = {},
                  n_open = 0 }
        block.number = pack('>I4', tonumber(key:match('%x+$'), 16))
        if not text then
            list_block(prefix .. 'fb:' .. block.brand, block)
        end
        if type(text) == 'table' then
            block = false
        end
        planned.blocks[key] = block
        planned.order[#planned.order + 1] = key
    end
    return block
end

-- The invoice of that number, its facts apart; nil: what is there can't be read.
local function open_invoice(block, number)
    local invoice = block.invoices[number]
    if not invoice then
        local at, len = find_invoice(block.text, number)
        if len ~= -1 then
            invoice = { facts = split(at and sub(block.text, at + 3, at + 2 + len) or ''), at = at,
                        len = len }
        end
        invoice = invoice or {}
        block.n_open = block.n_open + 1
        block.invoices[number] = invoice
    end
    return invoice.facts and invoice
end

local function apply_fact(block, number, fact)
    local what = floor(byte(fact) / 16)
    if what == MAILS and number == 0 and block.number == '\0\0\0\0' then
        add_mails(block, nil, fact)
        return
    end
    local invoice = open_invoice(block, number)
    if not invoice then
        planned.aside[#planned.aside + 1] = block.key
        return
    end
    local facts = invoice.facts
    if what == CLIENT then -- it is the first of them
        if facts[1] == fact then
            return
        end
        block.is_changed = true
        if facts[1] and floor(byte(facts[1]) / 16) == CLIENT then
            facts[1] = fact
        else
            table.insert(facts, 1, fact)
        end
        return
    end
    block.is_changed = true
    if what == CLICK then
        add_click(block, invoice, fact)
    elseif what == MAILS then
        add_mails(block, invoice, fact)
    elseif what == MONEY then
        add_money(block, invoice, fact)
    end
end

-- Facts as they come: each has the number of its invoice in the block before it.
local function apply_facts(block, key, text)
    local at = 1
    while at < #text do
        local len = FACT_LEN[floor(byte(text, at + 1) / 16)]
        if block then
            apply_fact(block, byte(text, at), sub(text, at + 1, at + len))
        else
            planned.aside[#planned.aside + 1] = key
        end
        at = at + 1 + len
    end
end

-- What the change of an invoice adds to the sums.
local function add_difference(before, after)
    for cell, n in pairs(after) do
        planned.cells[cell] = (planned.cells[cell] or 0) + n
    end
    for cell, n in pairs(before) do
        planned.cells[cell] = (planned.cells[cell] or 0) - n
    end
end

local function close_block(block)
    for number, invoice in pairs(block.invoices) do
        local facts = invoice.facts
        if facts then
            local at, len = invoice.at, invoice.len
            if block.n_open > 1 then -- another may have moved it
                at, len = find_invoice(block.text, number)
            end
            -- Of an invoice of which nothing but the client is left nothing is kept.
            local is_nothing = #facts == 0 or (#facts == 1 and floor(byte(facts[1]) / 16) == CLIENT)
            local new = is_nothing and '' or join(facts)
            if invoice.before then
                add_difference(invoice.before, weigh(facts))
            end
            if new ~= '' then
                new = pack('>BH', number, #new) .. new
            end
            block.text = at and sub(block.text, 1, at - 1) .. new .. sub(block.text, at + 3 + len)
                             or block.text .. new
        end
    end
end

-- The records of sums, by key: of the day, with the hour, and of the month.
local function plan_series(key, record)
    planned.series[key] = planned.series[key] or {}
    table.insert(planned.series[key], record)
end

local function plan_cells()
    local sums, sums_of_kinds = prefix .. 'fs:' .. planned.brand .. ':', prefix .. 'fk:' .. planned.brand .. ':'
    for cell, n in pairs(planned.cells) do
        if n ~= 0 then
            local hour, campaign, metric, route, value = unpack_one('>I4HBHI3', cell)
            local date, count = date_of(hour), pack('>i8', n)
            -- By kind there are as many again, which few ask for.
            local brand_prefix = route >= 2048 and metric ~= AMOUNT and sums_of_kinds or sums
            plan_series(brand_prefix .. date, pack('>HBHI3', campaign, metric, route + hour % 24, value)
                        .. count)
            plan_series(brand_prefix .. sub(date, 1, 6), sub(cell, 5) .. count)
            if metric >= N_OUTCOME and metric < OUTCOME_AMOUNT then
                count_payment(OUTCOMES[metric - N_OUTCOME], n)
            end
        end
    end
end

-- Works out all of it; the cells of one brand at a time.
local function plan_invoices()
    local by_brand, brands = {}, {}
    local function enter(block, key)
        local brand = block and block.brand or key:match(':f:(%x+):')
        if not by_brand[brand] then
            by_brand[brand] = {}
            brands[#brands + 1] = brand
        end
        planned.cells = by_brand[brand]
    end
    local at, seen = invoices[1], {}
    for j = 1, #events, 2 do
        local event, facts = KEYS[at + 1], events[j + 1]
        at = at + 2
        if facts ~= '' then
            at = at + 1
            if not seen[event] and not look_at('GET', event) then
                local block = load_block(KEYS[at])
                enter(block, KEYS[at])
                apply_facts(block, KEYS[at], facts)
            end
        end
        seen[event] = true
    end
    if #uses > 0 then
        at = at + 2 * (#uses - 1)
    end
    at = at + ((#events > 0 or #uses > 0) and 2 or 0)
    for j = 6, #invoices do
        at = at + 1
        local block = load_block(KEYS[at])
        enter(block, KEYS[at])
        apply_facts(block, KEYS[at], invoices[j])
    end
    for _, key in ipairs(planned.order) do
        local block = planned.blocks[key]
        if block and block.is_changed then
            enter(block, key)
            close_block(block)
        end
    end
    for _, brand in ipairs(brands) do
        planned.brand, planned.cells = brand, by_brand[brand]
        plan_cells()
    end
    for _, keys in ipairs({ planned.series, planned.lists }) do
        for key in pairs(keys) do
            look_at('GETRANGE', key, 0, 0)
        end
    end
end
if #events > 0 or #invoices > 5 then
    plan_invoices()
end
call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])

local n_aside, why = 0, ''
local function set_aside(key, n, reply)
    n_aside = n_aside + n
    if why == '' then
        why = key .. ': ' .. (type(reply) == 'table' and reply.err or 'not a table of records')
    end
    try('HINCRBY', KEYS[2], key, n)
end

local k, grown = 2, {}
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

for i = 1, #tables do
    k = k + 1
    local len = append(KEYS[k], tables[i], 16)
    if len and len % 4096 < #tables[i] then
        report(KEYS[k], len)
    end
end

-- What a series' head says it was summed up to.
local function base_len(key)
    local head = try('GETRANGE', key, 0, 7)
    return type(head) == 'string' and head:sub(1, 4) == 'HCS1' and struct.unpack('>I4', head, 5) or 0
end

for i = 1, #series, 2 do
    k = k + 1
    local key, records = KEYS[k], series[i]
    local len = append(key, records, 8)
    if len == #records then
        try('EXPIRE', key, series[i + 1], 'NX')
        report(key, 0)
    elseif len and len >= 4096 and len % 4096 < #records and len >= 2 * base_len(key) + 4096 then
        report(key, len)
    end
end

-- Adding a client or visitor to both keys costs twice; merging the day into the month costs as much as some
-- hundred of them.
local MERGE_MIN, STEP = 1000, 4000
local function add(key, first, last)
    for j = first, last, STEP do
        local r = try('PFADD', key, unpack(people, j, math.min(last, j + STEP - 1)))
        if type(r) ~= 'number' then
            set_aside(key, 1, r)
            return
        end
    end
end

local i = 1
while i <= #people do
    local n, day, month = people[i], KEYS[k + 1], KEYS[k + 2]
    local first, last = i + 3, i + 2 + n
    add(day, first, last)
    local merged = n >= MERGE_MIN and try('PFMERGE', month, day)
    if type(merged) ~= 'table' or merged.err then
        add(month, first, last)
    end
    try('EXPIRE', day, people[i + 1], 'NX')
    try('EXPIRE', month, people[i + 2], 'NX')
    k = k + 2
    i = last + 1
end

-- A repetition of an event is passed over; what is new goes to the stream too, for all pods.
local news = {}
local function tell(table_key, entries)
    local len = append(table_key, entries, 16)
    if len then
        news[#news + 1] = entries
    end
    if len and len % 4096 < #entries then
        report(table_key, len)
    end
end
local TOLD_LEN, told = 40, {}
for j = 1, #events, 2 do
    local event, key, entries = KEYS[k + 1], KEYS[k + 2], events[j]
    k = k + (events[j + 1] == '' and 2 or 3)
    local known = try('SET', event, '', 'NX', 'EX', ARGV[8])
    if type(known) == 'table' and known.err then
        set_aside(event, 1, known)
    elseif known then
        local len = #entries % 16 == 0 and #entries or #entries - TOLD_LEN
        if len > 0 then
            tell(key, entries:sub(1, len))
        end
        if len < #entries then
            told[#told + 1] = entries:sub(len + 1)
        end
    end
end

-- How often people have used links that may be used so often only.  All pods are told when the limit
-- is reached or was: a click that turns out to be a scanner's gives its use back.  Of two entries the
-- later holds; so that clocks can't turn them round, the serial, 1/32 s since 2024, only grows.
for j = 2, #uses do
    local key, table_key = KEYS[k + 1], KEYS[k + 2]
    k = k + 2
    local old = try('GET', key) or '0 0'
    local n, serial = tostring(old):match('^(%-?%d+) (%d+)$')
    if n then
        local change, limit = struct.unpack('>i4I4', uses[j], 9)
        local was, is = tonumber(n), tonumber(n) + change
        serial = math.max(uses[1] * 32, tonumber(serial) + 1)
        try('SET', key, string.format('%d %d', is, serial), 'EX', ARGV[10])
        if was >= limit or is >= limit then
            local what = math.min(math.max(is, 0), 0xffffff)
            tell(table_key, uses[j]:sub(1, 8) .. struct.pack('>I4I4',
                 0x90000000 + math.floor(serial / 256), serial % 256 * 0x1000000 + what))
        end
    else
        set_aside(key, 1, old)
    end
end
if #news > 0 then
    local added = try('XADD', KEYS[k + 1], 'MAXLEN', '~', '65536', '*', 'e', table.concat(news))
    if type(added) == 'table' then
        set_aside(KEYS[k + 1], #news, added)
    end
end
for j = 1, #told do
    local added = try('XADD', KEYS[k + 2], 'MAXLEN', '~', '100000', '*', 'e', told[j])
    if type(added) == 'table' then
        set_aside(KEYS[k + 2], 1, added)
    end
    try('EXPIRE', KEYS[k + 2], ARGV[8])
end

-- Invoices, as planned.
for _, key in ipairs(planned.order) do
    local block = planned.blocks[key]
    if block and block.is_changed then
        -- Nothing is left: a key that is about to expire, for DEL is no command that is needed else.
        local reply = block.text == '' and try('SET', key, '', 'EX', '1')
                          or try('SET', key, block.text, 'EX', block_ttl)
        if reply.err then
            set_aside(key, 1, reply)
        end
    end
end
for _, key in ipairs(planned.aside) do
    set_aside(key, 1)
end
for key, records in pairs(planned.series) do
    local text = join(records)
    local len = append(key, text, 16)
    if len == #text then
        try('EXPIRE', key, series_ttl)
    elseif len and len >= 4096 and len % 4096 < #text then
        local head = try('GETRANGE', key, 0, 15)
        local base = type(head) == 'string' and head:sub(3, 3) == '\255' and struct.unpack('>I8', head, 9) or 0
        if len >= 2 * base + 4096 then
            report(key, len)
        end
    end
end
for key, blocks in pairs(planned.lists) do
    local last, new = try('GETRANGE', key, -4, -1), {}
    for _, block in ipairs(blocks) do
        if block ~= last then
            new[#new + 1], last = block, block
        end
    end
    if #new > 0 then
        append(key, join(new), 4)
    end
    try('EXPIRE', key, block_ttl)
end
local payments = {}
for field, n in pairs(planned.payments) do
    if n ~= 0 then
        try('HINCRBY', prefix .. 'payments', field, n)
    end
end
if invoices[5] == 1 or next(planned.payments) then
    payments = try('HGETALL', prefix .. 'payments')
    payments = payments.err and {} or payments
end
return { 1, n_aside, why, grown, payments }
