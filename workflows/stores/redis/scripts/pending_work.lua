-- pending_work: what a run waits for.
-- needs: core look show
--
-- ARGV   now, run
-- Reply  {task or nil, activities, timers {key, due time}, open children}, or nil;
--        jobs and runs as in lib/show.lua

look()
local id = args[2]
if call('EXISTS', prefix .. 'run:' .. id) == 0 then
  return false
end
local task, activities, timers, children = 'wft:' .. id, {}, {}, {}

for i, job in ipairs(call('ZRANGE', prefix .. 'activities:' .. id, 0, -1)) do
  activities[i] = show_job(job)
end
for i, key in ipairs(call('HKEYS', prefix .. 'timer:' .. id)) do
  timers[i] = { key, call('ZSCORE', prefix .. 'timers', id .. '\0' .. key) }
end
for _, child in ipairs(call('ZRANGE', prefix .. 'children:' .. id, 0, -1)) do
  if call('HGET', prefix .. 'run:' .. child, 'status') == 'running' then
    children[#children + 1] = show_run(child)
  end
end
return { call('EXISTS', job_key(task)) == 1 and show_job(task), activities, timers, children }
