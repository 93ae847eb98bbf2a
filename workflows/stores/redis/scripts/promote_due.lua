-- promote_due: make due delayed jobs waiting, fire due timers of runs.
-- needs: core batch job leave due
-- runs: run inbox task timer
--
-- ARGV   now, limit
-- Reply  {how many, in how many ms the next one is due or nil}

local now = open(false)
local promoted = promote_due(now, args[2])
flush_sets()
local fired = fire_timers(now, args[2])
flush(now)

local job, timer = next_due(prefix .. 'due', now), next_due(prefix .. 'timers', now)
return { promoted + fired, job and timer and math.min(job, timer) or job or timer or false }
