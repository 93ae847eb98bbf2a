-- close: the end of a run.
-- needs: core batch job leave accept value lease run inbox task timer activity drop start
--
-- An end is the array {status, events, outcome, jobs, next run, carry?, seen}; `seen`:
-- {length, newest inbox entry} of the run that it was made for, or nil.

-- Whether a run went on since an end was made for it.
function runs.has_gone_on(run, ending)
  local seen = ending[7]
  return seen and (call('LLEN', prefix .. 'events:' .. run.id) ~= seen[1]
    or (tonumber(run.seq) or 0) ~= seen[2])
end

-- Remove the task of a run, whoever holds it.
local function remove_task(run, now)
  local id = task_id(run)
  local state, queue, token = unpack(call('HMGET', job_key(id), 'state', 'queue', 'token'))
  if state == 'active' then
    drop_lease({ id = id, queue = queue, token = token, kind = 'w' })
    call('DEL', job_key(id)) -- whoever has it has lost it
  elseif state then
    flush_sets()
    leave_pending(id)
    forget(id, now)
  end
end

-- Remove what is pending, ask what runs to stop.
local function stop_activities(run, now)
  flush_sets()
  for _, id in ipairs(call('ZRANGE', runs.activities_key(run.id), 0, -1)) do
    if leave_pending(id) then
      runs.remove(id, 'a', now)
    else
      call('HSET', job_key(id), 'cancel', 1)
    end
  end
  flush_sets()
end

-- Close an open run. Its task is removed unless `held`: then the caller sees to it.
function runs.close(run, ending, held, now)
  local status, events, outcome, jobs, next_run, carry = unpack(ending, 1, 6)
  runs.append(run, events)
  zrem(runs_key('running'), run.id)
  zadd(runs_key(status), run.started, run.id)
  zadd(prefix .. 'closed', now, next_place() .. run.id)
  zrem(prefix .. 'overdue', 'r' .. run.id)
  runs.change(run, 'status', status, 'closed', now)
  if not held then
    remove_task(run, now)
  end
  runs.cancel_all_timers(run)
  stop_activities(run, now)
  if outcome and run.parent then
    runs.receive(runs.get(run.parent), outcome, now)
  end
  if jobs then
    accept_new(jobs, now)
  end
  if next_run then
    runs.change(run, 'next', next_run[2])
    local created = runs.create(next_run, nil, nil, now)
    if carry then
      runs.carry(run, created)
    end
  end
  runs.empty(run)
end
