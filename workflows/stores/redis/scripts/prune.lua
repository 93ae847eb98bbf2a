-- prune: delete the oldest ended jobs of a queue, by age and by number.
-- needs: core batch job leave
--
-- ARGV   now, queue, state, age_ms or nil, keep or nil, limit
-- Reply  {how many, whether more remain}

local now = open(false)
local queue, state, age_ms, keep, limit = args[2], args[3], args[4], args[5], args[6]
local key = state_key(state, queue)

local surplus = keep and call('ZCARD', key) - keep or 0
if age_ms then
  local before = '(' .. string.format('%d', now - age_ms)
  surplus = math.max(surplus, call('ZCOUNT', key, '-inf', before))
end
local n = math.max(0, math.min(surplus, limit))
if n > 0 then
  for _, id in ipairs(call('ZRANGE', key, 0, n - 1)) do
    zrem(key, id)
    forget(id, now)
  end
end
flush(now)
return { n, surplus > n and 1 or 0 }
