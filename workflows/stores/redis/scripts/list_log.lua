-- list_log: lines that a job has said.
-- needs: core look
--
-- ARGV   now, job id, after, limit
-- Reply  {number of the first line, lines, whether more follow}; nil: no such job

look()
local id, after, limit = args[2], args[3], args[4]
local logged = call('HMGET', job_key(id), 'state', 'logged')
if not logged[1] then
  return nil
end
local key = prefix .. 'log:' .. id
local kept = call('LLEN', key)
local dropped = (tonumber(logged[2]) or 0) - kept
local first = math.max(after - dropped, 0)
return { dropped + first + 1, call('LRANGE', key, first, first + limit - 1),
  first + limit < kept and 1 or 0 }
