-- remove: delete all of a job that is not active.
-- needs: core batch job leave
--
-- ARGV   now, job id
-- Reply  'missing', 'owned', 'conflict' or 'removed'

local now = open(false)
local id = args[2]
local state, queue, dedup, kind =
  unpack(call('HMGET', job_key(id), 'state', 'queue', 'dedup', 'kind'))

if not state then
  return 'missing'
elseif kind then
  return 'owned'
elseif state == 'active' then
  return 'conflict'
end
if leave_pending(id) then
  release_dedup(id, queue, dedup)
else
  zrem(state_key(state, queue), id)
end
forget(id, now)
flush(now)
return 'removed'
