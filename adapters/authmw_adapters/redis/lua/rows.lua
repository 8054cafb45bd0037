-- How records lie in Redis, shared by the scripts of `RedisStorage`. `base` is what every key of a namespace begins with.
-- base..kind: a hash of rows by key. A row is the length of its head (four bytes), the head (MessagePack: version, and for each index the values it holds of the record), and the
-- record. base..kind..':'..index: a sorted set whose members are value, NUL, key, all of one score, so their order is that of bytes; `key` holds each key, `#expiry` each moment.
local base = ARGV[1]

local function index_of(kind, index)
  return base .. kind .. ':' .. index
end

local function head_of(row)
  return cmsgpack.unpack(string.sub(row, 5, 4 + struct.unpack('>I4', row)))
end

-- A key as an index value.
local function spelled(key)
  return (string.gsub(key, '[\1\2]', { ['\1'] = '\2\2', ['\2'] = '\2\3' }))
end

local function key_in(member)
  return string.sub(member, string.find(member, '%z') + 1)
end

local function add(kind, index, values, key)
  for _, value in ipairs(values) do
    redis.call('ZADD', index_of(kind, index), 0, value .. '\0' .. key)
  end
end

local function take(kind, index, values, key)
  for _, value in ipairs(values) do
    redis.call('ZREM', index_of(kind, index), value .. '\0' .. key)
  end
end

local function drop(kind, key, values)
  for index, held in pairs(values) do
    take(kind, index, held, key)
  end
  redis.call('ZREM', index_of(kind, 'key'), spelled(key) .. '\0')
  redis.call('HDEL', base .. kind, key)
end

local function holder(kind, index, value)
  local found = redis.call('ZRANGEBYLEX', index_of(kind, index), '[' .. value .. '\0', '(' .. value .. '\1', 'LIMIT', 0, 1)
  return found[1] and string.sub(found[1], #value + 2)
end
