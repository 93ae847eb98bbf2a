-- promote_due: make due delayed jobs waiting.
-- needs: core batch job leave due
--
-- ARGV   now, limit
-- Reply  {how many, in how many ms the next one is due or nil}

local now = open(false)
local promoted = promote_due(now, args[2])
flush(now)
return { promoted, next_due(prefix .. 'due', now) or false }
