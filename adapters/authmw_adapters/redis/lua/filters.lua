-- Filters on rows. A filter is {AND, parts}, {OR, parts} or {RANGES, index, ranges, skip}: an index value in one of the ranges, each two bounds as ZRANGEBYLEX takes them; with a
-- `skip` that is not negative no separator of texts stands behind so many bytes of the value. What a filter may hold for is looked up in one index; the rest is asked of each row.
local AND, OR = 1, 2
local kind = ARGV[2]

-- Bytes, whatever the language of the server: Lua's own comparison asks its locale. Eight at a time, for what is compared here begins alike.
local byte = string.byte
local function less(one, two)
  for at = 1, #one + 1, 8 do
    local a, b, c, d, e, f, g, h = byte(one, at, at + 7)
    local i, j, k, l, m, n, o, p = byte(two, at, at + 7)
    if a ~= i then
      return not a or (i and a < i)
    elseif b ~= j then
      return not b or (j and b < j)
    elseif c ~= k then
      return not c or (k and c < k)
    elseif d ~= l then
      return not d or (l and d < l)
    elseif e ~= m then
      return not e or (m and e < m)
    elseif f ~= n then
      return not f or (n and f < n)
    elseif g ~= o then
      return not g or (o and g < o)
    elseif h ~= p then
      return not h or (p and h < p)
    end
  end
  return false
end

local function row_of(key)
  return redis.call('HGET', base .. kind, key)
end

local told = {}
local function bound(text)
  if not told[text] then
    told[text] = { byte(text), string.sub(text, 2) }
  end
  return told[text][1], told[text][2]
end

local INCLUDED, EXCLUDED = byte('['), byte('(')
local function within(member, low, high)
  local sort, place = bound(low)
  if (sort == INCLUDED and less(member, place)) or (sort == EXCLUDED and not less(place, member)) then
    return false
  end
  sort, place = bound(high)
  return not ((sort == INCLUDED and less(place, member)) or (sort == EXCLUDED and not less(member, place)))
end

local function as_long(member, skip)
  local longer = skip >= 0 and string.find(member, '\1', skip + 1, true)
  return not longer or longer > string.find(member, '\0', skip + 1, true)
end

local function holds(filter, key, values)
  local sort, parts = filter[1], filter[2]
  if sort == AND or sort == OR then
    for _, part in ipairs(parts) do
      if holds(part, key, values) == (sort == OR) then
        return sort == OR
      end
    end
    return sort == AND
  end
  local _, index, ranges, skip = unpack(filter)
  local held, behind = values[index] or {}, key
  if index == 'key' then
    held, behind = { spelled(key) }, ''
  end
  for _, value in ipairs(held) do
    local member = value .. '\0' .. behind
    for _, range in ipairs(ranges) do
      if within(member, range[1], range[2]) and as_long(member, skip) then
        return true
      end
    end
  end
  return false
end

-- At most so many records a filter holds for.
local function estimate(filter)
  local sort, parts = filter[1], filter[2]
  if sort == AND then
    local least = redis.call('HLEN', base .. kind)
    for _, part in ipairs(parts) do
      least = math.min(least, estimate(part))
    end
    return least
  end
  local sum = 0
  if sort == OR then
    for _, part in ipairs(parts) do
      sum = sum + estimate(part)
    end
    return sum
  end
  for _, range in ipairs(filter[3]) do
    sum = sum + redis.call('ZLEXCOUNT', index_of(kind, parts), range[1], range[2])
  end
  return sum
end

local function key_of(index, member)
  if index ~= 'key' then
    return key_in(member)
  end
  return (string.gsub(string.sub(member, 1, -2), '\2[\2\3]', { ['\2\2'] = '\1', ['\2\3'] = '\2' }))
end

-- Adds to `found` the keys a filter may hold for, and tells whether it holds for each of them.
local function gather(filter, found)
  local sort, parts = filter[1], filter[2]
  if sort == AND then
    local best, least
    for _, part in ipairs(parts) do
      local many = estimate(part)
      if not least or many < least then
        best, least = part, many
      end
    end
    return gather(best or { 3, 'key', { { '-', '+' } }, -1 }, found) and #parts <= 1
  end
  if sort == OR then
    local exact = true
    for _, part in ipairs(parts) do
      exact = gather(part, found) and exact
    end
    return exact
  end
  local _, index, ranges, skip = unpack(filter)
  for _, range in ipairs(ranges) do
    for _, member in ipairs(redis.call('ZRANGEBYLEX', index_of(kind, index), range[1], range[2])) do
      if as_long(member, skip) then
        found[key_of(index, member)] = true
      end
    end
  end
  return true
end

-- Calls `each` with member and key of what an index holds between two bounds, in order, until it answers true or so many were seen; gives the last member if there may be more.
local function walk(index, low, high, descending, most, each)
  local seen, last, step = 0, nil, math.min(100, most)
  while seen < most do
    local command, from, to = 'ZRANGEBYLEX', low, high
    if descending then
      command, from, to = 'ZREVRANGEBYLEX', high, low
    end
    local members = redis.call(command, index_of(kind, index), from, to, 'LIMIT', 0, step)
    for _, member in ipairs(members) do
      local key = key_of(index, member)
      if each(member, key) then
        return last
      end
      last = member
    end
    if #members < step then
      return nil
    end
    seen = seen + #members
    if descending then
      high = '(' .. last
    else
      low = '(' .. last
    end
  end
  return last
end
