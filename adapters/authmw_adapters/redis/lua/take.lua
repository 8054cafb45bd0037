-- Charges every limit once, or none, and gives what was counted if one is full: the generic cell rate algorithm of `authmw.limits.take_one`.
-- KEYS: the counts. ARGV: now, then for each key its interval and its whole, each as seconds and nanoseconds; an interval of -1 s never refills, its
-- nanoseconds are the burst. A double is exact to 2^53, a time in nanoseconds is not; so seconds and nanoseconds are kept apart.
local function sum(seconds, nanoseconds, more_seconds, more_nanoseconds)
  seconds, nanoseconds = seconds + more_seconds, nanoseconds + more_nanoseconds
  if nanoseconds >= 1e9 then
    return seconds + 1, nanoseconds - 1e9
  end
  return seconds, nanoseconds
end

local function later(seconds, nanoseconds, than_seconds, than_nanoseconds)
  return seconds > than_seconds or (seconds == than_seconds and nanoseconds > than_nanoseconds)
end

local now_s, now_n = tonumber(ARGV[1]), tonumber(ARGV[2])
local held, after, lives, full = {}, {}, {}, false
for number, key in ipairs(KEYS) do
  local at = 4 * number - 2
  local interval_s, interval_n = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local whole_s, whole_n = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local value = redis.call('GET', key)
  held[number] = value or ''
  if interval_s < 0 then
    local count = tonumber(value or '0') + 1
    full = full or count > interval_n
    after[number] = string.format('%d', count)
  else
    local seconds, nanoseconds = now_s, now_n
    if value then
      local held_s, held_n = string.match(value, '^(-?%d+) (%d+)$')
      held_s, held_n = tonumber(held_s), tonumber(held_n)
      if later(held_s, held_n, seconds, nanoseconds) then
        seconds, nanoseconds = held_s, held_n
      end
    end
    seconds, nanoseconds = sum(seconds, nanoseconds, interval_s, interval_n)
    full = full or later(seconds, nanoseconds, sum(now_s, now_n, whole_s, whole_n))
    after[number] = string.format('%d %d', seconds, nanoseconds)
    -- A minute more than it takes to be full again, for clocks that differ.
    lives[number] = seconds - now_s + 60
  end
end
if full then
  return held
end
for number, key in ipairs(KEYS) do
  if lives[number] then
    redis.call('SET', key, after[number], 'EX', lives[number])
  else
    redis.call('SET', key, after[number])
  end
end
return {}
