-- The row that holds a value in a unique index. ARGV: base, kind, index, value.
local key = holder(ARGV[2], ARGV[3], ARGV[4])
return key and redis.call('HGET', base .. ARGV[2], key)
