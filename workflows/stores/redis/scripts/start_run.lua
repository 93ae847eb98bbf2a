-- start_run: create a run, or use or refuse the one that is there.
-- needs: core batch job leave accept value lease
-- runs: run inbox task timer activity drop start close
--
-- ARGV   now, request id, run (lib/start.lua), reuse, conflict, terminate (lib/close.lua) or
--        nil, signal {kind, data, limit or nil} or nil, the run that terminate is of or nil
-- Reply  {'started' | 'existing' | 'refused' | 'full', run, first run, status}; {'other',
--        run} if terminate is not of the open run; or why the run cannot be created
--
-- The run itself remembers the request that made it, until it is not the current one.

local now = open(true)
local request, new, reuse, conflict, terminate, signal, replaces = unpack(args, 2, 8)
local workflow, id = new[1], new[2]
local memory = prefix .. 'start:' .. pair(workflow, request)
local runs = engine()

local kept = recall(memory, now)
if kept then
  return cmsgpack.unpack(kept)
end
local current = runs.resolve(workflow)
if current and current.request == request then
  return { 'started', current.id, current.first, 'running' }
end
local is_open = runs.is_open(current)
local blocked = is_open and conflict ~= 'terminate_existing'
  or current and not is_open and not runs.may_follow(current, reuse)
if is_open and not blocked
  and (replaces and replaces ~= current.id or runs.has_gone_on(current, terminate)) then
  return { 'other', current.id }
end
if not blocked and runs.exists(id) then
  return "the run id '" .. id .. "' is that of another run"
end

call('INCRBY', prefix .. 'seq', 0) -- refused at the memory limit, whatever follows
if blocked then
  local used = is_open and conflict == 'use_existing'
  if used and signal and runs.is_full(current, signal) then
    return { 'full', current.id, current.first, current.status }
  end
  if used and signal then
    runs.receive(current, signal, now)
  end
  local answer = { used and 'existing' or 'refused', current.id, current.first, current.status }
  remember(memory, cmsgpack.pack(answer), now, REQUEST_MEMORY_MS)
  flush(now)
  return answer
end
if is_open then
  runs.close(current, terminate, false, now)
  runs.change(current, 'last', now)
end
local run = runs.create(new, signal, request, now)
flush(now)
return { 'started', run.id, run.first, 'running' }
