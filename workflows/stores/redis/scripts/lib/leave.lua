-- leave: a job goes out of its sets, ends, or is deleted.
-- needs: core batch job

local MAX_HISTORY = 100

local function leave_delayed(id, queue, type, place)
  zrem(prefix .. 'due', place .. id)
  zrem(delayed_key(queue, type), place .. id)
end

local PENDING = { 'state', 'queue', 'type', 'place', 'stalls', 'expires', 'dedup', 'kind' }

-- Take a waiting or delayed job out of its sets. Returns its queue, its dedup id and its
-- kind if the engine owns it; or nil if the job is not pending.
local function leave_pending(id)
  local state, queue, type, place, stalls, expires, dedup, kind =
    unpack(call('HMGET', job_key(id), unpack(PENDING)))
  if state == 'waiting' then
    zrem(pending_key(queue, type, stalls), place .. id)
  elseif state == 'delayed' then
    leave_delayed(id, queue, type, place)
  else
    return nil
  end
  if expires then
    zrem(prefix .. 'expiring', id)
  end
  return queue, dedup, kind
end

local function release_dedup(id, queue, dedup)
  local key = prefix .. 'dedup:' .. queue
  if dedup and call('HGET', key, dedup) == id then
    call('HDEL', key, dedup)
  end
end

-- Write the end of a job; `...` are more fields of its hash.
local function end_job(id, queue, dedup, state, now, ...)
  call('HSET', job_key(id), 'state', state, 'finished', now, ...)
  zadd(state_key(state, queue), now, id)
  release_dedup(id, queue, dedup)
end

-- Delete a job's record. What a repeat needs is remembered on: the request that created
-- the job, and the token that settled it.
local function forget(id, now)
  local key = job_key(id)
  local request, created, token = unpack(call('HMGET', key, 'request', 'created', 'token'))
  if request then
    local left = created + REQUEST_MEMORY_MS - now
    if left >= 0 then
      remember(prefix .. 'request:' .. request, '', now, math.max(left, 1))
    end
  end
  if token then
    remember_done(token, id)
  end
  call('DEL', key, prefix .. 'log:' .. id)
end

-- The two or four arguments for HSET that append to the history.
local function attempt(id, history, number, started, now, outcome, owner, failure)
  local n = (tonumber(history) or 0) + 1
  if n > MAX_HISTORY then
    call('HDEL', job_key(id), 'a' .. (n - MAX_HISTORY))
  end
  local record = number .. ' ' .. started .. ' ' .. now .. ' ' .. outcome .. ' '
    .. #owner .. ' ' .. owner .. (failure or '')
  return 'history', n, 'a' .. n, record
end

-- The name of a lease, where its job's record may be gone or leased to somebody else.
local function lease_name(id, token)
  return pair(token, id)
end
