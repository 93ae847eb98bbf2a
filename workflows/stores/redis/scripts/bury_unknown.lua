-- bury_unknown: bury waiting jobs of types that no living worker has known for long.
-- needs: core batch job
--
-- ARGV   now, grace_ms, interval_ms, limit
-- Reply  ids
--
-- The hash `unknown` holds per (queue, type) with waiting jobs since when no living
-- worker knows it. A pause of this script longer than two intervals starts it anew.

local now = open(false)
local grace, interval, limit = args[2], args[3], args[4]
local unknown = prefix .. 'unknown'

local run_at = tonumber(call('HGET', prefix .. 'meta', 'unknown_at'))
if run_at and now - run_at > 2 * interval then
  call('DEL', unknown)
end
call('HSET', prefix .. 'meta', 'unknown_at', now)

local function living_types()
  local known = {}
  local workers = call('ZRANGEBYSCORE', prefix .. 'seen', '(' .. string.format('%d', now - 3 * interval - 1), '+inf')
  for _, owner in ipairs(workers) do
    local types = call('HGET', prefix .. 'worker_types', owner)
    for _, entry in ipairs(types and cmsgpack.unpack(types) or {}) do
      known[pair(entry[1], entry[2])] = true
    end
  end
  return known
end

local buried = {}

local function bury_from(key, queue)
  for _, member in ipairs(call('ZRANGE', key, 0, limit - #buried - 1)) do
    local id = member:sub(17)
    local _, dedup = leave_pending(id)
    end_job(id, queue, dedup, 'failed', now, 'reason', 'unknown_type')
    count_total(queue, 'dead:unknown_type')
    count_minute(queue, 'dead')
    buried[#buried + 1] = id
  end
end

local function check_type(queue, type, known)
  local slot, keys = pair(queue, type), { waiting_key(queue, type), suspect_key(queue, type) }
  if known[slot] or call('EXISTS', unpack(keys)) == 0 then
    call('HDEL', unknown, slot)
    return
  end
  local since = tonumber(call('HGET', unknown, slot))
  if not since then
    call('HSET', unknown, slot, now)
    since = now
  end
  if now - since < grace then
    return
  end
  for _, key in ipairs(keys) do
    if #buried < limit then
      bury_from(key, queue)
    end
  end
end

local known = living_types()
for _, queue in ipairs(call('SMEMBERS', prefix .. 'queues')) do
  for _, type in ipairs(call('SMEMBERS', prefix .. 'types:' .. queue)) do
    if #buried < limit then
      check_type(queue, type, known)
    end
  end
end
flush(now)
return buried
