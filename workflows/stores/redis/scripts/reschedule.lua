-- reschedule: give a pending job a new due time and place; promote: make it waiting now.
-- needs: core once batch job leave pend
--
-- ARGV   now, job id, delay_ms, run_at or nil, only delayed jobs?, call
-- Reply  'missing', 'owned', 'conflict', 'waiting' or 'delayed'

local now = open(false)
local id, only_delayed, call_id = args[2], args[5], args[6]
local state, kind = unpack(call('HMGET', job_key(id), 'state', 'kind'))

local before = answered(call_id, now)
if before then
  return before[1]
elseif not state then
  return 'missing'
elseif kind then
  return 'owned'
elseif state ~= 'delayed' and (only_delayed or state ~= 'waiting') then
  return 'conflict'
end
local reply = put_off(id, args[3], args[4], now)
flush(now)
return answer(call_id, reply, now)
