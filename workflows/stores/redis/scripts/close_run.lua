-- close_run: close an open run from outside.
-- needs: core batch job leave accept value lease
-- runs: run inbox task timer activity drop start close
--
-- ARGV   now, request id, workflow, run or nil, first run or nil, end (lib/close.lua)
-- Reply  {'closed' | 'missing' | 'conflict' | 'gone on' | 'taken', run or nil}

local now = open(false)
local request, workflow, id, first, ending = unpack(args, 2, 6)
local memory = prefix .. 'closing:' .. pair(workflow, request)
local runs = engine()

local kept = recall(memory, now)
if kept then
  return { 'closed', kept }
end
local run = runs.resolve(workflow, id, first)
if not run then
  return { 'missing' }
elseif not runs.is_open(run) then
  return { 'conflict', run.id }
elseif runs.has_gone_on(run, ending) then
  return { 'gone on', run.id }
elseif ending[5] and runs.exists(ending[5][2]) then
  return { 'taken', ending[5][2] }
end
runs.close(run, ending, false, now)
runs.change(run, 'last', now)
remember(memory, run.id, now, REQUEST_MEMORY_MS)
flush(now)
return { 'closed', run.id }
