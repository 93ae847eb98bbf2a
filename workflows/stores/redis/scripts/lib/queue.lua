-- queue: limits and pauses.
-- needs: core batch
--
-- The hash queue:<name>: paused paused_by; declared_ and operator_ concurrency, rate_max,
-- rate_ms; overridden; rate_start and rate_used of the rate window; exempt: how many
-- leases take no place (lib/activity.lua).

local LIMITS = {
  'paused', 'overridden', 'declared_concurrency', 'declared_rate_max', 'declared_rate_ms',
  'operator_concurrency', 'operator_rate_max', 'operator_rate_ms', 'rate_start', 'rate_used',
  'exempt',
}

local function read_limits(queue)
  local v = call('HMGET', queue_key(queue), unpack(LIMITS))
  local first = v[2] and 6 or 3
  return {
    paused = v[1] and true or false,
    concurrency = tonumber(v[first]),
    rate_max = tonumber(v[first + 1]),
    rate_ms = tonumber(v[first + 2]),
    window = tonumber(v[9]),
    used = tonumber(v[10]) or 0,
    exempt = tonumber(v[11]) or 0,
  }
end

-- Room in a queue for how many more leases. Forgets a rate window that is over.
local function room_in(queue, limits, now)
  if limits.paused then
    return 0
  end
  local room = math.huge
  if limits.concurrency then
    local held = call('ZCARD', state_key('active', queue)) - limits.exempt
      + call('ZCARD', prefix .. 'lingering:' .. queue)
    room = math.max(0, limits.concurrency - held)
  end
  if not limits.rate_max then
    return room
  end
  if not limits.window or now >= limits.window + limits.rate_ms then
    limits.window, limits.used = nil, 0
  end
  return math.min(room, math.max(0, limits.rate_max - limits.used))
end

-- In how many ms a rate window that claims have filled makes way for the next; or nil.
local function opens_in(limits, now)
  local full = limits.rate_max and limits.window and limits.used >= limits.rate_max
  if full and not limits.paused then
    return limits.window + limits.rate_ms - now
  end
  return nil
end

-- Count claims into the rate window; the first one opens it.
local function use_rate(queue, limits, claims, now)
  if not limits.rate_max or claims == 0 then
    return
  end
  limits.window = limits.window or now
  limits.used = limits.used + claims
  call('HSET', queue_key(queue), 'rate_start', limits.window, 'rate_used', limits.used)
end

-- Wake for all that waits in a queue.
local function wake_all(queue)
  for _, type in ipairs(call('SMEMBERS', prefix .. 'types:' .. queue)) do
    local keys = { waiting_key(queue, type), suspect_key(queue, type) }
    if call('EXISTS', unpack(keys)) > 0 then
      wake(queue, type)
    end
  end
end
