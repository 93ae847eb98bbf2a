-- remove: delete all of a job that is not active.
-- needs: core once batch job leave
--
-- ARGV   now, job id, call
-- Reply  'missing', 'owned', 'conflict' or 'removed'

local now = open(false)
local id, call_id = args[2], args[3]
local state, queue, dedup, kind =
  unpack(call('HMGET', job_key(id), 'state', 'queue', 'dedup', 'kind'))

if answered(call_id, now) then
  return 'removed'
elseif not state then
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
return answer(call_id, 'removed', now)
