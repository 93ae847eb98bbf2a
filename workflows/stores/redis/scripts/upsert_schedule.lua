-- upsert_schedule: create or change a schedule.
-- needs: core
--
-- ARGV   now, id, spec, next_at or nil, paused?, other fields (name, value, ...)
-- Reply  1
--
-- The hash schedule:<id>: the fields as given, spec next_at paused last_slot
-- last_fired_at last_job_id. The set `schedules` holds all ids.

open(false)
local id, spec, next_at, paused, fields = unpack(args, 2, 6)
local key = prefix .. 'schedule:' .. id
local old = call('HGET', key, 'spec')

call('HDEL', key, 'headers', 'expires_ms', 'declared')
call('HSET', key, 'spec', spec, unpack(fields))
if old ~= spec then
  call('HDEL', key, 'next_at')
  if next_at then
    call('HSET', key, 'next_at', next_at)
  end
end
if not old and paused then
  call('HSET', key, 'paused', 1)
end
call('SADD', prefix .. 'schedules', id)
return 1
