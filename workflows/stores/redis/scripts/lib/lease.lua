-- lease: what ends a lease other than success: stalls, cancels, deaths; lingering.
-- needs: core batch job leave value
--
-- The lease of an active job is its member in active:<queue>, scored by the lease's end;
-- held:<token> lists the leases that a claim still holds, in the order of its grants. A
-- token whose function still runs although its job went on is in lingering:<queue>, and
-- in the hash `lingerers` with its length and queue.

local LEASED = { 'state', 'token', 'queue', 'started', 'ready', 'dedup', 'locked', 'kind' }
local RUN = { 'type', 'attempts', 'owner', 'history', 'cancel', 'lease' }

-- Read what every end of a lease needs. The fence is `state` and `token`.
local function read_lease(id)
  local v = call('HMGET', job_key(id), unpack(LEASED))
  return {
    id = id, state = v[1], token = v[2], queue = v[3], started = v[4], ready = v[5],
    dedup = v[6], locked = v[7], kind = v[8],
  }
end

-- Read what every end but success needs. What nobody held (an empty token) had no owner.
local function read_run(job)
  local v = call('HMGET', job_key(job.id), unpack(RUN))
  job.type, job.attempts, job.owner = v[1], tonumber(v[2]) or 0, job.token ~= '' and v[3]
  job.history, job.cancel, job.lease = v[4], v[5], v[6] or DEFAULT_LEASE_MS
end

local function record(job, number, now, outcome, failure)
  return attempt(job.id, job.history, number, job.started, now, outcome, job.owner or '', failure)
end

-- A job shows its newest failure; '' is none.
local function keep_failure(id, failure)
  if failure and failure ~= '' then
    call('HSET', job_key(id), 'failure', failure)
  end
end

-- Let go of the lease: its place in the active set, its locks.
local function drop_lease(job)
  if job.kind and job.kind ~= 'a' then
    call('HINCRBY', queue_key(job.queue), 'exempt', -1)
  end
  zrem(state_key('active', job.queue), job.id)
  zrem(prefix .. 'held:' .. job.token, job.id)
  if job.locked == job.token then
    release_locks(lease_name(job.id, job.token))
  end
end

-- Let go of the lease but keep its place in the queue's concurrency and its locks.
local function linger(job)
  local name, active = lease_name(job.id, job.token), state_key('active', job.queue)
  local lease_end = call('ZSCORE', active, job.id)
  call('HSET', prefix .. 'lingerers', name, pair(tostring(job.lease), job.queue))
  if call('HGET', job_key(job.id), 'extended') == job.token then
    call('HSET', prefix .. 'lingering_extended', name, 1)
  end
  zadd(prefix .. 'lingering:' .. job.queue, lease_end, name)
  zrem(active, job.id)
end

-- The queue that a lingering lease has a place in, and the lease's length; or nil.
local function lingering(name)
  local kept = call('HGET', prefix .. 'lingerers', name)
  if not kept then
    return nil
  end
  local size, rest = kept:match('^(%d+):(.*)$')
  return rest:sub(size + 2), tonumber(rest:sub(1, size))
end

-- The token and the job id of a lease's name.
local function parse_lease(name)
  local size, rest = name:match('^(%d+):(.*)$')
  return rest:sub(1, size), rest:sub(size + 2)
end

-- Give up the place and the locks that linger, if any. Returns their queue.
local function stop_lingering(token, id)
  local name = lease_name(id, token)
  local queue = lingering(name)
  if queue then
    zrem(prefix .. 'lingering:' .. queue, name)
    call('HDEL', prefix .. 'lingerers', name)
    call('HDEL', prefix .. 'lingering_extended', name)
    zrem(prefix .. 'held:' .. token, id)
    release_locks(name)
  end
  return queue
end

-- Write the end of a job; of one that the engine owns no record stays.
local function finish(job, state, now, ...)
  if job.kind then
    engine().drop(job, now)
  else
    end_job(job.id, job.queue, job.dedup, state, now, ...)
  end
end

local function end_cancelled(job, now, failure)
  keep_failure(job.id, failure)
  finish(job, 'cancelled', now,
    record(job, job.attempts + 1, now, 'cancelled', failure))
  count(job.queue, 'cancelled')
  return 'cancelled'
end

-- Put a job back to its old place. `ready` is when it became waiting.
local function put_back(job, ready, ...)
  local type, priority, place, stalls, expires =
    unpack(call('HMGET', job_key(job.id), 'type', 'priority', 'place', 'stalls', 'expires'))
  call('HSET', job_key(job.id), 'state', 'waiting', 'ready', ready, ...)
  enter_waiting(job.id, job.queue, type, priority, place, stalls)
  if expires then
    zadd(prefix .. 'expiring', expires, job.id)
  end
  if job.kind then
    engine().pend(job, ready)
  end
  return 'waiting'
end

-- The job took its worker down, or looks as if: wait again, or die of too many.
local function stall(job, now)
  local key = job_key(job.id)
  local stalls = call('HINCRBY', key, 'stalls', 1)
  local most = tonumber(call('HGET', key, 'max_stalls')) or 3
  count(job.queue, 'stalled')
  if job.kind then
    return engine().stall(job, stalls, now)
  end
  if stalls > most then
    end_job(job.id, job.queue, job.dedup, 'failed', now, 'reason', 'stalled',
      record(job, job.attempts + 1, now, 'stalled'))
    count_in(totals, job.queue, 'dead:stalled')
    count_in(minutes, job.queue, 'dead')
    return 'failed'
  end
  return put_back(job, now, record(job, job.attempts + 1, now, 'stalled'))
end
