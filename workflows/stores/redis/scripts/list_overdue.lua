-- list_overdue: open runs and activities whose deadline is not in the future.
-- needs: core show
--
-- ARGV   now, limit
-- Reply  per one {'r', run} or {'a', job} (lib/show.lua), oldest deadline first

local now = open(false)
local overdue = {}
for i, member in ipairs(call('ZRANGEBYSCORE', prefix .. 'overdue', '-inf', now, 'LIMIT', 0,
  args[2])) do
  local id = member:sub(2)
  local what = member:sub(1, 1)
  overdue[i] = { what, what == 'r' and show_run(id) or show_job(id) }
end
return overdue
