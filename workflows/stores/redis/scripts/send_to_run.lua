-- send_to_run: append an entry to the inbox of an open run.
-- needs: core batch job leave
-- runs: run inbox task
--
-- ARGV   now, request id, workflow, run or nil, first run or nil, entry
--        {kind, data, limit or nil}
-- Reply  {'sent' | 'missing' | 'conflict' | 'full', run or nil}

local request, workflow, id, first, entry = unpack(args, 2, 6)
local cancels = entry[1] == 'cancel'
local now = open(not cancels)
local memory = prefix .. 'sent:' .. pair(workflow, request)
local runs = engine()

local kept = recall(memory, now)
if kept then
  return { 'sent', kept }
end
local run = runs.resolve(workflow, id, first)
if not run then
  return { 'missing' }
elseif not runs.is_open(run) then
  return { 'conflict', run.id }
elseif runs.is_full(run, entry) then
  return { 'full', run.id }
end
if not cancels then
  call('INCRBY', prefix .. 'seq', 0) -- refused at the memory limit, whatever follows
end
runs.receive(run, entry, now)
remember(memory, run.id, now, REQUEST_MEMORY_MS)
flush(now)
return { 'sent', run.id }
