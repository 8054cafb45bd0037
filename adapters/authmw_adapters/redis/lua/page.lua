-- A page. ARGV: base, kind, {filter, index of the order, bounds there of what the filter holds for, bounds of what comes behind the
-- cursor too, descending, limit, looked_up, walked}. Answers the member behind which the next page begins, or '', and then the rows.
-- One call looks at a bounded number of rows: where a filter holds for few (at most `looked_up`), they are looked up and ordered here; else the order is walked, at most so far,
-- and the page may be short.
local filter, index, lowest, highest, low, high, descending, limit, looked_up, walked = unpack(cmsgpack.unpack(ARGV[3]))

local function place_of(key, values)
  if index == 'key' then
    return spelled(key) .. '\0'
  end
  local held = values[index]
  return held and held[1] .. '\0' .. key
end

local function before(one, two)
  if descending then
    return less(two, one)
  end
  return less(one, two)
end

local places, rows = {}, {}

-- Keeps the first of what is given in any order, and one more, which tells that there are more.
local function keep(place, row)
  local from, to = 1, #places + 1
  if #places > limit and not before(place, places[#places]) then
    return
  end
  while from < to do
    local middle = math.floor((from + to) / 2)
    if before(places[middle], place) then
      from = middle + 1
    else
      to = middle
    end
  end
  table.insert(places, from, place)
  table.insert(rows, from, row)
  if #places > limit + 1 then
    table.remove(places)
    table.remove(rows)
  end
end

local everything = filter[1] == AND and #filter[2] == 0
local most = estimate(filter)
local among = redis.call('ZLEXCOUNT', index_of(kind, index), lowest, highest)
local begun = redis.call('ZLEXCOUNT', index_of(kind, index), low, high)
-- What a walk has to look at, if what is sought lies evenly.
local steps = math.min(begun, (limit + 1) * math.max(1, among / math.max(most, 1)))

local answer = { '' }
if most > 0 and begun > 0 then
  if not everything and most <= looked_up and most <= steps then
    local found = {}
    local exact = gather(filter, found)
    for key in pairs(found) do
      local row = row_of(key)
      local values = head_of(row)[2]
      local place = place_of(key, values)
      if place and within(place, low, high) and (exact or holds(filter, key, values)) then
        keep(place, row)
      end
    end
    if #places > limit then
      answer[1] = places[limit]
    end
  else
    local more = walk(index, low, high, descending, math.max(walked, limit + 1), function(member, key)
      local row = row_of(key)
      if everything or holds(filter, key, head_of(row)[2]) then
        if #places == limit then
          return true
        end
        places[#places + 1] = member
        rows[#rows + 1] = row
      end
      return false
    end)
    answer[1] = more or ''
  end
end
for number = 1, math.min(#rows, limit) do
  answer[number + 1] = rows[number]
end
return answer
