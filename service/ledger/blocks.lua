-- Reads blocks of invoices; answers their texts, nil for one that isn't there, 0 for what is no string.
local blocks = {}
for i, key in ipairs(KEYS) do
    local block = redis.pcall('GET', key)
    blocks[i] = type(block) == 'table' and 0 or block
end
return blocks
