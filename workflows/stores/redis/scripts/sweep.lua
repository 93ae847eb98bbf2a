-- sweep: take back leases that ran out.
-- needs: core order batch job leave value lease queue
-- runs: run inbox task activity drop owned
--
-- ARGV   now, interval_ms, limit
-- Reply  per lease {job id, queue, type, 'extended' | 'stalled' | 'dead' | 'cancelled' |
--        'lost', token if it is lost}
--
-- After a gap in sweeping, workers that live could not renew. Their leases are extended
-- once; the job's field `extended` (of lingering ones: a hash) says so until a renewal.
-- Values past their deadline are deleted on the way.

local now = open(false)
local interval, limit = args[2], args[3]
local swept_at = tonumber(call('HGET', prefix .. 'meta', 'swept_at'))
local gap = not swept_at or now - swept_at > 2 * interval

local swept = {}

-- Leases of all queues, also lingering ones, up to an end: {end, job id, queue, name of
-- the lease if it lingers}, in the order of (end, job id).
local function ending(horizon)
  local found = {}
  local function add(key, queue, lingers)
    local ends = call('ZRANGEBYSCORE', key, '-inf', horizon, 'WITHSCORES', 'LIMIT', 0, 2 * MAX_STEP)
    for i = 1, #ends, 2 do
      local id = lingers and select(2, parse_lease(ends[i])) or ends[i]
      found[#found + 1] = { tonumber(ends[i + 1]), id, queue, lingers and ends[i] }
    end
  end
  for _, queue in ipairs(call('SMEMBERS', prefix .. 'queues')) do
    add(state_key('active', queue), queue, false)
    add(prefix .. 'lingering:' .. queue, queue, true)
  end
  table.sort(found, function(a, b)
    if a[1] ~= b[1] then
      return a[1] < b[1]
    end
    return bytes_before(a[2], b[2])
  end)
  return found
end

local function was_extended(id, name)
  if name then
    return call('HEXISTS', prefix .. 'lingering_extended', name) == 1
  end
  local token, extended = unpack(call('HMGET', job_key(id), 'token', 'extended'))
  return extended == token
end

local function extend(id, queue, name)
  if name then
    local _, length = lingering(name)
    call('HSET', prefix .. 'lingering_extended', name, 1)
    zadd(prefix .. 'lingering:' .. queue, now + length, name)
    return
  end
  local job = read_lease(id)
  read_run(job)
  call('HSET', job_key(id), 'extended', job.token)
  zadd(state_key('active', queue), now + job.lease, id)
  swept[#swept + 1] = { id, queue, job.type, 'extended' }
end

-- Returns whether some are left for the next sweep.
local function extend_all()
  local left = limit
  for _, lease in ipairs(ending('(' .. string.format('%d', now + interval))) do
    local _, id, queue, name = unpack(lease, 1, 4)
    if not was_extended(id, name) then
      if left == 0 then
        return true
      end
      extend(id, queue, name)
      left = left - 1
    end
  end
  return false
end

local NAMES = { waiting = 'stalled', delayed = 'stalled', failed = 'dead', cancelled = 'cancelled' }

local function take_back(id, queue, name)
  if name then
    stop_lingering(parse_lease(name))
    wake_all(queue)
    return
  end
  local job = read_lease(id)
  read_run(job)
  if job.kind == 'a' then -- whoever swept settles it
    swept[#swept + 1] = { id, queue, job.type, 'lost', job.token }
    return
  end
  drop_lease(job)
  job.token = nil -- whoever had it has not settled the job
  local state = job.cancel and end_cancelled(job, now) or stall(job, now)
  call('HDEL', job_key(id), 'token')
  swept[#swept + 1] = { id, queue, job.type, NAMES[state] }
end

local gap_lasts = gap and extend_all()
flush_sets()
if not gap_lasts then
  call('HSET', prefix .. 'meta', 'swept_at', now)
  local over = ending(now)
  for i = 1, math.min(limit, #over) do
    take_back(unpack(over[i], 2, 4))
  end
end
for _, space in ipairs(call('SMEMBERS', prefix .. 'spaces')) do
  drop_past(space, now, limit)
end
flush(now)
return swept
