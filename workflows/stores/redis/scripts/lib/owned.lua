-- owned: settlements of jobs that the engine owns.
-- needs: core batch job leave lease
-- runs: run inbox task activity

-- Take a pending activity out of its sets, to settle it in the same write. Its token is
-- empty; what is not pending has none.
function runs.seize(id, now)
  flush_sets()
  local state, kind = unpack(call('HMGET', job_key(id), 'state', 'kind'))
  if kind ~= 'a' or state ~= 'waiting' and state ~= 'delayed' then
    return { id = id }
  end
  leave_pending(id)
  flush_sets()
  local job = read_lease(id)
  job.state, job.settled, job.token, job.started = 'active', job.token, '', now
  return job
end

-- Whether an activity was settled while it was pending.
function runs.was_seized(id, now)
  return recall(prefix .. 'seized:' .. id, now) ~= nil
end

-- A settlement moved the job of an open run; if it ended, its outcome is told. Returns
-- false if the run is closed: then nothing more is written.
function runs.tell(job, outcome, state, now)
  local told = job.kind == 'a' or job.kind == 'd'
  if not told or state == 'waiting' or state == 'delayed' then
    return true
  end
  local run = runs.get(job.run)
  if not runs.is_open(run) then
    return false
  end
  if outcome then
    runs.receive(run, outcome, now)
  end
  return true
end

-- The activity will be completed from elsewhere: active without a worker.
function runs.detach(job)
  if job.kind == 'd' then
    return 'active'
  end
  zrem(prefix .. 'held:' .. job.token, job.id)
  if job.locked == job.token then
    release_locks(lease_name(job.id, job.token))
  end
  call('HSET', job_key(job.id), 'kind', 'd')
  call('HINCRBY', queue_key(job.queue), 'exempt', 1)
  zadd(state_key('active', job.queue), '+inf', job.id)
  return 'active'
end

local MAX_DELAY_MS = 60000

-- The n-th stall: an activity waits again, a task and upkeep later each time, a query
-- ends.
function runs.stall(job, stalls, now)
  if job.kind == 'q' then
    count_in(totals, job.queue, 'dead:stalled')
    count_in(minutes, job.queue, 'dead')
    runs.drop(job, now)
    return 'failed'
  end
  local entry = { record(job, job.attempts + 1, now, 'stalled') }
  if stalls == 1 or job.kind ~= 'w' and job.kind ~= 'u' then
    return put_back(job, now, unpack(entry))
  end
  local due = now + math.min(MAX_DELAY_MS, 1000 * 2 ^ math.min(stalls - 2, 16))
  local type, place = unpack(call('HMGET', job_key(job.id), 'type', 'place'))
  call('HSET', job_key(job.id), 'state', 'delayed', 'ready', due, unpack(entry))
  enter_delayed(job.id, job.queue, type, due, place)
  return 'delayed'
end
