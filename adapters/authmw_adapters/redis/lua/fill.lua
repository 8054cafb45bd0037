-- Gives rows that are older than an index the values it holds of them. ARGV: base, kind, what is unique, the rows as they were read and then as they are to be: (key, version,
-- values of each index), and the new row of each. A row that changed meanwhile is left to the next look. Answers {'done', left} or {'duplicate', kind, index}.
local kind, unique, rows = ARGV[2], cmsgpack.unpack(ARGV[3]), cmsgpack.unpack(ARGV[4])
local left = 0
for number, row in ipairs(rows) do
  local key, version, values = unpack(row)
  local held = redis.call('HGET', base .. kind, key)
  local head = held and head_of(held)
  if head and head[1] ~= version then
    left = left + 1
  elseif head then
    for index in pairs(unique) do
      for _, value in ipairs(values[index] or {}) do
        local other = holder(kind, index, value)
        if other and other ~= key then
          return { 'duplicate', kind, index }
        end
      end
    end
    redis.call('HSET', base .. kind, key, ARGV[4 + number])
    for index, old in pairs(head[2]) do
      take(kind, index, old, key)
    end
    for index, now in pairs(values) do
      add(kind, index, now, key)
    end
  end
end
return { 'done', left }
