-- run: runs of workflows; each is read once per script and written at its end.
-- needs: core batch
--
-- A run is the hash run:<id>. Fields that hold a default are left out:
--   workflow type queue task_type first(its own id) priority(0) deadline
--   parent parent_workflow request   id of the start that made it
--   status    running completed failed canceled terminated continued_as_new timed_out
--   started closed last              times; last: of the newest commit
--   size      of all events in bytes;  seq(0): number of its newest inbox entry
--   cancel    somebody asked for it;   failure next
--
-- events:<id>      the list of its events
-- inbox:<id>       the list of its inbox: lib/inbox.lua
-- info:<id>        its info, if there is any
-- timer:<id>       the hash of its timers: lib/timer.lua
-- activities:<id>  its live activities, by place
-- queries:<id>     its live queries
-- children:<id>    the runs that have it as parent, by start
-- watch:run:<id>   who waits for it, and watch:end:<id> for its end: watch.lua
--
-- runs:<status>    run ids, by start;  closed: place and id, by end
-- current          workflow id to its newest run;  chain:<workflow>: all its runs by
--                  start, if there are several
-- overdue          by deadline: 'r' and a run id, or 'a' and the job id of an activity

local RUN = {
  'workflow', 'first', 'queue', 'task_type', 'status', 'started', 'last', 'size', 'seq',
  'cancel', 'priority', 'parent', 'failure', 'request',
}
local known, changed = {}, {}

local function run_key(id)
  return prefix .. 'run:' .. id
end

local function runs_key(status)
  return prefix .. 'runs:' .. status
end

-- A run that exists, or nil.
function runs.get(id)
  if not known[id] then
    local values, run = call('HMGET', run_key(id), unpack(RUN)), { id = id }
    if not values[5] then
      return nil
    end
    for i, name in ipairs(RUN) do
      run[name] = values[i] or nil
    end
    run.first = run.first or id
    known[id] = run
  end
  return known[id]
end

-- A new run, that is not written yet.
function runs.know(run)
  known[run.id] = run
end

-- The current run of a workflow id, or the one named; nil if there is none like that.
function runs.resolve(workflow, id, first)
  id = id or call('HGET', prefix .. 'current', workflow)
  local run = id and runs.get(id)
  if run and run.workflow == workflow and (not first or first == run.first) then
    return run
  end
  return nil
end

function runs.is_open(run)
  return run and run.status == 'running'
end

-- Fields to write at the end: name, value, ...
function runs.change(run, ...)
  local fields = changed[run.id] or {}
  changed[run.id] = fields
  for i = 1, select('#', ...), 2 do
    local name, value = select(i, ...)
    run[name] = value
    fields[name] = value -- nil: nothing to write
  end
end

function runs.append(run, events)
  if not events or #events == 0 then
    return
  end
  local size = tonumber(run.size)
  for first = 1, #events, ARGUMENTS do
    local last = math.min(first + ARGUMENTS - 1, #events)
    call('RPUSH', prefix .. 'events:' .. run.id, unpack(events, first, last))
  end
  for _, event in ipairs(events) do
    size = size + #event
  end
  runs.change(run, 'size', size)
end

-- Remember the start that made a run which is not the current one any more, or is gone.
function runs.remember_start(run, now)
  local left = run.request and run.started + REQUEST_MEMORY_MS - now
  if left and left >= 0 then
    local answer = cmsgpack.pack({ 'started', run.id, run.first, 'running' })
    remember(prefix .. 'start:' .. pair(run.workflow, run.request), answer, now,
      math.max(left, 1))
  end
end

-- Write what was changed, and tell who waits for it.
function runs.flush()
  for id, fields in pairs(changed) do
    local list = {}
    for name, value in pairs(fields) do
      list[#list + 1] = name
      list[#list + 1] = value
    end
    call('HSET', run_key(id), unpack(list))
    notify('watch:run:' .. id)
    if fields.closed then
      notify('watch:end:' .. id)
    end
    changed[id] = nil
  end
end
