-- Drops up to so many records of a kind that expired before a moment. ARGV: base, kind, moment, how many.
local kind = ARGV[2]
local over = redis.call('ZRANGEBYLEX', index_of(kind, '#expiry'), '-', '(' .. ARGV[3], 'LIMIT', 0, tonumber(ARGV[4]))
for _, member in ipairs(over) do
  local key = key_in(member)
  drop(kind, key, head_of(redis.call('HGET', base .. kind, key))[2])
end
return #over
