-- load_run: a run with its events and its inbox.
-- needs: core show
--
-- ARGV   now, run, number of the first event
-- Reply  {run (lib/show.lua), events, inbox (lib/inbox.lua), now}, or nil

local now = open(false)
local id, first = args[2], args[3]

if call('EXISTS', prefix .. 'run:' .. id) == 0 then
  return false
end
return { show_run(id), call('LRANGE', prefix .. 'events:' .. id, first - 1, -1),
  call('LRANGE', prefix .. 'inbox:' .. id, 0, -1), now }
