-- task: the one workflow-task job of a run.
-- needs: core batch job leave run
--
-- Its id names the run; it has no payload.

local function task_id(run)
  return 'wft:' .. run.id
end

function runs.make_task(run, delay_ms, now)
  local id, place = task_id(run), next_place()
  local due = due_time(delay_ms, nil, now)
  local fields = {
    'queue', run.queue, 'type', run.task_type, 'state', due and 'delayed' or 'waiting',
    'place', place, 'ready', due or now, 'created', now, 'kind', 'w',
  }
  if run.priority then
    fields[#fields + 1] = 'priority'
    fields[#fields + 1] = run.priority
  end
  if due then
    enter_delayed(id, run.queue, run.task_type, due, place)
  else
    enter_waiting(id, run.queue, run.task_type, run.priority, place, nil)
  end
  count(run.queue, 'enqueued')
  call('HSET', job_key(id), unpack(fields))
end

function runs.has_task(run)
  return call('EXISTS', job_key(task_id(run))) == 1
end

-- Something came into the inbox of a run: see to it that it has a task. A cancel request
-- ends the delay of the very first one; nothing ends the delay after a failure.
function runs.ensure_task(run, now)
  local id = task_id(run)
  local state, started = unpack(call('HMGET', job_key(id), 'state', 'started'))
  if not state then
    runs.make_task(run, 0, now)
  elseif state == 'delayed' and run.cancel and not started then
    flush_sets() -- it may have been made in this very call
    leave_pending(id)
    local place = next_place()
    call('HSET', job_key(id), 'state', 'waiting', 'place', place, 'ready', now)
    enter_waiting(id, run.queue, run.task_type, run.priority, place, nil)
  end
end

-- The lease of a task ended well: it goes, or is there anew if there is more to do.
function runs.end_task(run, job, now)
  remember_done(job.token, job.id)
  call('DEL', job_key(job.id))
  if runs.is_open(run) and runs.has_inbox(run) then
    runs.make_task(run, 0, now)
    return 'waiting'
  end
  return 'completed'
end
