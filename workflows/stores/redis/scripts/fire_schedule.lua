-- fire_schedule: move the slot on and enqueue its jobs.
-- needs: core batch job accept
--
-- ARGV   now, id, slot, next_at or nil, jobs (lib/accept.lua), skip_overlap?
-- Reply  'missed', 'overlap' or 'fired'

local now = open(false)
local id, slot, next_at, jobs, skip_overlap = unpack(args, 2, 6)
local key = prefix .. 'schedule:' .. id
local due, paused, last_job = unpack(call('HMGET', key, 'next_at', 'paused', 'last_job_id'))
local LIVE = { waiting = true, delayed = true, active = true }

if not due or tonumber(due) ~= slot or paused then
  return 'missed'
end
call('HSET', key, 'last_slot', slot)
if next_at then
  call('HSET', key, 'next_at', next_at)
else
  call('HDEL', key, 'next_at')
end
if skip_overlap and last_job and LIVE[call('HGET', job_key(last_job), 'state')] then
  return 'overlap'
end
if #jobs > 0 then
  accept_new(jobs, now)
  call('HSET', key, 'last_fired_at', now, 'last_job_id', jobs[#jobs][1])
end
flush(now)
return 'fired'
