-- start: new runs.
-- needs: core batch job accept run inbox task
--
-- A new run is the array {workflow, id, type, queue, task_type, first event, first run,
-- info, delay_ms, deadline_ms, deadline_at, priority, parent
-- {workflow, id}, inbox entries}; what is absent is nil.

function runs.exists(id)
  return call('EXISTS', run_key(id)) == 1
end

-- The run becomes the current one of its workflow id.
local function succeed(workflow, id, now)
  local old = runs.resolve(workflow)
  if old then
    local chain = prefix .. 'chain:' .. workflow
    if call('EXISTS', chain) == 0 then
      call('ZADD', chain, old.started, old.id)
    end
    call('ZADD', chain, now, id)
    runs.remember_start(old, now)
  end
  call('HSET', prefix .. 'current', workflow, id)
end

-- Create a run; its id must be free. `entry` lies in its inbox after its own.
function runs.create(new, entry, request, now)
  local workflow, id, type, queue, task_type, started, first, info, delay_ms,
    deadline_ms, deadline_at, priority, parent, inbox = unpack(new, 1, 14)
  local deadline = deadline_ms and now + deadline_ms or deadline_at
  succeed(workflow, id, now)
  local run = { id = id, size = 0 }
  runs.change(run, 'workflow', workflow, 'type', type, 'queue', queue, 'task_type', task_type,
    'status', 'running', 'started', now, 'last', now, 'first', first, 'priority', priority,
    'request', request, 'deadline', deadline)
  run.first = first or id
  runs.know(run)
  runs.append(run, { started })
  zadd(runs_key('running'), now, id)
  if deadline then
    zadd(prefix .. 'overdue', deadline, 'r' .. id)
  end
  if parent then
    runs.change(run, 'parent_workflow', parent[1], 'parent', parent[2])
    zadd(prefix .. 'children:' .. parent[2], now, id)
  end
  if info then
    call('SET', prefix .. 'info:' .. id, info)
  end
  for _, each in ipairs(inbox or {}) do
    runs.add(run, each, now)
  end
  if entry then
    runs.add(run, entry, now)
  end
  make_known(queue, task_type)
  call('SADD', prefix .. 'exempt:' .. queue, task_type)
  runs.make_task(run, delay_ms, now)
  return run
end

local FAILED = { failed = true, canceled = true, terminated = true, timed_out = true }

-- Whether a closed run lets another one of its workflow id start.
function runs.may_follow(run, reuse)
  return reuse == 'allow_duplicate'
    or reuse == 'allow_duplicate_failed_only' and FAILED[run.status] or false
end
