-- bury_unknown: bury waiting jobs of types that no living worker has known for long.
-- needs: core order batch job leave heads
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
  for _, owner in ipairs(call('ZRANGEBYSCORE', prefix .. 'seen', now - 3 * interval, '+inf')) do
    local types = call('HGET', prefix .. 'worker_types', owner)
    for _, entry in ipairs(types and cmsgpack.unpack(types) or {}) do
      known[pair(entry[1], entry[2])] = true
    end
  end
  return known
end

-- Whether a type with waiting jobs has been unknown for so long.
local function is_lost(queue, type, known)
  local slot = pair(queue, type)
  if known[slot]
    or call('EXISTS', waiting_key(queue, type), suspect_key(queue, type)) == 0 then
    call('HDEL', unknown, slot)
    return false
  end
  call('HSETNX', unknown, slot, now)
  return now - call('HGET', unknown, slot) >= grace
end

local known, sources = living_types(), {}

-- What the engine owns is passed over.
local function add(key, type, suspect)
  local source = new_source(key, type, suspect, 0)
  if not is_owned(source) then
    sources[#sources + 1] = source
  end
end

for _, queue in ipairs(call('SMEMBERS', prefix .. 'queues')) do
  for _, type in ipairs(call('SMEMBERS', prefix .. 'types:' .. queue)) do
    if is_lost(queue, type, known) then
      add(waiting_key(queue, type), type, false)
      add(suspect_key(queue, type), type, true)
    end
  end
end

local buried = {}
while #buried < limit do
  local source = first_source(sources, 100, true)
  if not source then
    break
  end
  local id = take(source)
  local queue, dedup = leave_pending(id)
  end_job(id, queue, dedup, 'failed', now, 'reason', 'unknown_type')
  count_in(totals, queue, 'dead:unknown_type')
  count_in(minutes, queue, 'dead')
  buried[#buried + 1] = id
end
flush(now)
return buried
