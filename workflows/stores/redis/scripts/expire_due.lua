-- expire_due: end waiting and delayed jobs whose `expires_at` has come.
-- needs: core batch job leave due
-- runs: run activity drop
--
-- ARGV   now, limit
-- Reply  how many

local now = open(false)
local expired = expire_due(now, args[2])
flush(now)
return expired
