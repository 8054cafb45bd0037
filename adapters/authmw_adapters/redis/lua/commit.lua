-- All writes of a commit or none. ARGV: base, the most actions, what is declared of each kind (for an index that is aside 1, for a unique one 2), the writes (what, kind, key,
-- version, values of each index), and the row of each write in their order.
-- Nothing is written before all of it is judged, and rows are written first: a server without memory refuses the first write of a script or none.
local most, declared, writes = tonumber(ARGV[2]), cmsgpack.unpack(ARGV[3]), cmsgpack.unpack(ARGV[4])
local INSERT, UPDATE, DELETE, CHECK = 1, 2, 3, 4

local function without(values, others)
  local held, left = {}, {}
  for _, value in ipairs(others or {}) do
    held[value] = true
  end
  for _, value in ipairs(values or {}) do
    if not held[value] then
      left[#left + 1] = value
    end
  end
  return left
end

local changes, going, coming, changed = {}, {}, {}, #writes
for number, write in ipairs(writes) do
  local what, kind, key, version, values = unpack(write)
  local row = redis.call('HGET', base .. kind, key)
  local held = {}
  if what == INSERT then
    if row then
      return { 'conflict', kind, 'key' }
    end
  else
    local head = row and head_of(row)
    if not head or head[1] ~= version then
      return { 'conflict', kind, '' }
    end
    held = head[2]
  end
  if what ~= CHECK then
    local gone, new = {}, {}
    for index, old in pairs(held) do
      gone[index] = without(old, values[index])
    end
    for index, now in pairs(values) do
      new[index] = without(now, held[index])
    end
    for index in pairs(declared[kind]) do
      changed = changed + #(gone[index] or {}) + #(new[index] or {})
    end
    if what ~= INSERT then
      going[kind .. '\0' .. key] = true
    end
    changes[#changes + 1] = { what, kind, key, gone, new, ARGV[4 + number], values }
  end
end
if changed > most then
  return { 'actions', tostring(changed) }
end

for _, change in ipairs(changes) do
  local _, kind, _, _, new, _, values = unpack(change)
  for index, sort in pairs(declared[kind]) do
    if sort == 2 then
      for _, value in ipairs(values[index] or {}) do
        local place = kind .. '\0' .. index .. '\0' .. value
        if coming[place] then
          return { 'duplicate', kind, index }
        end
        coming[place] = true
      end
      for _, value in ipairs(new[index] or {}) do
        local other = holder(kind, index, value)
        if other and not going[kind .. '\0' .. other] then
          return { 'duplicate', kind, index }
        end
      end
    end
  end
end

for _, change in ipairs(changes) do
  local what, kind, key, _, _, row = unpack(change)
  if what ~= DELETE then
    redis.call('HSET', base .. kind, key, row)
  end
end
for _, change in ipairs(changes) do
  local what, kind, key, gone, new = unpack(change)
  if what == DELETE then
    drop(kind, key, gone)
  elseif what == INSERT then
    redis.call('ZADD', index_of(kind, 'key'), 0, spelled(key) .. '\0')
  end
  for index, values in pairs(gone) do
    take(kind, index, values, key)
  end
  for index, values in pairs(new) do
    add(kind, index, values, key)
  end
end
return { 'done' }
