-- sweep: take back leases that ran out.
-- needs: core batch job value lease
--
-- ARGV   now, interval_ms, limit
-- Reply  per lease {job id, queue, type, 'extended' | 'stalled' | 'dead' | 'cancelled'}
--
-- After a gap in sweeping, workers that live could not renew. Their leases are extended
-- once; the job's field `extended` (of lingering ones: a hash) says so until a renewal.
-- Values past their deadline are deleted on the way.

local now = open(false)
local interval, limit = args[2], args[3]
local swept_at = tonumber(call('HGET', prefix .. 'meta', 'swept_at'))
local gap = not swept_at or now - swept_at > 2 * interval

-- The first leases of all queues that concern this sweep: {end, member, queue}.
local function ending(kind)
  local horizon = gap and '(' .. string.format('%d', now + interval) or now
  local found = {}
  for _, queue in ipairs(call('SMEMBERS', prefix .. 'queues')) do
    local key = prefix .. kind .. ':' .. queue
    local ends = call('ZRANGEBYSCORE', key, '-inf', horizon, 'WITHSCORES', 'LIMIT', 0, 2 * limit)
    for i = 1, #ends, 2 do
      found[#found + 1] = { tonumber(ends[i + 1]), ends[i], queue }
    end
  end
  table.sort(found, function(a, b)
    if a[1] ~= b[1] then
      return a[1] < b[1]
    end
    return bytes_before(a[2], b[2])
  end)
  return found
end

local function take_back(job)
  drop_lease(job)
  local outcome = job.cancel and end_cancelled(job, now) or stall(job, now, 'stalled')
  call('HDEL', job_key(job.id), 'token') -- whoever had it is not the one who settled
  return outcome
end

local NAMES = { waiting = 'stalled', failed = 'dead', cancelled = 'cancelled' }
local swept = {}

-- What one lease meets: true if it counts as a step of this sweep.
local function sweep_active(lease_end, id, queue)
  local job = read_lease(id)
  local outcome
  if gap and call('HGET', job_key(id), 'extended') ~= job.token then
    call('HSET', job_key(id), 'extended', job.token)
    zadd(state_key('active', queue), now + job.lease, id)
    outcome = 'extended'
  elseif lease_end <= now then
    outcome = NAMES[take_back(job)]
  else
    return false
  end
  swept[#swept + 1] = { id, queue, job.type, outcome }
  return true
end

local function sweep_lingering(lease_end, name, queue)
  local _, length = lingering(name)
  if gap and call('HSETNX', prefix .. 'lingering_extended', name, 1) == 1 then
    zadd(prefix .. 'lingering:' .. queue, now + length, name)
    return true
  end
  if lease_end <= now then
    local size, rest = name:match('^(%d+):(.*)$')
    stop_lingering(rest:sub(size + 2), rest:sub(1, size))
    wake_all(queue)
    return true
  end
  return false
end

-- Returns whether the limit was reached before the end.
local left = limit
local function sweep_kind(kind, sweep_one)
  for _, lease in ipairs(ending(kind)) do
    if left == 0 then
      return true
    end
    if sweep_one(unpack(lease)) then
      left = left - 1
    end
  end
  return false
end

local more = sweep_kind('active', sweep_active)
more = sweep_kind('lingering', sweep_lingering) or more
if not (gap and more) then
  call('HSET', prefix .. 'meta', 'swept_at', now)
end
for _, space in ipairs(call('SMEMBERS', prefix .. 'spaces')) do
  drop_past(space, now, limit)
end
flush(now)
return swept
