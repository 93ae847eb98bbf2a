-- commit: the result of one workflow task, checked whole and then written whole.
-- needs: core batch job leave accept value lease queue settle grant
-- runs: run inbox task timer activity drop start close
--
-- A commit is a settlement (lib/settle.lua) with, after its outcome: run, length, at,
-- taken, events, timers {key, due_at, kind, data}, keys of timers to cancel, activities
-- (lib/accept.lua), activities to cancel {job id, entry}, children {run, reuse, entry if
-- started, entry if refused}, deliveries {workflow, run or nil, first run or nil, entry,
-- done or nil, missing or nil, only to a child?}, inline lease {job id, token, owner,
-- lease_ms}, info, end (lib/close.lua), failed?, retry {failure, delay_ms}. Lists that
-- are empty are nil.

local function read_commit(item)
  local c = {}
  c.run, c.length, c.at, c.taken, c.events, c.timers, c.cancel_timers, c.activities,
    c.cancels, c.children, c.deliveries, c.inline, c.info, c.ending, c.failed, c.retry =
    unpack(item, 8, 23)
  return c
end

-- Whether the lease is one that may write to this run.
local function may_write(run, job, c)
  if job.kind == 'w' then
    return job.id == 'wft:' .. run.id
  end
  return (job.kind == 'a' or job.kind == 'd') and job.run == run.id
    and not c.retry and not runs.has_task(run)
end

local function takes_ids(c)
  for _, child in ipairs(c.children or {}) do
    if runs.exists(child[1][2]) then
      return true
    end
  end
  return c.ending and c.ending[5] and runs.exists(c.ending[5][2])
end

local function strays(run, c)
  return c.ending and c.ending[5] and c.ending[5][1] ~= run.workflow
end

-- Why nothing can be written, or nil.
local function refusal(run, job, c, now)
  if not runs.is_open(run) or call('LLEN', prefix .. 'events:' .. run.id) ~= c.length
    or c.at < tonumber(run.last) or c.at > now
    or not may_write(run, job, c) or takes_ids(c) or strays(run, c) then
    return 'conflict'
  elseif c.ending and runs.would_drop(run, c.taken, c.ending[6]) then
    return 'again'
  end
  return nil
end

-- An activity of the run: remove it if it is pending, else ask it to stop.
local function cancel_activity(run, wish, now)
  local id = wish[1]
  local state, kind, of = unpack(call('HMGET', job_key(id), 'state', 'kind', 'run'))
  if of ~= run.id or kind == 'q' then
    return
  elseif state == 'active' then
    call('HSET', job_key(id), 'cancel', 1)
    return
  end
  leave_pending(id)
  runs.remove(id, 'a', now)
  runs.add(run, wish[2], now)
end

local function start_child(run, child, now)
  local new, reuse, started, refused = unpack(child, 1, 4)
  local current = runs.resolve(new[1])
  if current and (runs.is_open(current) or not runs.may_follow(current, reuse)) then
    runs.add(run, refused, now)
  else
    runs.create(new, nil, nil, now)
    runs.add(run, started, now)
  end
end

local function deliver(run, delivery, now)
  local workflow, id, first, entry, done, missing, child_only = unpack(delivery, 1, 7)
  local to = runs.resolve(workflow, id, first)
  local found = to and to.workflow ~= run.workflow and (not child_only or to.parent == run.id)
  if found and not runs.receive(to, entry, now) then
    found = entry[1] == 'cancel' -- it is closed
  end
  local answer = missing
  if found then
    answer = done
  end
  if answer then
    runs.add(run, answer, now)
  end
end

-- Lease a new activity of the run, if pause, concurrency and rate of its queue let it.
local function lease_inline(run, wish, now)
  local id, token, owner, lease_ms = unpack(wish, 1, 4)
  local state, kind, of, queue, type, priority =
    unpack(call('HMGET', job_key(id), 'state', 'kind', 'run', 'queue', 'type', 'priority'))
  if state ~= 'waiting' or kind ~= 'a' or of ~= run.id then
    return
  end
  local limits = read_limits(queue)
  if room_in(queue, limits, now) < 1 then
    return
  end
  use_rate(queue, limits, 1, now)
  leave_pending(id)
  flush_sets()
  if call('EXISTS', waiting_key(queue, type), suspect_key(queue, type)) == 0 then
    woken[wake_key(queue, type)] = nil -- nothing is left there
  end
  local claim = { token, owner, [7] = lease_ms }
  inlined[#inlined + 1] = { token, lease_job(id, queue, type, priority or '0', claim, now) }
  zadd(state_key('active', queue), now + lease_ms, id)
  zadd(prefix .. 'held:' .. token, 1, id)
end

-- Repeat an inline lease to whom it was granted, if it still holds.
function runs.inline_again(wish)
  local id, token = wish[1], wish[2]
  local state, held, kind, queue, type, priority =
    unpack(call('HMGET', job_key(id), 'state', 'token', 'kind', 'queue', 'type', 'priority'))
  if state == 'active' and held == token and kind ~= 'd' then
    inlined[#inlined + 1] = { token, held_job(id, queue, type, priority) }
  end
end

-- The effects, in the order of the contract.
local function apply(run, c, now)
  runs.set_timers(run, c.timers or {})
  runs.cancel_timers(run, c.cancel_timers or {})
  if c.activities then
    accept_new(c.activities, now)
  end
  flush_sets()
  for _, wish in ipairs(c.cancels or {}) do
    cancel_activity(run, wish, now)
  end
  for _, child in ipairs(c.children or {}) do
    start_child(run, child, now)
  end
  for _, delivery in ipairs(c.deliveries or {}) do
    deliver(run, delivery, now)
  end
  flush_sets()
  if c.inline then
    lease_inline(run, c.inline, now)
  end
  if c.info == '' then
    call('DEL', prefix .. 'info:' .. run.id)
  elseif c.info then
    call('SET', prefix .. 'info:' .. run.id, c.info)
  end
end

-- The activity of an inline chain ends with its outcome in the history.
local function end_activity(job, c, now)
  count_run(job.queue, job.ready, job.started, now)
  runs.drop(job, now)
  if c.failed then
    count_in(totals, job.queue, 'dead:exhausted')
    count_in(minutes, job.queue, 'dead')
    return 'failed'
  end
  count(job.queue, 'completed')
  return 'completed'
end

-- Apply a commit whose lease holds: the state of its job, or why not.
function runs.commit(job, item, now)
  local c = read_commit(item)
  local run = runs.get(c.run)
  local refused = refusal(run, job, c, now)
  if refused then
    return refused
  end
  touched[job.queue] = true
  runs.take(run, c.taken)
  runs.append(run, c.events)
  runs.change(run, 'last', c.at)
  if c.retry then
    runs.change(run, 'failure', c.retry[1])
    read_run(job)
    return kinds.retry(job, { [8] = c.retry[1], [9] = c.retry[2], [11] = true }, now)
  elseif run.failure and run.failure ~= '' then
    runs.change(run, 'failure', '')
  end
  drop_lease(job)
  local is_task, state = job.kind == 'w', nil
  if is_task then
    count(job.queue, 'completed')
    count_run(job.queue, job.ready, job.started, now)
  else
    state = end_activity(job, c, now)
  end
  apply(run, c, now)
  if c.ending then
    runs.close(run, c.ending, is_task, now)
  end
  if is_task then
    state = runs.end_task(run, job, now)
  elseif runs.is_open(run) and runs.has_inbox(run) then
    runs.ensure_task(run, now)
  end
  follow_up(item, now)
  return state
end
