-- prune_runs: delete the runs that closed first.
-- needs: core batch job leave value lease
-- runs: run activity drop
--
-- ARGV   now, age_ms, limit
-- Reply  {how many, whether more remain}
--
-- Jobs that are left of a closed run go with it: activities that run, queries.

local now = open(false)
local age, limit = args[2], args[3]
local runs = engine()
local before = '(' .. string.format('%d', now - age)

local function delete_job(id)
  local queue, _, kind = leave_pending(id)
  if queue then
    runs.remove(id, kind, now)
    return
  end
  drop_lease(read_lease(id))
  call('DEL', job_key(id))
  zrem(prefix .. 'overdue', 'a' .. id)
end

local function delete_jobs(id)
  for _, job in ipairs(call('ZRANGE', runs.activities_key(id), 0, -1)) do
    delete_job(job)
  end
  for _, job in ipairs(call('SMEMBERS', prefix .. 'queries:' .. id)) do
    delete_job(job)
  end
end

local function leave_chain(run)
  local chain = prefix .. 'chain:' .. run.workflow
  call('ZREM', chain, run.id)
  if call('ZCARD', chain) == 1 then
    call('DEL', chain)
  end
  if call('HGET', prefix .. 'current', run.workflow) == run.id then
    call('HDEL', prefix .. 'current', run.workflow)
  end
end

local closed = call('ZRANGEBYSCORE', prefix .. 'closed', '-inf', before, 'LIMIT', 0, limit + 1)
for i = 1, math.min(#closed, limit) do
  local id = closed[i]:sub(17)
  local run = runs.get(id)
  runs.remember_start(run, now)
  delete_jobs(id)
  leave_chain(run)
  zrem(prefix .. 'closed', closed[i])
  zrem(prefix .. 'runs:' .. run.status, id)
  if run.parent then
    zrem(prefix .. 'children:' .. run.parent, id)
  end
  call('UNLINK', prefix .. 'run:' .. id, prefix .. 'events:' .. id, prefix .. 'info:' .. id,
    runs.activities_key(id), prefix .. 'queries:' .. id)
end
flush(now)
return { math.min(#closed, limit), #closed > limit and 1 or 0 }
