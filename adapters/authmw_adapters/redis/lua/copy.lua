-- Keeps a copy of a record, or says that none before a version counts, unless something later is known. KEYS: where. ARGV: the version, the copy (empty: none yet), and for how
-- many milliseconds. What lies there is the version, a colon and the copy.
local held = redis.call('GET', KEYS[1])
if held and tonumber(string.match(held, '^%d+')) > tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. ARGV[2], 'PX', ARGV[3])
return 1
