-- A count. ARGV: base, kind, {filter, whether each record has at most one value in each of its indexes, how many to stop at, the bound to go on from, looked_up,
-- walked}. Answers how many, and the member to go on behind, or ''. One call looks at a bounded number of rows.
local filter, single, at_most, low, looked_up, walked = unpack(cmsgpack.unpack(ARGV[3]))
if filter[1] == AND and #filter[2] == 0 then
  return { redis.call('HLEN', base .. kind), '' }
end
local leaf = filter[1] ~= AND and filter[1] ~= OR
if leaf and single and #filter[3] <= 1 and filter[4] < 0 then
  return { estimate(filter), '' }
end
local count, found = 0, {}
if leaf then
  for _, range in ipairs(filter[3]) do
    walk(filter[2], range[1], range[2], false, math.huge, function(member, key)
      if not found[key] and as_long(member, filter[4]) then
        found[key] = true
        count = count + 1
      end
      return count >= at_most
    end)
  end
  return { count, '' }
end
if low == '-' and estimate(filter) <= looked_up then
  local exact = gather(filter, found)
  for key in pairs(found) do
    if exact or holds(filter, key, head_of(row_of(key))[2]) then
      count = count + 1
    end
  end
  return { count, '' }
end
local more = walk('key', low, '+', false, walked, function(_, key)
  if holds(filter, key, head_of(row_of(key))[2]) then
    count = count + 1
  end
  return count >= at_most
end)
return { count, count < at_most and more or '' }
